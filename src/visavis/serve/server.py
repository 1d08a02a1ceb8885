"""The running server: it listens, announces itself, and ends in time."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FrameType

import uvicorn
from fastapi import FastAPI

from visavis.avatar.profile import my_profile
from visavis.base.signals import INTERRUPTED
from visavis.base.words import reason
from visavis.errors import DeviceError, InputError
from visavis.outputs.sender import Sender
from visavis.reaction.listener import ListenerModel
from visavis.serve.app import DEFAULT_IDLE_S, DEFAULT_PORT, NO_FILES, create_app
from visavis.serve.doors import ACCEPTED_AT_ONCE, Doors, connection_limit
from visavis.serve.front import EVERYWHERE, Front, is_private, make_token, urls
from visavis.serve.guard import is_loopback
from visavis.serve.own_files import OwnFiles
from visavis.serve.pool import MakePipeline, SessionPool
from visavis.serve.protocol import MAX_MESSAGE_BYTES
from visavis.serve.vocabulary import Vocabulary
from visavis.serve.workers import end_process

BACKLOG = 512  # connections that the system keeps until they are accepted
SWEEP_EVERY = 10  # uvicorn's ticks of 0.1 s
MAX_HEADER_BYTES = 16384
DRAIN_S = 2.0
_log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """An application on a TCP port; it tells its sessions why they end before it closes their sockets.

    ``run()`` serves until it is interrupted, or until another thread sets ``should_exit``. After a signal,
    the process ends within ``front.grace_s`` even if work cannot be stopped.

    Args:
        app: made by :func:`~visavis.serve.app.create_app`.
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        ready: called with the page's address once the server answers.
        front: TLS, trusted proxies and limits.
        listening: a socket that listens already, in place of ``host`` and ``port``.

    Attributes:
        url: the page's address on this computer, without a token.

    Raises:
        DeviceError: the port is in use or not permitted, or the address does not belong to this computer.
        InputError: the certificate cannot be read, or the process may not open enough files.
    """

    def __init__(
        self,
        app: FastAPI,
        host: str,
        port: int,
        ready: Callable[[str], None] = lambda url: None,
        front: Front | None = None,
        listening: socket.socket | None = None,
    ) -> None:
        front = front or Front()
        doors = Doors(connection_limit(front.max_connections), front.header_s, front.tls())
        http, web_socket = doors.protocols()
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",  # uvloop, if it is there, would read the start of a TLS handshake as HTTP.
                http=http,
                ws=web_socket,
                ws_max_size=MAX_MESSAGE_BYTES,  # a message is refused by its length, before it is read
                ws_per_message_deflate=False,  # JPEG does not shrink, and JSON on loopback need not
                ws_ping_interval=10.0,
                ws_ping_timeout=10.0,
                h11_max_incomplete_event_size=MAX_HEADER_BYTES,
                timeout_keep_alive=front.keep_alive_s,
                timeout_graceful_shutdown=max(1, int(front.grace_s / 4)),
                backlog=ACCEPTED_AT_ONCE,
                proxy_headers=bool(front.proxies),
                forwarded_allow_ips=list(front.proxies),
                server_header=False,
                log_config=None,
                access_log=False,
                log_level=logging.WARNING,
            )
        )
        self._grace_s = front.grace_s
        self._pool: SessionPool = app.state.pool
        self._watchdog: threading.Timer | None = None
        self._listener = listening or open_port(host, port)
        self._ready = ready
        self._doors = app.state.doors = doors
        local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - named, not bound to
        [self.url] = urls(local, self.port, secure=doors.tls is not None)

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._listener.getsockname()[1])

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until the server is told to stop."""
        before = threading.enumerate()
        with self._listener:
            super().run([self._listener, *(sockets or [])])
        if self._watchdog is not None:
            for thread in threading.enumerate():
                if thread not in before and not thread.daemon:
                    thread.join()  # If it does not end, the watchdog ends the process.
            self._watchdog.cancel()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and announce it."""
        await super().startup(sockets)
        if self.started:
            self._listener.listen(BACKLOG)  # Uvicorn set ACCEPTED_AT_ONCE here, too.
            await asyncio.to_thread(self._ready, self.url)

    async def on_tick(self, counter: int) -> bool:
        """Look after slow connections; called ten times a second."""
        if counter % SWEEP_EVERY == 0:
            self._doors.sweep()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the sessions with a code that means "reconnect", then stop."""
        await self._pool.drain(min(DRAIN_S, self._grace_s / 2))
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Also end when the terminal is closed, except after nohup."""
        hangup = getattr(signal, "SIGHUP", None)
        in_main = threading.current_thread() is threading.main_thread()
        with super().capture_signals():
            if hangup is None or not in_main or signal.getsignal(hangup) is signal.SIG_IGN:
                yield
                return
            before = signal.signal(hangup, self.handle_exit)
            try:
                yield
            finally:
                signal.signal(hangup, before)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; a second Ctrl-C ends the process at once."""
        if self.should_exit and sig == signal.SIGINT:
            end_process(INTERRUPTED)
        self.should_exit = True
        if self._watchdog is None:
            self._watchdog = threading.Timer(self._grace_s, self._give_up)
            self._watchdog.daemon = True
            self._watchdog.start()

    def _give_up(self) -> None:
        _log.warning("work still runs %g s after the signal (--grace): it is abandoned", self._grace_s)
        end_process(0)


