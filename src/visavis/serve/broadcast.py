"""What a session shows, passed on to the outputs and to viewer pages."""

from __future__ import annotations

import asyncio
import hmac
import logging
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from visavis.errors import InputError
from visavis.outputs.sample import Sample
from visavis.outputs.sender import Sender
from visavis.serve.answers import OutputLight, encode_pose
from visavis.serve.protocol import Close, HangupError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_VIEWERS = 16

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Viewer:
    loop: asyncio.AbstractEventLoop
    text: str | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, text: str) -> None:
        """Replace the text that waits; called in the event loop."""
        self.text = text
        self.arrived.set()


class Broadcast:
    """Passes moments on: those of the oldest session to the outputs, those of a named session to its viewers.

    Args:
        senders: the outputs; the caller closes them.
    """

    def __init__(self, senders: Sequence[Sender] = ()) -> None:
        self._senders = tuple(senders)
        self._on = dict.fromkeys((sender.address for sender in senders), True)
        self._logged = dict.fromkeys(self._on, "")
        self._sessions: list[object] = []
        self._viewers: dict[str, list[_Viewer]] = {}
        self._names: dict[object, bytes] = {}  # of the sessions that were shown
        self._lock = threading.Lock()

    @contextmanager
    def joined(self, session: object) -> Iterator[None]:
        """Take part as a session for as long as the context lasts."""
        with self._lock:
            self._sessions.append(session)
        try:
            yield
        finally:
            with self._lock:
                self._sessions.remove(session)
                self._names.pop(session, None)

    def is_shown(self, name: str) -> bool:
        """Whether a session of this name goes on."""
        with self._lock:
            known = tuple(self._names.values())
        return any(hmac.compare_digest(one, name.encode()) for one in known)

    def leads(self, session: object) -> bool:
        """Whether this session is the one that the outputs follow."""
        with self._lock:
            return bool(self._sessions) and self._sessions[0] is session

    def lights(self, session: object) -> tuple[OutputLight, ...]:
        """The outputs, if this session is the one that they follow. The log gets what is new of them."""
        if not self._senders or not self.leads(session):
            return ()
        states = [sender.status for sender in self._senders]
        for state in states:
            if state.message != self._logged[state.address]:
                self._logged[state.address] = state.message
                level = logging.WARNING if state.message else logging.INFO
                _log.log(level, "%s: %s", state.address, state.message or "all is well")
        return tuple(OutputLight(s.address, self._on[s.address], s.light, s.message) for s in states)

    def switch(self, session: object, address: str, on: bool) -> None:
        """Start or stop to send to an output.

        Raises:
            InputError: there is no such output, or it follows another session.
        """
        if address not in self._on or not self.leads(session):
            raise InputError("this session has no such output")
        self._on[address] = on

    def show(self, session: object, name: str, sample: Sample, mirrored: bool) -> None:
        """Pass a moment on; called in the session's worker thread.

        Args:
            session: the session, which has joined.
            name: name of the session for viewers; empty if it may not be watched.
            sample: the moment.
            mirrored: whether the pose is mirrored.
        """
        if self.leads(session):
            for sender in self._senders:
                if self._on[sender.address]:
                    sender.send(sample)
        with self._lock:
            viewers = tuple(self._viewers.get(name, ())) if name else ()
            if name and session in self._sessions:
                self._names[session] = name.encode()
        if viewers:
            text = encode_pose(sample.pose, sample.state, mirrored)
            for viewer in viewers:
                viewer.loop.call_soon_threadsafe(viewer.offer, text)

    async def view(self, name: str) -> AsyncGenerator[str, None]:
        """The poses of the session of this name, as JSON text: always the newest, while the session goes on.

        Raises:
            HangupError: there are too many viewers.
        """
        viewer = _Viewer(asyncio.get_running_loop())
        with self._lock:
            if sum(map(len, self._viewers.values())) >= MOST_VIEWERS:
                raise HangupError(Close.FULL, f"{MOST_VIEWERS} pages watch already; close one of them")
            self._viewers.setdefault(name, []).append(viewer)
        try:
            while True:
                await viewer.arrived.wait()
                viewer.arrived.clear()
                if viewer.text is not None:
                    yield viewer.text
        finally:
            with self._lock:
                self._viewers[name].remove(viewer)
                if not self._viewers[name]:
                    del self._viewers[name]
