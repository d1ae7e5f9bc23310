"""Who is let in: by Host, by Origin, by a token."""

import asyncio
import json

import pytest

from poselift.serve.guard import HEADERS, Guard

OWN = "127.0.0.1:8765"


async def inside(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"private")]})
    await send({"type": "http.response.body", "body": b"in"})


def ask(guard, method="GET", path="/api", query="", **headers):
    """Status, headers and body of an answer; underscores in names of headers are dashes."""
    said = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": said
    }  # fmt: skip
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(guard(scope, None, send))
    start, body = sent
    return start["status"], dict(start["headers"]), body["body"]


@pytest.mark.parametrize("host", [OWN, "localhost:8765", "LOCALHOST:9000", "[::1]:8765", "127.0.0.1", "localhost."])
def test_this_machine_is_let_in(host):
    status, headers, body = ask(Guard(inside), host=host)
    assert (status, body) == (200, b"in")
    assert headers[b"cache-control"] == b"private"  # what the application says stays
    assert set(HEADERS) <= {name.decode() for name in headers}


@pytest.mark.parametrize(
    "host",
    ["evil.com", "evil.com:8765", "localhost.evil.com", "127.0.0.1.evil.com", "192.168.1.5:8765", "[::2]:80", "", "@"],
)
def test_names_of_others_are_refused(host):
    """A page whose name was pointed at this machine sends that name."""
    status, headers, body = ask(Guard(inside), host=host)
    assert status == 421
    assert json.loads(body)["errors"][0]["flags"] == ["--names"]
    assert headers[b"connection"] == b"close"
    assert ask(Guard(inside))[0] == 421  # no host at all


def test_other_names_and_addresses_are_let_in_when_asked():
    guard = Guard(inside, names=["Lab-PC.local"], any_address=True)
    for host in ("lab-pc.local:8765", "192.168.1.5:8765", "[fe80::1]:8765", OWN):
        assert ask(guard, host=host)[0] == 200, host
    assert ask(guard, host="evil.com")[0] == 421


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.com"},
        {"origin": "http://127.0.0.1:3000"},  # another server of this machine
        {"origin": "https://127.0.0.1:8765"},
        {"origin": "null"},  # a sandboxed frame, such as a result's page
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
    ],
)
def test_pages_of_others_are_refused(method, headers):
    status, _, body = ask(Guard(inside), method, host=OWN, **headers)
    assert status == 403 and b"pages of other sites" in body


def test_the_own_page_and_links_to_it_are_let_in():
    guard = Guard(inside)
    assert ask(guard, "POST", host=OWN, origin=f"http://{OWN}", sec_fetch_site="same-origin")[0] == 200
    assert ask(guard, host=OWN, sec_fetch_site="none")[0] == 200
    link = {"host": OWN, "sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert ask(guard, path="/", **link)[0] == 200
    assert ask(guard, "POST", path="/", **link)[0] == 403


def test_a_token_is_asked_for():
    guard = Guard(inside, token="secret")
    for headers in ({}, {"authorization": "Bearer wrong"}, {"cookie": "poselift=wrong"}, {"cookie": "\x01=;;"}):
        status, _, body = ask(guard, host=OWN, **headers)
        assert status == 401 and b"token" in body and b"secret" not in body
    assert ask(guard, host=OWN, authorization="Bearer secret")[0] == 200
    assert ask(guard, host=OWN, cookie="other=1; poselift=secret")[0] == 200
    assert ask(guard, path="/", query="token=wrong", host=OWN)[0] == 401
    assert ask(guard, path="/api", query="token=secret", host=OWN)[0] == 401
    status, headers, _ = ask(guard, path="/", query="token=secret", host=OWN)
    assert (status, headers[b"location"]) == (303, b"/")
    cookie = headers[b"set-cookie"].decode()
    assert cookie.startswith("poselift=secret; HttpOnly; SameSite=Strict")
    assert ask(guard, path="/", query="token=secret", host="evil.com")[0] == 421
