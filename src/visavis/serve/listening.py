"""The listener of one client's pipeline, and the sound that the client sends."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from visavis.base.clock import Clock
from visavis.base.waveform import mono
from visavis.pipeline import Pipeline
from visavis.reaction.listener import ListenerModel
from visavis.reaction.live import LiveListener
from visavis.serve.budget import Budget
from visavis.serve.messages import ListenMessage, SoundMessage
from visavis.serve.protocol import RefusedError
from visavis.types import AudioChunk

NO_LISTENER = (
    "this version of visavis brings no listener: start the server with --listener and the ONNX file of one; "
    "--encoder and --decoder are needed only where its tokenizer is none of the package's"
)
# Sound that is farther from the newest picture than this has another clock.
FARTHEST_S = 5.0
# Sound comes in real time; delayed sound in a network comes all at once.
_PACE, _BURST_S = 1.25, 5.0
# Even a single sample counts as this much sound.
_LEAST_S = 0.005
_MOST_WAITING_S = 5.0


class AudioInbox:
    """One session's listening: ``apply_to`` runs in the worker thread, everything else in the event loop.

    Args:
        networks: networks of the listeners; None if there are none.
        clock: the clock that limits the rate of sound.

    Attributes:
        wish: whether the avatar listens, and which listener it is.
    """

    def __init__(self, networks: ListenerModel | None, clock: Clock) -> None:
        self.networks = networks
        self.wish = ListenMessage(False, 0, None)
        self._waiting: deque[AudioChunk] = deque()
        self._lock = threading.Lock()  # Duration of the waiting sound.
        self._budget = Budget(_PACE, _BURST_S, clock)

    def listen(self, wish: ListenMessage) -> ListenMessage:
        """Listen, or mirror, from the next frame on. A different seed gives a different listener.

        Raises:
            RefusedError: there is no listener.
        """
        if wish.on and self.networks is None:
            raise RefusedError("no_listener", NO_LISTENER)
        self.wish = wish
        return wish

    def hear(self, message: SoundMessage, picture_s: float | None) -> None:
        """Keep sound for the next frame; while mirroring, or before the first picture, sound is dropped.

        Args:
            message: the sound.
            picture_s: time of the newest usable picture; None before the first one.

        Raises:
            RefusedError: the sound comes faster than real time, or its time does not match the pictures.
        """
        if not self.wish.on or picture_s is None:
            return
        length_s = len(message.pcm) / 2 / message.rate_hz
        if self._budget.pay(max(length_s, _LEAST_S)):
            raise RefusedError(
                "too_much_sound",
                "sound comes faster than time passes; send each moment once, in pieces of 10 ms or more",
            )
        if not abs(message.time_s - picture_s) <= FARTHEST_S:
            raise RefusedError(
                "bad_sound",
                f"sound of {message.time_s:.2f} s beside a picture of {picture_s:.2f} s; expected one clock, "
                f"and at most {FARTHEST_S:g} s between them",
            )
        chunk = AudioChunk(mono(np.frombuffer(message.pcm, "<i2")), message.rate_hz, message.time_s)
        with self._lock:
            self._waiting.append(chunk)
            while self._waiting and chunk.time_s - self._waiting[0].time_s > _MOST_WAITING_S:
                self._waiting.popleft()
            while len(self._waiting) > _MOST_WAITING_S / _LEAST_S:
                self._waiting.popleft()

    def apply_to(self, pipeline: Pipeline) -> None:
        """Before a frame: give the pipeline the requested listener and the waiting sound."""
        wish = self.wish
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
        if not wish.on or self.networks is None:
            if pipeline.listener is not None:
                pipeline.listen(None)
            return
        if pipeline.listener is None or pipeline.listener.seed != wish.seed:
            pipeline.listen(LiveListener(self.networks, wish.seed))
        if pipeline.listener is not None:
            pipeline.listener.style = wish.style
        for chunk in waiting:
            pipeline.hear(chunk)
