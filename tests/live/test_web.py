"""Lines by WebSocket, read by a client."""

import pytest

from poselift.errors import OutputError
from poselift.live.web import WebSocket

pytest.importorskip("websockets", reason="needs the live extra")
from websockets.sync.client import connect


def test_clients_get_the_newest_line():
    web = WebSocket(0)
    try:
        web.send("nobody is there")
        with connect(f"ws://127.0.0.1:{web.port}") as one, connect(f"ws://127.0.0.1:{web.port}") as other:
            lines = {}
            for client in (one, other):
                while client not in lines:
                    web.send("a line")  # until the server knows the client
                    try:
                        lines[client] = client.recv(timeout=0.05)
                    except TimeoutError:
                        continue
            assert set(lines.values()) == {"a line"}
        web.send("nobody is left")
        with pytest.raises(OutputError, match="cannot listen on port"):
            WebSocket(web.port)
    finally:
        web.close()
