"""Who may talk to the server: a layer around the application, which looks at each request before anything else does.

A page of another site may not use a visitor's browser to reach this server: not by pointing a name of its own at this
machine (the header Host must name this machine), and not by sending requests here (Origin and Sec-Fetch-Site must be
this server's own).
"""

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from poselift.serve.refusal import Refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_COOKIE = "poselift"
_SAFE = ("GET", "HEAD")
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""Headers of every answer that does not set them itself."""


class Guard:
    """The application with the guard before it."""

    def __init__(
        self,
        application: Application,
        *,
        names: Collection[str] = (),
        any_address: bool = False,
        token: str | None = None,
    ) -> None:
        """Put the guard before an application.

        Args:
            application: The application.
            names: Names of this machine besides those of loopback.
            any_address: Whether any IP address may stand in Host, which no name of another site can.
            token: What every request must know; None where nothing is asked for.
        """
        self._application, self._token = application, token
        self._names = {name.lower() for name in (*LOOPBACK, *names)}
        self._any_address = any_address

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or let the application answer it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                more = [
                    (name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there
                ]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            self._check_host(headers)
            self._check_origin(scope, headers)
            if self._token is not None and not self._knows(scope, headers, self._token):
                if await self._let_in(scope, guarded, self._token):
                    return
                raise Refusal(
                    401, "OutputError",
                    "this server asks for a token; open the address that it printed, or send the header "
                    "`Authorization: Bearer TOKEN`",
                )  # fmt: skip
        except Refusal as refusal:
            await _answer(guarded, refusal)
            return
        await self._application(scope, receive, guarded)

    def _check_host(self, headers: dict[str, str]) -> None:
        host = _name(headers.get("host", ""))
        if host in self._names or (self._any_address and _is_address(host)):
            return
        raise Refusal(
            421, "OutputError",
            f"this server is not called {host[:100]!r}; open it by the address that it printed, or start it with "
            "--names NAME",
        )  # fmt: skip

    def _check_origin(self, scope: Message, headers: dict[str, str]) -> None:
        """Refuse what pages of others send; a link to the page from elsewhere is fine."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        own = origin is None or origin == f"http://{headers['host']}"
        link = scope["method"] in _SAFE and headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"
        if not own or (site not in ("same-origin", "none") and not link):
            raise Refusal(403, "OutputError", "pages of other sites may not use this server; open its own page")

    def _knows(self, scope: Message, headers: dict[str, str], token: str) -> bool:
        said = [headers.get("authorization", "").removeprefix("Bearer ")]
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
        except CookieError:
            cookie = None
        said += [cookie.value] if cookie is not None else []
        return any(hmac.compare_digest(one.encode(), token.encode()) for one in said)

    async def _let_in(self, scope: Message, send: Send, token: str) -> bool:
        """Give a browser that comes by the printed address a cookie; returns whether it did."""
        said = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] != "/" or not hmac.compare_digest(said.encode(), token.encode()):
            return False
        cookie = f"{_COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return True


async def _answer(send: Send, refusal: Refusal) -> None:
    body = json.dumps(refusal.content()).encode()
    headers = [
        (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"connection", b"close"),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _name(host: str) -> str:
    """Return the name in a header Host, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
