"""The two easing curves that every blend of the avatar uses."""

from __future__ import annotations

import math


def ease(progress: float) -> float:
    """Smoothstep: 0 up to 0, 1 from 1 on, level at both ends; ``ease(t) + ease(1 - t) == 1``."""
    t = min(max(progress, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


def follow(current: float, target: float, elapsed_s: float, time_constant_s: float) -> float:
    """First-order lag: the value of ``current`` after it followed ``target`` for ``elapsed_s``."""
    return target + (current - target) * math.exp(-max(elapsed_s, 0.0) / time_constant_s)
