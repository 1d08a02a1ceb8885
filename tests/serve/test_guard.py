"""The server's guard: only the server's own page may talk to it."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from starlette.types import Receive, Scope, Send

from visavis.serve.guard import COOKIE, Guard
from visavis.serve.protocol import Close


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})


def ask(
    kind: str,
    host: str | None,
    origin: str | None = None,
    path: str = "/",
    client: str = "127.0.0.1",
    headers: dict[str, str] | None = None,
    scheme: str = "http",
    **options: Any,
) -> list[dict[str, Any]]:
    """The messages that the guarded application answers with."""
    given = {"host": host, "origin": origin, **(headers or {})}.items()
    sent: list[Any] = []
    address, _, query = path.partition("?")
    scope = {
        "type": kind,
        "headers": [(key.encode(), text.encode("latin-1")) for key, text in given if text is not None],
        "method": "GET",
        "path": address,
        "query_string": query.encode(),
        "client": (client, 1),
        "scheme": scheme,
    }

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    guard = Guard(inner, allowed_hosts=["faces.example"], **options)
    asyncio.run(guard(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    ("host", "origin", "let_in"),
    [
        ("127.0.0.1:8765", None, True),
        ("127.0.0.1:8765", "http://127.0.0.1:8765", True),
        ("localhost:8765", "http://localhost:8765", True),
        ("LOCALHOST:8765", "http://localhost:8765", True),
        ("[::1]:8765", "http://[::1]:8765", True),
        ("192.168.1.7:8765", "http://192.168.1.7:8765", True),
        ("faces.example", "https://faces.example", True),
        ("127.0.0.1:8765", "http://127.0.0.1:9999", False),
        ("127.0.0.1:8765", "http://localhost:8765", False),
        ("127.0.0.1:8765", "https://evil.example", False),
        ("127.0.0.1:8765", "null", False),
        ("127.0.0.1:8765", "", False),
        ("127.0.0.1:8765", "http://[broken", False),
        ("evil.example:8765", "http://evil.example:8765", False),  # DNS rebinding
        ("evil.example:8765", None, False),
        ("[broken", None, False),
        ("", None, False),
        (None, None, False),
    ],
)
def test_only_its_own_page_gets_in(host: str | None, origin: str | None, let_in: bool) -> None:
    assert ask("websocket", host, origin)[0]["type"] == ("websocket.accept" if let_in else "websocket.close")
    assert ask("http", host, origin)[0]["status"] == (200 if let_in else 403)


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_every_answer_carries_strict_headers(host: str) -> None:
    headers = dict(ask("http", host)[0]["headers"])
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert b"camera=(self)" in headers[b"permissions-policy"]


TOKEN = "a-token-of-many-characters"  # noqa: S105


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 401),
        (f"/?token={TOKEN}", {}, 200),
        (f"/watch?session=a&token={TOKEN}", {}, 200),
        ("/?token=another-token-of-many", {}, 401),
        ("/?token=", {}, 401),
        ("/", {"authorization": f"Bearer {TOKEN}"}, 200),
        ("/", {"authorization": f"bearer {TOKEN}"}, 200),
        ("/", {"authorization": f"Basic {TOKEN}"}, 401),
        ("/", {"cookie": f"other=1; {COOKIE}={TOKEN}"}, 200),
        ("/", {"cookie": f"{COOKIE}={TOKEN[:-1]}"}, 401),
        ("/", {"cookie": f"{COOKIE}=ü"}, 401),
        (f"/takes/a/b?token={TOKEN}", {}, 401),  # Addresses get into logs; only the page's may have a token.
        ("/takes/a/b", {}, 401),
        ("/takes/a/b", {"cookie": f"{COOKIE}={TOKEN}"}, 200),
        ("/health", {}, 401),
        ("/static/app.js", {}, 200),
        ("/staticky", {}, 401),
        ("/live", {}, 200),
        ("/ready", {}, 200),
        ("/watch", {}, 200),
    ],
)
def test_the_token_is_asked_for(path: str, headers: dict[str, str], status: int) -> None:
    assert ask("http", "127.0.0.1", path=path, headers=headers, token=TOKEN)[0]["status"] == status


def test_a_socket_is_told_why_it_is_closed() -> None:
    accept, text, close = ask("websocket", "127.0.0.1", path=f"/ws?token={TOKEN}", token=TOKEN)
    assert accept["type"] == "websocket.accept"
    assert json.loads(text["text"])["code"] == "unauthorized"
    assert (close["type"], close["code"]) == ("websocket.close", Close.UNAUTHORIZED)
    assert "?token=" in close["reason"]


@pytest.mark.parametrize(
    ("client", "headers", "options", "status"),
    [
        ("127.0.0.1", {}, {}, 200),
        ("::1", {}, {"token": TOKEN}, 200),
        ("192.0.2.1", {}, {}, 401),
        ("192.0.2.1", {}, {"token": TOKEN}, 401),
        ("192.0.2.1", {"authorization": f"Bearer {TOKEN}"}, {"token": TOKEN}, 200),
        ("127.0.0.1", {"x-forwarded-for": "192.0.2.1"}, {}, 401),
        ("127.0.0.1", {}, {"token": TOKEN, "trusts_local": False}, 401),
    ],
)
def test_metrics_are_for_this_computer_and_for_the_token(
    client: str, headers: dict[str, str], options: dict[str, Any], status: int
) -> None:
    answer = ask("http", "localhost", path="/metrics", client=client, headers=headers, **options)
    assert answer[0]["status"] == status


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_the_cookie_is_not_for_scripts_nor_for_other_sites(scheme: str, secure: bool) -> None:
    origin = f"{scheme}://faces.example"
    start = ask("http", "faces.example", origin, path=f"/?token={TOKEN}", scheme=scheme, token=TOKEN)[0]
    cookie = dict(start["headers"])[b"set-cookie"].decode()
    assert cookie.startswith(f"{COOKIE}={TOKEN}; Path=/; HttpOnly; SameSite=Strict")
    assert ("Secure" in cookie) is secure


@pytest.mark.anyio
async def test_the_requests_of_one_address_are_limited() -> None:
    sent: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/ws":
            await asyncio.sleep(3600)
        await inner(scope, receive, send)

    async def send(message: Any) -> None:
        sent.append(message)

    guard = Guard(app, per_address=2)

    async def request(kind: str, path: str, client: str) -> list[Any]:
        sent.clear()
        headers = [(b"host", b"localhost")]
        scope = {"type": kind, "headers": headers, "path": path, "client": (client, 1), "method": "GET"}
        await guard(scope, cast(Receive, None), send)
        return list(sent)

    held = [asyncio.create_task(request("websocket", "/ws", "192.0.2.1")) for _ in range(2)]
    await asyncio.sleep(0)
    start, body = await request("http", "/", "192.0.2.1")
    assert start["status"] == 429
    assert b"--max-per-address" in body["body"]
    assert (await request("websocket", "/ws", "192.0.2.1"))[-1]["code"] == Close.FULL
    assert (await request("http", "/", "192.0.2.2"))[0]["status"] == 200
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    assert (await request("http", "/", "192.0.2.1"))[0]["status"] == 200


def test_who_reconnects_all_the_time_has_to_wait_for_the_next_minute() -> None:
    now_s = 0.0
    guard = Guard(inner, new_per_address=3, now_s=lambda: now_s)

    def opened(client: str) -> Any:
        """The last message to a new WebSocket of this address, which closes at once."""
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "headers": [(b"host", b"localhost")],
            "path": "/ws",
            "client": (client, 1),
        }
        asyncio.run(guard(scope, cast(Receive, None), send))
        return sent[-1]

    for client in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
        assert [opened(client)["type"] for _ in range(3)] == 3 * ["websocket.accept"]
    now_s = 59.0
    # A household has many addresses of IPv6.
    for client in ("192.0.2.1", "2001:db8::2"):
        last = opened(client)
        assert last["code"] == Close.FULL
        assert (
            "3 WebSockets in a minute, the most (--max-new-per-address); try again in 1 s" in last["reason"]
        )
    assert opened("2001:db8:0:1::1")["type"] == "websocket.accept"
    now_s = 60.0
    assert opened("192.0.2.1")["type"] == "websocket.accept"
