"""The server's load: how often expressions are read and pictures come, and whether one more session fits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from visavis.base.clock import Clock
from visavis.pipeline import Moment
from visavis.types import FloatArray

FULL_FPS = 30.0
LEAST_FPS = 8.0
# Below this rate, new sessions are refused: those that are there would suffer.
ADMIT_FPS = 12.0
# The rate falls when the slowest tenth of the answers takes longer than the first time, and rises when it
# takes less than the second.
SLOW_S, QUICK_S = 0.08, 0.05
FALL, RISE = 0.85, 1.06
# Before the rate falls, expressions are read more rarely, up to this many times.
MOST_SPACING = 4.0
LOOK_EVERY_S = 0.5
FEWEST = 5  # answers for a judgement
RETRY_S = 10
# With nobody in view for this long, or a face that does not move, fewer pictures suffice.
NOBODY_S, NOBODY_FPS = 2.0, 5.0
STILL_S, STILL_FPS = 4.0, 12.0
# Weights and angles (radians) of a still face change by less than this: those of pictures with camera noise
# by 0.01 to 0.06 in 4 s, those of people on four clips by 0.4 or more.
STILL = 0.06
# A rate is announced again only if it differs by this share.
NEWS = 0.1


@dataclass(slots=True)
class Counters:
    """What the server has done since its start; changed in the event loop only.

    Attributes:
        admitted: number of sessions that began, with ``resumed`` ones.
        resumed: number of sessions that went on with a token.
        refused: number of refused sessions by reason: ``full``, ``load``, ``stopping``.
        dropped: number of dropped frames by reason: ``newer`` (replaced by a newer one), ``rate`` (the client
            sends too much).
        bad: number of frames that could not be used.
        stalled: number of frames that were given up after :data:`~visavis.serve.connection.STALL_S`.
    """

    admitted: int = 0
    resumed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    bad: int = 0
    stalled: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """The rate at which a client should send pictures.

    Attributes:
        fps: pictures a second, at most.
        why: ``full``, ``load`` (the server is busy), ``nobody`` (no face in view) or ``still``.
    """

    fps: float
    why: str


class Load:
    """Measures how long answers take, and slows all sessions alike if they take too long.

    First, expressions are read more rarely; if that is not enough, fewer pictures are answered. When answers
    are quick again, both come back in the other order.

    Args:
        clock: measures time.

    Attributes:
        fps: pictures a second that each session may have answered.
        spacing: expressions are read this many times more rarely than usual.
        sessions: number of sessions; one alone is never slowed, since that would help nobody.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.sessions = 0
        self.reset()

    def reset(self) -> None:
        """As before the first answer."""
        self.fps, self.spacing = FULL_FPS, 1.0
        self._latencies_s: list[float] = []
        self._looked_s = self._clock.now_s()

    def answered(self, latency_s: float) -> None:
        """Take the time from a picture's arrival to its answer."""
        now_s = self._clock.now_s()
        self._latencies_s.append(latency_s)
        if now_s < self._looked_s + LOOK_EVERY_S or len(self._latencies_s) < FEWEST:
            return
        slow_s = float(np.quantile(self._latencies_s, 0.9))
        if slow_s > SLOW_S and self.sessions > 1:
            if self.spacing < MOST_SPACING:
                self.spacing = min(2 * self.spacing, MOST_SPACING)
            else:
                self.fps = max(self.fps * FALL, LEAST_FPS)
        elif slow_s < QUICK_S or self.sessions <= 1:
            if self.busy:
                self.fps = min(self.fps * RISE, FULL_FPS)
            else:
                self.spacing = max(self.spacing / RISE, 1.0)
        self._latencies_s.clear()
        self._looked_s = now_s

    @property
    def busy(self) -> bool:
        """Whether fewer pictures are answered."""
        return self.fps < FULL_FPS

    @property
    def admits(self) -> bool:
        """Whether one more session fits. Without answers for a while, nothing is known against it."""
        return self.fps >= ADMIT_FPS or self._clock.now_s() > self._looked_s + RETRY_S


class Attention:
    """Tells how often one session's pictures are needed: less often while nobody is there or moves."""

    def __init__(self) -> None:
        self.why = "full"
        self._there_s: float | None = None
        self._moved_s = 0.0
        self._last: FloatArray | None = None

    def see(self, moment: Moment) -> None:
        """Take the newest moment. A listener needs every picture."""
        now_s, face = moment.frame.time_s, moment.face
        if face is not None or self._there_s is None:
            self._there_s = now_s
        values = None if face is None else np.concatenate([face.state.weights, face.state.head_rad])
        if values is None or self._last is None or np.abs(values - self._last).max() > STILL:
            self._moved_s, self._last = now_s, values
        if "listen" in moment.timings_ms:
            self.why = "full"
        elif now_s - self._there_s > NOBODY_S:
            self.why = "nobody"
        else:
            self.why = "still" if now_s - self._moved_s > STILL_S and face is not None else "full"

    def pace(self, load: Load) -> Pace:
        """The rate that the session should have."""
        wished = {"full": FULL_FPS, "nobody": NOBODY_FPS, "still": STILL_FPS}[self.why]
        return Pace(round(load.fps, 1), "load") if load.fps < wished else Pace(wished, self.why)


def is_news(new: Pace, old: Pace) -> bool:
    """Whether a client should be told of a rate."""
    return new.why != old.why or abs(new.fps - old.fps) > NEWS * old.fps
