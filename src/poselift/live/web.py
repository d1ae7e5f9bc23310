"""A WebSocket that sends lines to whoever connects; each gets the newest line, and misses those it is too slow for."""

import contextlib
import threading
from typing import Any

from poselift.errors import MissingExtraError, OutputError, install_hint
from poselift.live.pipeline import Ended, Link


class WebSocket:
    """Serves on this machine only; what clients send is ignored."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        """Listen.

        Raises:
            MissingExtraError: The package websockets is not installed.
            OutputError: The port is taken.
        """
        try:
            from websockets.sync.server import serve
        except ImportError as error:
            raise MissingExtraError(f"a WebSocket needs websockets; run: {install_hint('live')}") from error
        self._links: set[Link] = set()
        try:
            self._server = serve(self._serve, host, port)
        except (OSError, OverflowError) as error:
            raise OutputError(f"cannot listen on port {port} ({error}); choose another (--ws)") from error
        self.port: int = self._server.socket.getsockname()[1]
        """The port; of port 0, the one that was free."""
        self._thread = threading.Thread(target=self._server.serve_forever, name="poselift-ws", daemon=True)
        self._thread.start()

    def send(self, line: str) -> None:
        """Send a line to everybody who is connected; waits for nobody."""
        for link in tuple(self._links):
            with contextlib.suppress(Ended):
                link.put(line)

    def close(self) -> None:
        """Disconnect everybody and end."""
        for link in tuple(self._links):
            link.close(empty=True)
        self._server.shutdown()
        self._thread.join()

    def _serve(self, connection: Any) -> None:
        """Send lines to one client until it leaves."""
        from websockets.exceptions import ConnectionClosed

        link = Link(drop=True)
        self._links.add(link)
        try:
            for line in link:
                connection.send(line)
        except ConnectionClosed:
            pass
        finally:
            self._links.discard(link)
            link.close(empty=True)
