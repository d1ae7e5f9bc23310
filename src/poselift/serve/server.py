"""The server: an address, a folder of jobs, and everything between them."""

import contextlib
import ipaddress
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from poselift.errors import MissingExtraError, OutputError, install_hint
from poselift.files import reason_of
from poselift.serve.app import Handlers, application
from poselift.serve.guard import Guard
from poselift.serve.limits import Limits
from poselift.serve.line import Line, Read
from poselift.serve.store import Store
from poselift.serve.worker import Run

_KEEP_ALIVE_S = 5
_MOST_CONNECTIONS = 512
_LEAVE_S = 3
"""Seconds in which answers that are being sent may be finished when the server ends."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a server listens, and who may come."""

    host: str = "127.0.0.1"
    """Address of this machine at which it listens; that of loopback is reached from this machine alone."""
    port: int = 8765
    """Port; 0 for one that is free."""
    names: tuple[str, ...] = ()
    """Names by which others call this machine."""
    ask_token: bool = False
    """Whether a token is asked for; it always is where others can come."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can come."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def serve(
    folder: Path,
    address: Address,
    limits: Limits,
    *,
    formats: tuple[str, ...],
    run: Run,
    read: Read,
    ready: Callable[[str], None],
) -> None:
    """Serve until a signal ends it.

    Args:
        folder: The folder of the jobs.
        address: Where it listens.
        limits: What it takes.
        formats: Endings of the results.
        run: Runs `poselift` in a process of its own.
        read: Makes of what was printed what is known of the results.
        ready: Called with the address of the page once it can be opened.

    Raises:
        MissingExtraError: starlette or uvicorn is not installed.
        OutputError: The address is taken, or the folder cannot be used.
    """
    try:
        import starlette  # noqa: F401 - needed by the application
        import uvicorn
    except ImportError as error:
        raise MissingExtraError(f"serving needs {error.name}; run: {install_hint('serve')}") from error
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(_listening(address))
        store = stack.enter_context(contextlib.closing(Store(folder, limits)))
        line = stack.enter_context(contextlib.closing(Line(store, run, read, formats)))
        token = None if address.is_local and not address.ask_token else _token(folder)
        names = (address.host, *address.names, *([] if address.is_local else [socket.gethostname()]))
        handlers = Handlers(store, line, formats)
        guarded = Guard(application(handlers), names=names, any_address=not address.is_local, token=token)
        config = uvicorn.Config(
            guarded, http="h11", ws="none", loop="asyncio", lifespan="off", log_config=None, log_level="error",
            access_log=False, server_header=False, timeout_keep_alive=_KEEP_ALIVE_S, timeout_graceful_shutdown=_LEAVE_S,
            limit_concurrency=_MOST_CONNECTIONS,
        )  # fmt: skip
        ready(_url(address, listening.getsockname()[1], token))
        uvicorn.Server(config).run(sockets=[listening])


def _listening(address: Address) -> socket.socket:
    """Return a socket that listens.

    Raises:
        OutputError: The address is not this machine's, or its port is taken.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise OutputError(
            f"cannot listen at {address.host}, port {address.port}: {reason_of(error)}; choose another port (--port)"
        ) from error


def _url(address: Address, port: int, token: str | None) -> str:
    """Return the address of the page."""
    host = address.host
    if host in ("0.0.0.0", "::"):  # all addresses of this machine
        host = address.names[0] if address.names else socket.gethostname()
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}/" + ("" if token is None else f"?token={token}")


def _token(folder: Path) -> str:
    """Return the token of a folder, so that it stays the same; it is made if there is none."""
    file = folder / "token"
    try:
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                stream.write(secrets.token_urlsafe(24))
        token = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot keep the token in {file}: {reason_of(error)}; delete that file") from error
    if len(token) < 20:
        raise OutputError(f"{file} is broken; delete that file, and another token is made")
    return token
