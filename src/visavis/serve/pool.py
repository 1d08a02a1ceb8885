"""The pool of sessions: it admits them, gives them worker threads, and asks them to leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from functools import cached_property
from pathlib import Path

from visavis.base.clock import Clock, SystemClock
from visavis.base.machine import usable_threads
from visavis.base.words import counted, reason
from visavis.errors import InputError
from visavis.pipeline import Pipeline
from visavis.reaction.listener import ListenerModel
from visavis.serve.broadcast import Broadcast
from visavis.serve.crew import THREADS_PER_CORE, Crew
from visavis.serve.load import RETRY_S, Counters, Load
from visavis.serve.protocol import Close, HangupError, RefusedError
from visavis.serve.resume import ResumeKey
from visavis.serve.sessions import Session
from visavis.serve.taking import Takes
from visavis.serve.vocabulary import Vocabulary

MakePipeline = Callable[[], Pipeline]


# Upper bound of the number of sessions for each processor, where no number is given.
MOST_PER_CORE = 16
# After an unexpected end, a session's place is held for this time.
HELD_S = 10.0
# Sessions that come back with a token, perhaps from a replica that died, may exceed the limit by this factor.
OVERBOOKED = 1.5


def usual_sessions() -> int:
    """Upper bound of the number of sessions on this computer, where no number is given."""
    return MOST_PER_CORE * usable_threads()


class SessionPool:
    """Admits sessions, and asks all to leave when the server stops.

    Args:
        make_pipeline: makes one session's pipeline; it is called in a worker thread.
        limit: maximum number of sessions of this process at a time; None for its part of 16 for each usable
            processor. Fewer are admitted if answers take too long; see :class:`~visavis.serve.load.Load`.
        clock: passed to every session.
        vocabulary: passed to every session.
        listener: passed to every session.
        profile_path: passed to every session.
        broadcast: passed to every session.
        key: signs tokens; by default, the key of the environment.
        processes: number of processes that share the port and the processors. With more than one, sessions
            have no viewers and are not recorded, since those would reach another process.

    Attributes:
        crew: the worker threads.
        load: how busy the server is.
        counters: what the server has done.
        alone: whether this is the server's only process.
    """

    def __init__(
        self,
        make_pipeline: MakePipeline,
        limit: int | None = None,
        clock: Clock | None = None,
        vocabulary: Vocabulary | None = None,
        listener: ListenerModel | None = None,
        profile_path: Path | None = None,
        broadcast: Broadcast | None = None,
        key: ResumeKey | None = None,
        processes: int = 1,
    ) -> None:
        if limit is not None and limit < 1:
            raise InputError(f"the number of sessions must be at least 1; found {limit}")
        self.limit = limit or max(1, usual_sessions() // processes)
        self.alone = processes == 1
        self.active = 0
        self.draining = asyncio.Event()
        self.vocabulary = vocabulary
        self.listener = listener
        self.profile_path = profile_path
        self.broadcast = broadcast or Broadcast()
        self.takes = Takes()
        self.crew = Crew(max(2, THREADS_PER_CORE * usable_threads() // processes))
        self.counters = Counters()
        self._clock = clock or SystemClock()
        self.load = Load(self._clock)
        self._make_pipeline = make_pipeline
        self._key = key or ResumeKey.of_environment()
        self._members: dict[str, Session] = {}
        self._held: dict[str, float] = {}

    @cached_property
    def drops_tokens(self) -> bool:
        """Whether the sessions' recogniser drops tokens; the first call makes a pipeline to find out."""
        with closing(self._make_pipeline()) as pipeline:
            return pipeline.drops_tokens

    @property
    def scope(self) -> str:
        """Whose places these are, in words; of several processes, each knows only its own."""
        return "this server" if self.alone else "this process"

    @property
    def taken(self) -> int:
        """Number of places in use, with those of work that nobody waits for any more."""
        return self.active + self.crew.abandoned

    @property
    def crowded(self) -> bool:
        """Whether only a client with a token could begin a session now."""
        return self._refusal(None) is not None

    def _refusal(self, name: str | None) -> tuple[str, str] | None:
        """Why a session cannot begin, as a short name and in words; ``name`` is that of the token."""
        now_s = self._clock.now_s()
        self._held = {known: end_s for known, end_s in self._held.items() if end_s > now_s}
        sessions = counted(self.limit, "session")
        full = f"all places of {self.scope} are in use: at most {sessions} (--sessions)"
        if name is not None:
            at_most = int(OVERBOOKED * self.limit)
            fits = self.taken < max(at_most, self.limit + 1)
            return None if fits else ("full", full)
        if self.taken + len(self._held) >= self.limit:
            return "full", full
        if self.active and not self.load.admits:
            return (
                "load",
                f"the server is busy: its sessions are slowed to {self.load.fps:.0f} pictures a second",
            )
        return None

    @asynccontextmanager
    async def session(self, name: str = "", token: str | None = None) -> AsyncIterator[Session]:
        """A session that lasts as long as the context.

        Args:
            name: see :class:`Session`.
            token: the token of a client that comes back.

        Raises:
            HangupError: all places are taken, or the server is stopping.
        """
        if self.draining.is_set():
            self.counters.refused["stopping"] += 1
            raise HangupError(Close.RESTARTING, "the server is stopping; connect again in a moment")
        refusal = self._refusal(self._known(token))
        if refusal is not None:
            self.counters.refused[refusal[0]] += 1
            raise HangupError(Close.FULL, f"{refusal[1]}; try again in {RETRY_S} s")
        if not self.active:  # Nobody is left who could be slowed.
            self.load.reset()
        self.active += 1
        self.load.sessions = self.active
        try:
            pipeline = await self.crew.run(self._make_pipeline, self._clock.now_s())
            session = self._begin(pipeline, name)
            try:
                with self.broadcast.joined(session):
                    yield session
            finally:
                self._end(session)
        finally:
            self.active -= 1
            self.load.sessions = self.active

    def _begin(self, pipeline: Pipeline, name: str) -> Session:
        self.counters.admitted += 1
        return Session(
            pipeline,
            self._clock,
            self.vocabulary,
            self.listener,
            self.profile_path,
            self.broadcast,
            name if self.alone else "",
            self.takes if self.alone else None,
            self._key,
            self.counters,
        )

    def _end(self, session: Session) -> None:
        memory = session.memory
        if self._members.get(memory.name) is session:
            del self._members[memory.name]
            if memory.lost:
                self._held[memory.name] = self._clock.now_s() + HELD_S
        self.crew.post(session.close)

    def _known(self, token: str | None) -> str | None:
        """The name in a token; None if there is no valid token."""
        if token is None:
            return None
        try:
            return str(self._key.open(token)["name"])
        except RefusedError:
            return None

    def resume(self, session: Session, token: str | None) -> str | None:
        """Give a session tokens, and let it go on where the token's session was; that one ends.

        Returns:
            The session's new token; None if it follows later.

        Raises:
            RefusedError: the token is not valid; then the session begins anew.
        """
        session.memory.wanted = True
        try:
            if token is not None:
                session.memory.restore(session, self._key.open(token))
                self.counters.resumed += 1
        except (InputError, KeyError, TypeError) as error:  # A state of another version of visavis.
            raise RefusedError("bad_token", f"the token's state is unusable: {reason(error)}") from error
        finally:
            name = session.memory.name
            self._held.pop(name, None)
            earlier = self._members.get(name)
            if earlier is not None and earlier is not session:
                earlier.replaced.set()
            self._members[name] = session
        return session.memory.token(session)

    async def drain(self, grace_s: float = 2.0) -> None:
        """Ask every session to leave; returns when all have left, or after ``grace_s``."""
        self.draining.set()
        deadline_s = asyncio.get_running_loop().time() + grace_s
        while self.active and asyncio.get_running_loop().time() < deadline_s:
            await asyncio.sleep(0.02)
        self.crew.close()
