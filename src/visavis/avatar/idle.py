"""Idle motion of an avatar that nobody drives: blinks, glances, breath and a slow sway.

Everything is a pure function of the seed and the time, so any frame can be made alone, in any order.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from visavis.avatar.easing import ease

# How open a relaxed eye is; the rest of the range is for widened eyes.
RELAXED_OPEN = 0.9
# Each slot has one blink at a random time, so blinks come every 4 s on average (0.5 to 7.5 s).
BLINK_SLOT_S = 4.0
BLINK_CLOSE_S, BLINK_HOLD_S, BLINK_OPEN_S = 0.10, 0.05, 0.15
BREATH_S = 3.2
GLANCE_SLOT_S = 2.7
GLANCE_MOVE_S = 0.12
GLANCE_REACH = (0.28, 0.14)


def breath(time_s: float) -> float:
    """ParamBreath, 0..1, over a cycle of 3.2 s that starts with empty lungs."""
    return 0.5 - 0.5 * math.cos(2 * math.pi * time_s / BREATH_S)


class IdleMotion:
    """The movements that the avatar makes by itself.

    Args:
        seed: random seed of the blinks and glances; the same seed gives the same motion.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._draw = lru_cache(maxsize=8)(self._draw_uncached)

    def at(self, time_s: float) -> dict[str, float]:
        """Head, eyes and gaze at a moment; unnamed parameters are at rest."""
        eyes_open = RELAXED_OPEN * (1.0 - self.blink(time_s))
        gaze_x, gaze_y = self._glance(time_s)
        return {
            "ParamAngleX": _sway(time_s, 3.4, 7.3, 0.0) + 4.0 * gaze_x,
            "ParamAngleY": _sway(time_s, 1.8, 5.9, 1.1) + 3.0 * gaze_y,
            "ParamAngleZ": _sway(time_s, 2.6, 8.7, 2.3),
            "ParamEyeLOpen": eyes_open,
            "ParamEyeROpen": eyes_open,
            "ParamEyeBallX": gaze_x,
            "ParamEyeBallY": gaze_y,
        }

    def blink(self, time_s: float) -> float:
        """How far the lids are closed, 0..1."""
        slot = math.floor(time_s / BLINK_SLOT_S)
        latest_s = BLINK_SLOT_S - 0.5
        since_s = time_s - slot * BLINK_SLOT_S - latest_s * self._draw("blink", slot)[0]
        if since_s < BLINK_CLOSE_S:
            return ease(since_s / BLINK_CLOSE_S)
        return 1.0 - ease((since_s - BLINK_CLOSE_S - BLINK_HOLD_S) / BLINK_OPEN_S)

    def _glance(self, time_s: float) -> tuple[float, float]:
        slot = math.floor(time_s / GLANCE_SLOT_S)
        moved = ease((time_s - slot * GLANCE_SLOT_S) / GLANCE_MOVE_S)
        before, after = self._draw("glance", slot - 1), self._draw("glance", slot)
        x, y = (
            reach * (2.0 * (a + (b - a) * moved) - 1.0)
            for reach, a, b in zip(GLANCE_REACH, before, after, strict=True)
        )
        return x, y

    def _draw_uncached(self, what: str, slot: int) -> tuple[float, float]:
        key = (self._seed, len(what), slot % 2**32)
        first, second = np.random.default_rng(key).random(2).tolist()
        return first, second


def _sway(time_s: float, reach: float, period_s: float, phase: float) -> float:
    """The sum of two sines whose periods have no simple ratio, so it never visibly repeats."""
    slow = 2 * math.pi * time_s / period_s + phase
    return reach * (0.7 * math.sin(slow) + 0.3 * math.sin(slow * 1.618 + phase))
