"""Calibration of one person's neutral face: resting brows, open and closed eyelids, head pose.

Trackers give neutral faces values other than 0: on real clips, the median of browInnerUp is between 0 and
0.8, and of an open eye's eyeBlink between 0.02 and 0.35, depending on the person. So all levels are measured
during a run, starting from a common prior, and can be set by hand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from visavis.avatar.easing import follow
from visavis.types import FloatArray


@dataclass(frozen=True, slots=True)
class Rest:
    """How to find one channel's resting level.

    Attributes:
        quantile: the level is this quantile of the last seconds.
        prior: the level assumed before anything is seen.
        highest: levels further from 0 than this are not trusted.
    """

    quantile: float
    prior: float
    highest: float


# Resting position of the eyes sideways; a camera at the side of the screen shifts it.
GAZE_X = "gazeX"
WEIGHTS_AT_REST = {
    GAZE_X: Rest(0.5, 0.0, 0.6),
    "eyeBlinkLeft": Rest(0.25, 0.1, 0.45),
    "eyeBlinkRight": Rest(0.25, 0.1, 0.45),
    "eyeLookDownLeft": Rest(0.5, 0.12, 0.35),
    "eyeLookDownRight": Rest(0.5, 0.12, 0.35),
    "browDownLeft": Rest(0.5, 0.05, 0.5),
    "browDownRight": Rest(0.5, 0.05, 0.5),
    "browInnerUp": Rest(0.5, 0.15, 0.8),
    "browOuterUpLeft": Rest(0.5, 0.1, 0.7),
    "browOuterUpRight": Rest(0.5, 0.1, 0.7),
}


class RestingLevels:
    """Running quantiles of some channels over the last 20 s.

    Args:
        channels: channels to measure, by name.
    """

    SAMPLE_S = 0.1
    WINDOW = 200
    # The prior counts as much as this many samples; after a second or two, measured samples outweigh it.
    PRIOR_SAMPLES = 4
    SETTLE_S = 0.25
    # A level that was measured on purpose may change by at most this share of the highest level.
    HELD = 0.5

    def __init__(self, channels: Mapping[str, Rest]) -> None:
        self._names = tuple(channels)
        rests = channels.values()
        self._quantile = np.asarray([r.quantile for r in rests])
        self._prior = np.asarray([r.prior for r in rests], np.float32)
        self._highest = np.asarray([r.highest for r in rests], np.float32)
        self.reset()

    def reset(self) -> None:
        """Back to the priors."""
        self._low, self._high = -self._highest, self._highest
        self._samples: deque[FloatArray] = deque([self._prior] * self.PRIOR_SAMPLES, self.WINDOW)
        self._goal = self._levels = self._prior.tolist()
        self._sampled_s: float | None = None
        self._last_s: float | None = None

    @property
    def levels(self) -> dict[str, float]:
        """The levels that are learned so far, by name."""
        return dict(zip(self._names, self._goal, strict=True))

    def set(self, values: Mapping[str, float]) -> None:
        """Use these values as the resting levels; newer samples replace them gradually."""
        self._low, self._high = -self._highest, self._highest
        row = np.asarray([values[name] for name in self._names], np.float32)
        self._samples.extend([row] * self.WINDOW)
        self._goal = self._levels = self._believed(row)

    def begin(self, values: Mapping[str, float], samples: int) -> None:
        """Use these values instead of the priors, with the same weight."""
        row = np.asarray([values[name] for name in self._names], np.float32)
        self._samples = deque([row] * samples, self.WINDOW)
        self._goal = self._levels = self._believed(row)

    def hold(self, values: Mapping[str, float]) -> None:
        """Use these values, and ignore levels that differ by more than half of the possible range."""
        self.set(values)
        row, room = np.asarray(self._goal, np.float32), self.HELD * self._highest
        self._low, self._high = row - room, row + room

    def update(self, values: Mapping[str, float], time_s: float) -> dict[str, float]:
        """Learn from one moment and give the levels by name."""
        if self._sampled_s is None or not 0.0 <= time_s - self._sampled_s < self.SAMPLE_S:
            self._sampled_s = time_s
            self._samples.append(np.asarray([values[name] for name in self._names], np.float32))
            self._goal = self._quantiles()
        elapsed_s = 0.0 if self._last_s is None else time_s - self._last_s
        self._last_s = time_s
        self._levels = [
            follow(level, goal, elapsed_s, self.SETTLE_S)
            for level, goal in zip(self._levels, self._goal, strict=True)
        ]
        return dict(zip(self._names, self._levels, strict=True))

    def _quantiles(self) -> list[float]:
        ordered = np.sort(np.stack(self._samples), axis=0)
        rank = np.round(self._quantile * (len(ordered) - 1)).astype(np.intp)
        return self._believed(ordered[rank, np.arange(len(self._names))])

    def _believed(self, levels: FloatArray) -> list[float]:
        believed: list[float] = np.clip(levels, self._low, self._high).tolist()
        return believed


class ClosedLevel:
    """The value that eyeBlink reaches when this person's eyes shut: a slowly decaying maximum.

    On real clips blinks peak between 0.5 and 0.85.
    """

    PRIOR = 0.52
    FORGET_S = 30.0
    # Smallest difference between open and shut.
    SPAN = 0.3

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Back to the prior."""
        self._peak = self._usual = self.PRIOR
        self._last_s: float | None = None

    @property
    def level(self) -> float:
        """The level that is learned so far."""
        return self._peak

    def hold(self, level: float) -> None:
        """Use this value as the level."""
        self._peak = self._usual = level

    def update(self, blink: float, open_level: float, time_s: float) -> float:
        """Learn from one moment and give the level."""
        elapsed_s = 0.0 if self._last_s is None else time_s - self._last_s
        self._last_s = time_s
        self._peak = max(follow(self._peak, self._usual, elapsed_s, self.FORGET_S), blink)
        return max(self._peak, open_level + self.SPAN)


