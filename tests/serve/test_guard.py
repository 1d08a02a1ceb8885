"""The server's guard: only the server's own page may talk to it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from visavis.serve.guard import Guard


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})


def ask(kind: str, host: str | None, origin: str | None) -> dict[str, Any]:
    """The first message that the guarded application answers with."""
    headers = [(b"host", host.encode())] if host is not None else []
    headers += [(b"origin", origin.encode())] if origin is not None else []
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    guard = Guard(inner, allowed_hosts=["faces.example"])
    asyncio.run(guard({"type": kind, "headers": headers, "method": "GET", "path": "/"}, receive, send))
    first: dict[str, Any] = sent[0]
    return first


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
    assert ask("websocket", host, origin)["type"] == ("websocket.accept" if let_in else "websocket.close")
    assert ask("http", host, origin)["status"] == (200 if let_in else 403)


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_every_answer_carries_strict_headers(host: str) -> None:
    headers = dict(ask("http", host, None)["headers"])
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert b"camera=(self)" in headers[b"permissions-policy"]
