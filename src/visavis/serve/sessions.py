"""Sessions: each client has its own pipeline, the newest frame goes first, and their number is limited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import anyio.to_thread

from visavis.base.clock import Clock, SystemClock
from visavis.capture.image import decode_image
from visavis.errors import InputError
from visavis.pipeline import Pipeline
from visavis.reaction.listener import FaceListener
from visavis.serve.answers import NO_TOKENIZER, encode_error, encode_moment
from visavis.serve.calibrating import Calibrating
from visavis.serve.listening import Ear
from visavis.serve.protocol import (
    Close,
    FrameMessage,
    HangupError,
    ListenMessage,
    RefusedError,
    SettingsMessage,
    SoundMessage,
    WordsMessage,
    check_jpeg,
)
from visavis.serve.vocabulary import FaceWord, Speaker, Vocabulary
from visavis.types import Frame

MakePipeline = Callable[[], Pipeline]


@dataclass(frozen=True, slots=True)
class _Waiting:
    message: FrameMessage
    since_s: float


class Session:
    """One client's stream: an inbox for one frame, and the pipeline that processes it.

    ``process`` runs in one worker thread at a time, everything else in the event loop.

    Args:
        pipeline: the pipeline of only this session.
        clock: measures waiting and work.
        vocabulary: the vocabulary of face tokens; None if there is no tokenizer.
        listener: the listener that the person may use; None if there is none.
        profile_path: file for the person's profile, kept on request; None if no profile may be kept.

    Attributes:
        calibrating: the person's guided calibration and profile.
        dropped: number of frames that newer ones replaced before they were processed.
        refused: number of unusable frames (damaged, or out of order).
    """

    def __init__(
        self,
        pipeline: Pipeline,
        clock: Clock | None = None,
        vocabulary: Vocabulary | None = None,
        listener: FaceListener | None = None,
        profile_path: Path | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.calibrating = Calibrating(pipeline, profile_path)
        self.vocabulary = vocabulary
        self.reads_emotions = pipeline.read_emotions
        self.drops_tokens = pipeline.drops_tokens
        self.dropped = 0
        self.refused = 0
        self._clock = clock or SystemClock()
        self._ear = Ear(listener, self._clock)
        self._at_work = threading.Lock()
        self._inbox: _Waiting | None = None
        self._arrived = asyncio.Event()
        self._settings = SettingsMessage(self.reads_emotions, pipeline.mirror)
        self._calibrate = False
        self._speaker: Speaker | None = None
        self._last_time_s = -1.0
        self._frames = 0

    def offer(self, message: FrameMessage) -> None:
        """Put a frame into the inbox; it replaces a waiting frame, which is counted."""
        if self._inbox is not None:
            self.dropped += 1
        self._inbox = _Waiting(message, self._clock.now_s())
        self._arrived.set()

    def configure(self, wanted: SettingsMessage) -> SettingsMessage:
        """Store settings for the next frame; returns the accepted settings."""
        self._settings = SettingsMessage(wanted.read_emotions and self.reads_emotions, wanted.mirror)
        return self._settings

    @property
    def listener(self) -> FaceListener | None:
        """The listener that the person may use."""
        return self._ear.networks

    def listen(self, wish: ListenMessage) -> ListenMessage:
        """Let the avatar listen, or mirror; see :meth:`~visavis.serve.listening.Ear.listen`."""
        return self._ear.listen(wish)

    def hear(self, message: SoundMessage) -> None:
        """Take sound; see :meth:`~visavis.serve.listening.Ear.hear`."""
        self._ear.hear(message, self._last_time_s if self._frames else None)

    def tell_words(self, wish: WordsMessage) -> WordsMessage:
        """Report face tokens from the next frame on, as at a stream's beginning, or stop reporting them.

        Raises:
            RefusedError: there is no tokenizer.
        """
        if not wish.on:
            self._speaker = None
        elif self.vocabulary is None:
            raise RefusedError("no_tokenizer", NO_TOKENIZER)
        elif self._speaker is None:
            self._speaker = Speaker(self.vocabulary)
        return wish

    def calibrate(self) -> None:
        """Use the next frame's face as the neutral face."""
        self._calibrate = True

    async def take(self) -> _Waiting:
        """Wait for the newest frame."""
        await self._arrived.wait()
        self._arrived.clear()
        waiting, self._inbox = self._inbox, None
        if waiting is None:
            raise RuntimeError("the inbox was opened by two readers")
        return waiting

    def close(self) -> None:
        """Free the pipeline as soon as no frame is being processed."""
        with self._at_work:
            self.pipeline.close()

    def process(self, waiting: _Waiting) -> str:
        """The answer to one frame, as JSON text."""
        with self._at_work:
            return self._answer(waiting)

    def _answer(self, waiting: _Waiting) -> str:
        message, start_s = waiting.message, self._clock.now_s()
        settings, speaker = self._settings, self._speaker
        self.pipeline.read_emotions = settings.read_emotions
        try:
            frame = self._decode(message)
            # Not earlier: without frames that consume it, sound would pile up.
            self._ear.tune(self.pipeline)
            self.pipeline.mirror = settings.mirror
            decoded_s = self._clock.now_s()
            moment = self.pipeline.step(frame)
        except InputError as error:
            self.refused += 1
            return encode_error("bad_frame", f"{error} ({self.refused} refused so far)", message.id)
        timings_ms = {
            "wait": 1e3 * (start_s - waiting.since_s),
            "decode": 1e3 * (decoded_s - start_s),
            **moment.timings_ms,
        }
        word: FaceWord | None = None
        if speaker is not None:
            before_s = self._clock.now_s()
            word = speaker.say(moment.faces)
            timings_ms["word"] = 1e3 * (self._clock.now_s() - before_s)
        listener = self.pipeline.listener
        hears = None if listener is None else listener.hears
        calibrated = self._calibrated()
        guiding = self.calibrating.see(self.pipeline, moment.faces, frame.time_s)
        return encode_moment(moment, message.id, timings_ms, self.dropped, calibrated, word, hears, guiding)

    def _decode(self, message: FrameMessage) -> Frame:
        if message.time_s <= self._last_time_s:
            raise InputError(
                f"a frame's time is {message.time_s:.3f} s after one of {self._last_time_s:.3f} s;"
                " times must increase"
            )
        check_jpeg(message.jpeg)
        image = decode_image(message.jpeg, f"frame {message.id}")
        self._last_time_s = message.time_s
        self._frames += 1
        return Frame(image, message.time_s, self._frames - 1)

    def _calibrated(self) -> bool | None:
        """Whether the requested calibration succeeded; None if none was requested."""
        if not self._calibrate:
            return None
        self._calibrate = False
        return self.pipeline.calibrate()