class NeutralHead:
    """The pose in which this person faces the screen: yaw, pitch, roll in degrees, sideways position in cm.

    A slow mean that trusts poses near itself (Cauchy weights), fast at first and within limits. So it adapts
    to a camera at the side of or below the screen, while a turned head stays turned.
    """

    QUICK_S = 2.0
    SLOW_S = 60.0
    NEAR = np.asarray([10.0, 10.0, 8.0, 20.0])
    LIMIT = np.asarray([12.0, 22.0, 8.0, 60.0])

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Back to facing the camera."""
        self._neutral = np.zeros(4)
        self._known = False
        self._seen_s = 0.0
        self._last_s: float | None = None

    @property
    def pose(self) -> list[float]:
        """The neutral pose that is learned so far."""
        neutral: list[float] = self._neutral.tolist()
        return neutral

    def set(self, pose: FloatArray, seen_s: float = SLOW_S) -> None:
        """Use this pose (4,) as neutral, as if it had been seen for this time."""
        self._neutral = np.clip(pose, -self.LIMIT, self.LIMIT)
        self._known = True
        self._seen_s = seen_s

    def update(self, pose: FloatArray, time_s: float) -> FloatArray:
        """Learn from one pose (4,) and give it relative to neutral (4,)."""
        elapsed_s = 0.0 if self._last_s is None else min(max(time_s - self._last_s, 0.0), 0.5)
        if not self._known:
            # Few people sit exactly in front of the camera, so the first pose is used as the neutral one.
            self.set(pose, 0.0)
        self._last_s = time_s
        self._seen_s += elapsed_s
        trust = 1.0 / (1.0 + ((pose - self._neutral) / self.NEAR) ** 2)
        rate = elapsed_s / min(self.QUICK_S + self._seen_s, self.SLOW_S)
        self._neutral = np.clip(
            self._neutral + rate * trust * (pose - self._neutral), -self.LIMIT, self.LIMIT
        )
        return np.asarray(pose - self._neutral, np.float32)
