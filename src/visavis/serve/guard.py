"""Protection of the server: who may ask it for what. Answers get strict headers."""

from __future__ import annotations

import hmac
import ipaddress
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from visavis.serve.answers import encode_error
from visavis.serve.protocol import Close

# No script, style, picture or connection from or to other servers; camera and microphone only for this page.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' blob:; img-src 'self' data: blob:; media-src 'self' blob:;"
        " object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
COOKIE = "visavis_token"
PER_ADDRESS = 32
# A new session costs more than a message: a pipeline, and fresh budgets. After a restart all people of an
# address come back at once, and some of them twice.
NEW_PER_ADDRESS, NEW_IN_S = 60, 60.0
# Parts of the program that everyone may have, and the viewer page, whose key is a session's name.
OPEN = frozenset({"/live", "/ready", "/watch", "/ws/watch", "/assets/puppet.json"})
OPEN_FOLDER = "/static/"
METRICS = "/metrics"
PAGES = ("/", "/watch")  # whose address may contain the token
WHO_MAY = (
    "this server asks for its token: open the address that it printed, which ends in ?token=..., or send "
    "the header  Authorization: Bearer TOKEN"
)
LOCAL_METRICS = "the metrics are for this computer, and for those who have the server's token"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a request is refused.

    Attributes:
        status: HTTP status.
        text: the reason, one line.
        close: close code of a WebSocket; None refuses its handshake.
    """

    status: int
    text: str
    close: Close | None = None


class Guard:
    """ASGI middleware that lets in the server's own page and those who have the token.

    A page of another site could open a WebSocket to localhost (browsers do not prevent it), so the Origin
    must name this server. With DNS rebinding, the other site's name points to this computer, so the Host must
    be an address, a name of this computer, or an explicitly allowed name.

    The token comes in the header Authorization, in the query of the page's address, or in the cookie that the
    page's answer sets. ``scope["state"]["authorized"]`` tells the application whether it came.

    Args:
        app: the guarded application.
        allowed_hosts: further host names of the server, for example behind a proxy.
        token: what a client must know; None lets everyone in.
        per_address: maximum number of requests and WebSockets of one address at a time.
        new_per_address: maximum number of WebSockets that one address may open in a minute.
        trusts_local: whether requests from loopback come from this computer, and not from a proxy on it;
            these may read the metrics without the token.
        now_s: the clock.
    """

    def __init__(
        self,
        app: ASGIApp,
        allowed_hosts: Iterable[str] = (),
        token: str | None = None,
        per_address: int = PER_ADDRESS,
        new_per_address: int = NEW_PER_ADDRESS,
        trusts_local: bool = True,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        own = socket.gethostname().lower()
        self._names = {"localhost", own, f"{own}.local", *(host.lower() for host in allowed_hosts)}
        self._token = None if token is None else token.encode()
        self._per_address, self._new_per_address = per_address, new_per_address
        self._trusts_local = trusts_local
        self._at_work: Counter[str] = Counter()
        self._now_s = now_s
        self._opened: Counter[str] = Counter()  # in the minute that began at this time
        self._minute_s = now_s()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse or forward one request (the ASGI interface)."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        address = household(request.client.host) if request.client else ""
        offered = self._offered(request)
        authorized = self._token is None or any(hmac.compare_digest(one, self._token) for one in offered)
        scope.setdefault("state", {})["authorized"] = authorized
        refusal = self._refusal(request, address, authorized)
        cookie = self._cookie(request) if authorized and offered else None

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if cookie:
                    headers["set-cookie"] = cookie
            await send(message)

        if refusal is not None:
            await _refuse(refusal, scope, receive, send_guarded)
            return
        self._at_work[address] += 1
        try:
            await self._app(scope, receive, send_guarded)
        finally:
            self._at_work[address] -= 1
            if not self._at_work[address]:
                del self._at_work[address]

    def _refusal(self, request: HTTPConnection, address: str, authorized: bool) -> _Refusal | None:
        host = request.headers.get("host", "")
        if not self._is_known(host):
            return _Refusal(403, f"this server is not known as {host[:80]!r}: allow it with --allow-host")
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
            return _Refusal(403, f"a page of {origin[:80]!r} may not use this server")
        if self._at_work[address] >= self._per_address:
            text = f"your address has {self._per_address} open requests, the most (--max-per-address)"
            return _Refusal(429, text, Close.FULL)
        path = request.scope["path"]
        if path == METRICS and self._is_local(request):
            return None
        if path == METRICS and self._token is None:
            return _Refusal(401, LOCAL_METRICS)
        if authorized or path in OPEN or path.startswith(OPEN_FOLDER):
            return self._too_often(address) if request.scope["type"] == "websocket" else None
        return _Refusal(401, WHO_MAY, Close.UNAUTHORIZED)

    def _too_often(self, address: str) -> _Refusal | None:
        """Count a new WebSocket of an address; the refusal if there were too many."""
        now_s = self._now_s()
        if now_s >= self._minute_s + NEW_IN_S:
            self._opened.clear()
            self._minute_s = now_s
        if self._opened[address] >= self._new_per_address:
            wait_s = self._minute_s + NEW_IN_S - now_s
            text = (
                f"your address has opened {self._new_per_address} WebSockets in a minute, the most "
                f"(--max-new-per-address); try again in {wait_s:.0f} s"
            )
            return _Refusal(429, text, Close.FULL)
        self._opened[address] += 1
        return None

    def _offered(self, request: HTTPConnection) -> list[bytes]:
        """The tokens that the client sent. Only a page's address may contain one: addresses get into logs."""
        offered = [request.cookies.get(COOKIE, "")]
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            offered.append(bearer.strip())
        if request.scope["path"] in PAGES:
            offered += parse_qs(request.scope.get("query_string", b"").decode("latin-1")).get("token", [])
        return [one.encode("utf-8", "replace") for one in offered if one]

    def _cookie(self, request: HTTPConnection) -> str | None:
        """The header that lets the page's scripts in, without letting them read the token."""
        if self._token is None or request.scope["path"] not in PAGES:
            return None
        secure = "; Secure" if request.scope.get("scheme") == "https" else ""
        return f"{COOKIE}={self._token.decode()}; Path=/; HttpOnly; SameSite=Strict{secure}"

    def _is_local(self, request: HTTPConnection) -> bool:
        if request.client is None or not self._trusts_local:
            return False
        if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
            return False
        return is_loopback(request.client.host)

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return True


def is_loopback(host: str) -> bool:
    """Whether the address is of this computer, which only this computer reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def household(address: str) -> str:
    """The address for which limits count: a household has 2^64 addresses of IPv6, which count as one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4 or ip.ipv4_mapped is not None:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False).network_address)


async def _refuse(refusal: _Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
        await PlainTextResponse(refusal.text + "\n", refusal.status, headers)(scope, receive, send)
    elif refusal.close is None:
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.text})
    else:  # A page is told the close code only after its handshake.
        await send({"type": "websocket.accept"})
        text = encode_error(refusal.close.name.lower(), refusal.text)
        await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.close", "code": refusal.close, "reason": refusal.text[:120]})
