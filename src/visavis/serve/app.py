"""The web application and its server."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import sys
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware
from starlette.websockets import WebSocket

from visavis import __version__
from visavis.avatar.profile import my_profile
from visavis.channels import EXPRESSIONS
from visavis.errors import DeviceError, InputError, VisavisError
from visavis.reaction.listener import FaceListener
from visavis.serve.answers import NO_TOKENIZER, describe, listener_offer, modes, words_offer
from visavis.serve.connection import converse
from visavis.serve.guard import Guard
from visavis.serve.protocol import MAX_MESSAGE_BYTES
from visavis.serve.sessions import MakePipeline, SessionPool
from visavis.serve.vocabulary import Vocabulary

DEFAULT_PORT = 8765
DEFAULT_SESSIONS = 4
DEFAULT_IDLE_S = 60.0


READ = ["GET", "HEAD"]  # Monitors ask for the head alone.


def create_app(
    make_pipeline: MakePipeline,
    *,
    vocabulary: Vocabulary | None = None,
    listener: FaceListener | None = None,
    sessions: int = DEFAULT_SESSIONS,
    idle_s: float = DEFAULT_IDLE_S,
    allowed_hosts: Iterable[str] = (),
    profile_path: Path | None = None,
) -> FastAPI:
    """The page, its avatar, and the WebSocket at ``/ws``.

    Args:
        make_pipeline: makes the pipeline of one session.
        vocabulary: the vocabulary of face tokens; None if there is no tokenizer.
        listener: the listener that people may use; None if there is none.
        sessions: maximum number of sessions at a time.
        idle_s: time without messages after which a session is closed.
        allowed_hosts: host names of the server, in addition to addresses and this computer's own names.
        profile_path: file for a person's profile, kept on request; None keeps none.

    Raises:
        InputError: ``sessions`` is less than 1.
    """
    pool = SessionPool(
        make_pipeline, sessions, vocabulary=vocabulary, listener=listener, profile_path=profile_path
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await pool.drain()

    app = FastAPI(
        title="visavis",
        version=__version__,
        lifespan=lifespan,
        middleware=[Middleware(Guard, allowed_hosts=tuple(allowed_hosts))],
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere.
        redoc_url=None,
        openapi_url=None,
    )
    app.state.pool = pool
    _add_routes(app, pool, idle_s)
    return app


def _add_routes(app: FastAPI, pool: SessionPool, idle_s: float) -> None:
    package = Path(str(files("visavis")))
    static = package / "serve" / "static"

    @app.api_route("/", methods=READ, response_class=FileResponse)
    def page() -> Path:
        return static / "index.html"

    @app.api_route("/assets/puppet.json", methods=READ, response_class=FileResponse)
    def puppet() -> Path:
        return package / "assets" / "puppet.json"

    @app.api_route("/health", methods=READ)
    def health() -> dict[str, object]:
        try:
            return _health(pool)
        except VisavisError as error:
            raise HTTPException(503, str(error)) from error

    @app.api_route("/words/{name}", methods=READ)
    def word(name: str) -> dict[str, object]:
        if pool.vocabulary is None:
            raise HTTPException(404, NO_TOKENIZER)
        try:
            return describe(pool.vocabulary.meaning(name))
        except InputError as error:
            raise HTTPException(404, str(error)) from error

    @app.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        await converse(websocket, pool, idle_s)

    app.mount("/static", StaticFiles(directory=static), name="static")


def _health(pool: SessionPool) -> dict[str, object]:
    return {
        "status": "stopping" if pool.draining.is_set() else "ok",
        "version": __version__,
        "modes": modes(pool.listener),
        "expressions": EXPRESSIONS,
        "drops_tokens": pool.drops_tokens,
        "words": words_offer(pool.vocabulary),
        "listener": listener_offer(pool.listener),
        "sessions": pool.active,
        "sessions_limit": pool.limit,
    }


class Server(uvicorn.Server):
    """An application on a TCP port; it tells its sessions why they end before it closes their sockets.

    ``run()`` serves until it is interrupted, or until another thread sets ``should_exit``.

    Args:
        app: made by :func:`create_app`.
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        ready: called with the page's address once the server answers.

    Raises:
        DeviceError: the port is in use or not permitted, or the address does not belong to this computer.
    """

    def __init__(
        self, app: FastAPI, host: str, port: int, ready: Callable[[str], None] = lambda url: None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                ws="websockets-sansio",
                ws_max_size=MAX_MESSAGE_BYTES,  # a message is refused by its length, before it is read
                ws_per_message_deflate=False,  # JPEG does not shrink, and JSON on loopback need not
                ws_ping_interval=10.0,
                ws_ping_timeout=10.0,
                timeout_graceful_shutdown=3,
                log_level=logging.WARNING,
            )
        )
        self._pool: SessionPool = app.state.pool
        self._listener = _listen(host, port)
        self._ready = ready
        self.url = _url(host, self._listener.getsockname()[1])

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until the server is told to stop."""
        with self._listener:
            super().run([self._listener, *(sockets or [])])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and announce it."""
        await super().startup(sockets)
        if self.started:
            await asyncio.to_thread(self._ready, self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the sessions with a code that means "reconnect", then stop."""
        await self._pool.drain()
        await super().shutdown(sockets)


def serve(
    make_pipeline: MakePipeline,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    vocabulary: Vocabulary | None = None,
    listener: FaceListener | None = None,
    open_browser: bool = False,
    sessions: int = DEFAULT_SESSIONS,
    idle_s: float = DEFAULT_IDLE_S,
    allowed_hosts: Iterable[str] = (),
    announce: Callable[[str], None] = lambda url: None,
) -> None:
    """Run the server until it is interrupted.

    If only this computer can open the page, the page may ask the server to keep the person's profile.

    Args:
        make_pipeline: makes the pipeline of one session.
        host: address to listen on; by default only for this computer.
        port: TCP port; 0 takes a free one.
        vocabulary: the vocabulary of face tokens; None if there is no tokenizer.
        listener: the listener that people may use; None if there is none.
        open_browser: show the page in the person's browser.
        sessions: maximum number of sessions at a time.
        idle_s: time without messages after which a session is closed.
        allowed_hosts: further host names of the server.
        announce: called with the page's address once the server listens.

    Raises:
        DeviceError: the port is in use or not permitted, or the address does not belong to this computer.
        InputError: ``sessions`` is less than 1.
    """

    others = tuple(allowed_hosts)

    def ready(url: str) -> None:
        announce(url)
        if open_browser:
            webbrowser.open(url)

    app = create_app(
        make_pipeline,
        vocabulary=vocabulary,
        listener=listener,
        sessions=sessions,
        idle_s=idle_s,
        allowed_hosts=(*others, host),
        profile_path=my_profile() if _serves_itself(host) and not others else None,
    )
    with suppress(KeyboardInterrupt):
        Server(app, host, port, ready).run()


def _serves_itself(host: str) -> bool:
    """Whether only this computer can reach a server on that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    if not host:  # An empty name would mean every address of this computer.
        raise InputError("the host is empty; name an address, such as 127.0.0.1")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        if sys.platform != "win32":  # On Windows it would let two servers share a port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise DeviceError(
            f"cannot listen on {host}, port {port}: {error}; choose another with --host or --port, "
            "or stop what uses it"
        ) from error
    return listener


def _url(host: str, port: int) -> str:
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - named, not bound to
    name = everywhere.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/"