def serve(
    make_pipeline: MakePipeline,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    vocabulary: Vocabulary | None = None,
    listener: ListenerModel | None = None,
    open_browser: bool = False,
    sessions: int | None = None,
    idle_s: float = DEFAULT_IDLE_S,
    allowed_hosts: Iterable[str] = (),
    announce: Callable[[str], None] = lambda url: None,
    senders: Sequence[Sender] = (),
    own: OwnFiles = NO_FILES,
    front: Front | None = None,
    listening: socket.socket | None = None,
    processes: int = 1,
) -> None:
    """Run the server until it is interrupted.

    If only this computer can open the page, no token is needed, and the page may ask the server to keep the
    person's profile. Otherwise clients need a token, unless ``front.no_token`` is set.

    Args:
        make_pipeline: makes the pipeline of one session.
        host: address to listen on; by default only for this computer.
        port: TCP port; 0 takes a free one.
        vocabulary: the vocabulary of face tokens; None if there is no tokenizer.
        listener: the listener that people may use; None if there is none.
        open_browser: show the page in the person's browser.
        sessions: maximum number of sessions of this process at a time.
        idle_s: time without messages after which a session is closed.
        allowed_hosts: further host names of the server.
        announce: called with each of the page's addresses once the server listens; a token that the server
            made is in them.
        senders: open outputs; they follow the oldest session.
        own: the operator's files that the page may use.
        front: token, TLS, trusted proxies and limits.
        listening: a socket that listens already, in place of ``host`` and ``port``.
        processes: number of processes that serve this socket; see :mod:`visavis.serve.workers`.

    Raises:
        DeviceError: the port is in use or not permitted, or the address does not belong to this computer.
        InputError: ``sessions`` is less than 1, the certificate cannot be read, or the process may not open
            enough files.
    """
    others, front = tuple(allowed_hosts), front or Front()
    private = is_private(host, others, front)
    given = front.token
    front = with_token(host, others, front)
    query = f"?token={front.token}" if front.token else ""

    def ready(url: str) -> None:
        if not private:
            warn_if_unsafe(host, front)
        for one in (
            urls(host, server.port, secure=front.tls_cert is not None) if host in EVERYWHERE else [url]
        ):
            announce(one if given else one + query)  # A given token does not get into logs.
        if open_browser:
            webbrowser.open(url + query)

    app = create_app(
        make_pipeline,
        vocabulary=vocabulary,
        listener=listener,
        sessions=sessions,
        idle_s=idle_s,
        host=host,
        allowed_hosts=others,
        profile_path=my_profile() if private and processes == 1 else None,
        senders=senders,
        own=own,
        front=front,
        processes=processes,
    )
    server = Server(app, host, port, ready, front, listening)
    with suppress(KeyboardInterrupt):
        server.run()


def with_token(host: str, allowed_hosts: Iterable[str], front: Front) -> Front:
    """The front with a new token, if others can reach the server and nothing else is wished."""
    if is_private(host, allowed_hosts, front) or front.token or front.no_token:
        return front
    return replace(front, token=make_token())


def warn_if_unsafe(host: str, front: Front) -> None:
    """Say what is unsafe about a server that others can reach."""
    if front.no_token:
        _log.warning("--no-token: everyone who reaches this server may use it")
    if front.tls_cert is None and not is_loopback(host):
        _log.warning(
            "without TLS, pictures and the token can be read on the way, and browsers allow no camera: "
            "use --tls-cert and --tls-key, or a proxy with https"
        )


def open_port(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        DeviceError: the port is in use or not permitted, or the address does not belong to this computer.
        InputError: the host is empty.
    """
    if not host:  # An empty name would mean every address of this computer.
        raise InputError("the host is empty; name an address, such as 127.0.0.1")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        if sys.platform != "win32":  # On Windows it would let two servers share a port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise DeviceError(
            f"cannot listen on {host}, port {port}: {reason(error)}; choose another with --host or --port, "
            "or stop what uses it"
        ) from error
    return listener
