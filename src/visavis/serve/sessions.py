"""Sessions: each client has its own pipeline, and the newest frame goes first."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from pathlib import Path

from visavis.base.clock import Clock, SystemClock
from visavis.errors import InputError
from visavis.outputs.sample import Sample
from visavis.pipeline import Pipeline
from visavis.reaction.listener import ListenerModel
from visavis.serve.answers import NO_TOKENIZER, OutputLight, encode_error, encode_moment
from visavis.serve.broadcast import Broadcast
from visavis.serve.budget import Intake
from visavis.serve.calibrating import Calibrating
from visavis.serve.inbox import FrameInbox, Waiting
from visavis.serve.jpeg import decode_jpeg
from visavis.serve.listening import AudioInbox
from visavis.serve.load import Counters
from visavis.serve.memory import Memory
from visavis.serve.messages import (
    FaceTokensMessage,
    FrameMessage,
    SettingsMessage,
    SoundMessage,
)
from visavis.serve.protocol import RefusedError
from visavis.serve.resume import ResumeKey
from visavis.serve.taking import Takes, Taking
from visavis.serve.vocabulary import FaceToken, FaceTokenStream, Vocabulary
from visavis.types import Frame

LIGHTS_EVERY_S = 0.5


class Session:
    """One client's stream: an inbox for one frame, and the pipeline that processes it.

    ``process`` runs in one worker thread at a time, everything else in the event loop.

    Args:
        pipeline: the pipeline of only this session.
        clock: measures waiting and work.
        vocabulary: the vocabulary of face tokens; None if there is no tokenizer.
        listener: the listener that the person may use; None if there is none.
        profile_path: file for the person's profile, kept on request; None if no profile may be kept.
        broadcast: passes on what the session shows; None passes nothing on.
        name: name under which viewer pages may watch the session; empty if they may not.
        takes: keeps the session's recordings until it ends; None if it may not be recorded.
        key: signs the tokens with which the client can go on elsewhere.
        counters: counts the frames of the whole server.

    Attributes:
        calibrating: the person's guided calibration and profile.
        taking: records the session on request.
        intake: limits what the client may send.
        inbox: holds the newest frame.
        ear: holds the newest sound, and whether the avatar listens.
        memory: the tokens with which the client can go on elsewhere.
        replaced: set when the client has come back with a token, in another session.
        expressed: the expression that the client chose; None for the person's own.
        refused: number of unusable frames (damaged, or out of order).
    """

    def __init__(
        self,
        pipeline: Pipeline,
        clock: Clock | None = None,
        vocabulary: Vocabulary | None = None,
        listener: ListenerModel | None = None,
        profile_path: Path | None = None,
        broadcast: Broadcast | None = None,
        name: str = "",
        takes: Takes | None = None,
        key: ResumeKey | None = None,
        counters: Counters | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.broadcast = broadcast or Broadcast()
        self.taking = Taking(takes)
        self._name = name
        self._lights: tuple[OutputLight, ...] = ()
        self.calibrating = Calibrating(pipeline, profile_path)
        self.vocabulary = vocabulary
        self.reads_expressions = pipeline.read_expressions
        self.drops_tokens = pipeline.drops_tokens
        self.refused = 0
        self.expressed: str | None = None
        self.replaced = asyncio.Event()
        self._clock = clock or SystemClock()
        self.intake = Intake(self._clock)
        self.inbox = FrameInbox(self._clock, counters)
        self.memory = Memory(key or ResumeKey.of_environment(), self._clock)
        self.ear = AudioInbox(listener, self._clock)
        self._at_work = threading.Lock()
        self._leaving = self._closed = False
        self.settings = SettingsMessage(self.reads_expressions, pipeline.mirror)
        self._calibrate = False
        self._speaker: FaceTokenStream | None = None
        self._last_time_s = -1.0
        self._lights_s = -LIGHTS_EVERY_S
        self._frames = 0

    def configure(self, wanted: SettingsMessage) -> SettingsMessage:
        """Store settings for the next frame; returns the accepted settings."""
        self.settings = SettingsMessage(wanted.read_expressions and self.reads_expressions, wanted.mirror)
        return self.settings

    def express(self, label: str | None) -> None:
        """Let the avatar show this expression from the next frame on; None shows the person's own again."""
        self.pipeline.express(label)
        self.expressed = label

    def hear(self, message: SoundMessage) -> None:
        """Take sound; see :meth:`~visavis.serve.listening.AudioInbox.hear`."""
        self.ear.hear(message, self._last_time_s if self._frames else None)

    @property
    def shows_tokens(self) -> bool:
        """Whether face tokens are reported."""
        return self._speaker is not None

    def show_tokens(self, wish: FaceTokensMessage) -> FaceTokensMessage:
        """Report face tokens from the next frame on, as at a stream's beginning, or stop reporting them.

        Raises:
            RefusedError: there is no tokenizer.
        """
        if not wish.on:
            self._speaker = None
        elif self.vocabulary is None:
            raise RefusedError("no_tokenizer", NO_TOKENIZER)
        elif self._speaker is None:
            self._speaker = FaceTokenStream(self.vocabulary)
        return wish

    def calibrate(self) -> None:
        """Use the next frame's face as the neutral face."""
        self._calibrate = True

    def close(self) -> None:
        """Free the pipeline as soon as no frame is being processed; never waits for it."""
        self._leaving = True
        self._free()

    def _free(self) -> None:
        if self._leaving and self._at_work.acquire(blocking=False):
            with closing(self.taking):
                if not self._closed:
                    self._closed = True
                    self.pipeline.close()
            self._at_work.release()

    def process(self, waiting: Waiting) -> str:
        """The answer to one frame, as JSON text."""
        try:
            with self._at_work:
                return self._answer(waiting)
        finally:
            self._free()

    def _answer(self, waiting: Waiting) -> str:
        message, start_s = waiting.message, self._clock.now_s()
        speaker, self.pipeline.read_expressions = self._speaker, self.settings.read_expressions
        self.pipeline.space_expressions(waiting.spacing)
        try:
            frame = self._decode(message)
            self._prepare()
            decoded_s = self._clock.now_s()
            moment = self.pipeline.step(frame)
        except InputError as error:
            self.refused += 1
            return encode_error("bad_frame", f"{error} ({self.refused} refused so far)", message.id)
        sample = Sample.of(moment)
        mirrored = self.pipeline.mirror and self.pipeline.listener is None  # A listener never mirrors.
        self.broadcast.show(self, self._name, sample, mirrored)
        self.taking.see(moment)
        self.inbox.attention.see(moment)
        if self.memory.due():
            self.memory.learned = self.pipeline.learned or self.memory.learned
        timings_ms = {
            "wait": 1e3 * (start_s - waiting.since_s),
            "decode": 1e3 * (decoded_s - start_s),
            **moment.timings_ms,
        }
        token: FaceToken | None = None
        if speaker is not None:
            before_s = self._clock.now_s()
            token = speaker.say(moment.faces)
            timings_ms["face_token"] = 1e3 * (self._clock.now_s() - before_s)
        listener = self.pipeline.listener
        return encode_moment(
            moment,
            message.id,
            timings_ms,
            self.inbox.dropped,
            self._calibrated(),
            token,
            hears=None if listener is None else listener.hears,
            guiding=self.calibrating.see(self.pipeline, moment.faces, frame.time_s),
            lights=self._changed_lights(),
            state=sample.state,
        )

    def _prepare(self) -> None:
        """Give the pipeline what came before a frame; without frames that consume it, sound would pile up."""
        self.ear.apply_to(self.pipeline)
        self.pipeline.mirror = self.settings.mirror
        if self.memory.recalled is not None:
            self.pipeline.recall(self.memory.recalled)
            self.memory.recalled = None

    def _changed_lights(self) -> tuple[OutputLight, ...] | None:
        """The outputs' lights, looked up twice a second; None if they are as before."""
        now_s = self._clock.now_s()
        if now_s < self._lights_s + LIGHTS_EVERY_S:
            return None
        self._lights_s = now_s
        lights = self.broadcast.lights(self)
        if lights == self._lights:
            return None
        self._lights = lights
        return lights

    def _decode(self, message: FrameMessage) -> Frame:
        if message.time_s <= self._last_time_s:
            raise InputError(
                f"a frame's time is {message.time_s:.3f} s after one of {self._last_time_s:.3f} s;"
                " times must increase"
            )
        image = decode_jpeg(message.jpeg, f"frame {message.id}")
        self._last_time_s = message.time_s
        self._frames += 1
        return Frame(image, message.time_s, self._frames - 1)

    def _calibrated(self) -> bool | None:
        """Whether the requested calibration succeeded; None if none was requested."""
        if not self._calibrate:
            return None
        self._calibrate = False
        return self.pipeline.calibrate()