class SessionPool:
    """Limits the number of sessions, and asks all to leave when the server stops.

    Args:
        make_pipeline: makes one session's pipeline; it is called in a worker thread.
        limit: maximum number of sessions at a time.
        clock: passed to every session.
        vocabulary: passed to every session.
        listener: passed to every session.
        profile_path: passed to every session.
    """

    def __init__(
        self,
        make_pipeline: MakePipeline,
        limit: int,
        clock: Clock | None = None,
        vocabulary: Vocabulary | None = None,
        listener: FaceListener | None = None,
        profile_path: Path | None = None,
    ) -> None:
        if limit < 1:
            raise InputError(f"the number of sessions must be at least 1; found {limit}")
        self.limit = limit
        self.active = 0
        self.draining = asyncio.Event()
        self.vocabulary = vocabulary
        self.listener = listener
        self.profile_path = profile_path
        self._make_pipeline = make_pipeline
        self._clock = clock

    @cached_property
    def drops_tokens(self) -> bool:
        """Whether the sessions' recogniser drops tokens; the first call makes a pipeline to find out."""
        with closing(self._make_pipeline()) as pipeline:
            return pipeline.drops_tokens

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A session that lasts as long as the context.

        Raises:
            HangupError: all places are taken, or the server is stopping.
        """
        if self.draining.is_set():
            raise HangupError(Close.RESTARTING, "the server is stopping; connect again in a moment")
        if self.active >= self.limit:
            raise HangupError(
                Close.FULL, f"all {self.limit} sessions of this server are in use; try again in a while"
            )
        self.active += 1
        try:
            pipeline = await anyio.to_thread.run_sync(self._make_pipeline, abandon_on_cancel=True)
            session = Session(pipeline, self._clock, self.vocabulary, self.listener, self.profile_path)
            try:
                yield session
            finally:  # A frame may still be in process; nobody waits for its end.
                asyncio.get_running_loop().run_in_executor(None, session.close)
        finally:
            self.active -= 1

    async def drain(self, grace_s: float = 2.0) -> None:
        """Ask every session to leave; returns when all have left, or after ``grace_s``."""
        self.draining.set()
        deadline_s = asyncio.get_running_loop().time() + grace_s
        while self.active and asyncio.get_running_loop().time() < deadline_s:
            await asyncio.sleep(0.02)
