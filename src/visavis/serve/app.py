"""The web application: the page, its avatar, the WebSockets, and what operators ask for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware
from starlette.websockets import WebSocket

from visavis import __version__
from visavis.channels import EXPRESSIONS
from visavis.errors import InputError, VisavisError
from visavis.outputs.sender import Sender
from visavis.reaction.listener import ListenerModel
from visavis.serve.answers import (
    NO_TOKENIZER,
    face_tokens_offer,
    listener_offer,
    meaning_json,
    modes,
)
from visavis.serve.broadcast import Broadcast
from visavis.serve.connection import converse, relay
from visavis.serve.doors import Doors
from visavis.serve.front import Front
from visavis.serve.guard import Guard
from visavis.serve.metrics import CONTENT_TYPE, Metrics
from visavis.serve.own_files import READ, OwnFiles, add_own_files
from visavis.serve.pool import MakePipeline, SessionPool
from visavis.serve.protocol import SESSION_NAME, Close
from visavis.serve.vocabulary import Vocabulary
from visavis.serve.witness import Witness

DEFAULT_PORT = 8765
DEFAULT_IDLE_S = 60.0
NO_FILES, NO_FRONT = OwnFiles(), Front()


def create_app(
    make_pipeline: MakePipeline,
    *,
    vocabulary: Vocabulary | None = None,
    listener: ListenerModel | None = None,
    sessions: int | None = None,
    idle_s: float = DEFAULT_IDLE_S,
    host: str = "127.0.0.1",
    allowed_hosts: Collection[str] = (),
    profile_path: Path | None = None,
    senders: Sequence[Sender] = (),
    own: OwnFiles = NO_FILES,
    front: Front = NO_FRONT,
    processes: int = 1,
) -> FastAPI:
    """The page, its avatar, and the WebSocket at ``/ws``.

    Args:
        make_pipeline: makes the pipeline of one session.
        vocabulary: the vocabulary of face tokens; None if there is no tokenizer.
        listener: the listener that people may use; None if there is none.
        sessions: maximum number of sessions of this process; see :class:`~visavis.serve.pool.SessionPool`.
        idle_s: time without messages after which a session is closed.
        host: the address or name at which it listens.
        allowed_hosts: further host names of the server, in addition to addresses and this computer's own
            names; then, as behind a proxy, requests from loopback may come from elsewhere.
        profile_path: file for a person's profile, kept on request; None keeps none.
        senders: open outputs; they follow the oldest session.
        own: the operator's files that the page may use.
        front: token, proxies, and limits of an address.
        processes: see :class:`~visavis.serve.pool.SessionPool`.

    Raises:
        InputError: ``sessions`` is less than 1.
    """
    pool = SessionPool(
        make_pipeline,
        sessions,
        vocabulary=vocabulary,
        listener=listener,
        profile_path=profile_path,
        broadcast=Broadcast(senders),
        processes=processes,
    )

    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await pool.drain()

    app = FastAPI(
        title="visavis",
        version=__version__,
        lifespan=lifespan,
        middleware=[
            Middleware(Witness, metrics=metrics),
            Middleware(
                Guard,
                (host, *allowed_hosts),
                front.token,
                front.max_per_address,
                front.max_new_per_address,
                trusts_local=not allowed_hosts and not front.proxies,
            ),
        ],
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere.
        redoc_url=None,
        openapi_url=None,
    )
    app.state.pool = pool
    app.state.doors = Doors(limit=0, header_s=0)  # A server brings its own.
    add_own_files(app, own)
    _add_routes(app, pool, idle_s)
    _add_operators_routes(app, pool, metrics, own.mapping_name)
    return app


def _add_routes(app: FastAPI, pool: SessionPool, idle_s: float) -> None:
    package = Path(str(files("visavis")))
    static = package / "serve" / "static"

    @app.api_route("/", methods=READ, response_class=FileResponse)
    def page() -> Path:
        return static / "index.html"

    @app.api_route("/watch", methods=READ, response_class=FileResponse)
    def viewer() -> Path:
        return static / "watch.html"

    @app.api_route("/assets/puppet.json", methods=READ, response_class=FileResponse)
    def puppet() -> Path:
        return package / "assets" / "puppet.json"

    @app.api_route("/face_tokens/{name}", methods=READ)
    def face_token(name: str) -> dict[str, object]:
        if pool.vocabulary is None:
            raise HTTPException(404, NO_TOKENIZER)
        try:
            return meaning_json(pool.vocabulary.meaning(name))
        except InputError as error:
            raise HTTPException(404, str(error)) from error

    @app.api_route("/takes/{name}/{file}", methods=READ)
    def take(name: str, file: str) -> Response:
        try:
            content = pool.takes.read(name, file)
        except InputError as error:
            raise HTTPException(404, str(error)) from error
        return Response(content, headers={"Content-Disposition": f'attachment; filename="{file}"'})

    @app.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        await converse(websocket, pool, idle_s)

    @app.websocket("/ws/watch")
    async def watch(websocket: WebSocket) -> None:
        name = websocket.query_params.get("session", "")
        # Strangers may not wait for a session; they need the name of one.
        waits = SESSION_NAME.fullmatch(name) and not pool.broadcast.is_shown(name)
        if websocket.scope["state"]["authorized"] or not waits:
            await relay(websocket, pool)
        else:
            await websocket.accept()
            await websocket.close(Close.UNAUTHORIZED, "no session of this name is shown now")

    app.mount("/static", StaticFiles(directory=static), name="static")


def _add_operators_routes(app: FastAPI, pool: SessionPool, metrics: Metrics, mapping: str) -> None:
    @app.api_route("/health", methods=READ)
    def health() -> dict[str, object]:
        try:
            return _health(pool) | {"retarget": mapping or None}
        except VisavisError as error:
            raise HTTPException(503, str(error)) from error

    @app.api_route("/live", methods=READ)
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.api_route("/ready", methods=READ)
    def ready() -> dict[str, str]:
        problem = _why_not_ready(pool)
        if problem:
            raise HTTPException(503, problem)
        return {"status": "ready"}

    @app.api_route("/metrics", methods=READ)
    async def measured() -> Response:
        doors: Doors = app.state.doors
        done = pool.counters
        counts: dict[str, Mapping[str, float] | float] = {
            "connections_ended_total": doors.ended,
            "frames_dropped_total": done.dropped | {"bad_frame": done.bad, "stalled": done.stalled},
            "sessions_begun_total": done.admitted,
            "sessions_resumed_total": done.resumed,
            "sessions_refused_total": done.refused,
        }
        gauges = {
            "frames_waiting": metrics.frames_waiting,
            "sessions": pool.active,
            "sessions_limit": pool.limit,
            "connections": len(doors),
            "connections_limit": doors.limit,
            "abandoned_work": pool.crew.abandoned,
            "work_waiting": pool.crew.waiting,
            "frames_per_second": pool.load.fps,
            "expression_spacing": pool.load.spacing,
            "tasks": len(asyncio.all_tasks()),
            "stopping": float(pool.draining.is_set()),
        }
        text = metrics.text(gauges, counts, "" if pool.alone else str(os.getpid()))
        return PlainTextResponse(text, media_type=CONTENT_TYPE)


def _why_not_ready(pool: SessionPool) -> str:
    """Why no new session could begin now, in one line; empty if it could."""
    if pool.draining.is_set():
        return "the server is stopping"
    if pool.crowded:
        return (
            f"no session can begin now: {pool.active} of {pool.limit} sessions of {pool.scope} (--sessions) "
            f"are in use, at {pool.load.fps:.0f} pictures a second"
        )
    try:
        _ = pool.drops_tokens
    except VisavisError as error:
        return str(error)
    return ""


def _health(pool: SessionPool) -> dict[str, object]:
    return {
        "status": "stopping" if pool.draining.is_set() else "ok",
        "version": __version__,
        "modes": modes(pool.listener),
        "expressions": EXPRESSIONS,
        "drops_tokens": pool.drops_tokens,
        "face_tokens": face_tokens_offer(pool.vocabulary),
        "listener": listener_offer(pool.listener),
        "sessions": pool.active,
        "sessions_limit": pool.limit,
        "process": None if pool.alone else os.getpid(),
    }
