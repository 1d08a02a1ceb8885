"""The demonstration clip of every install: a real face that moves.

The face is NASA's public-domain portrait of the astronaut Eileen Collins (see ``assets/README.md``), moved by
:mod:`visavis.capture.portrait_warp` with a fixed score, so every run has the same frames.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from functools import cache
from itertools import pairwise
from typing import Self

from visavis.base.assets import read_asset
from visavis.capture.image import decode_image
from visavis.capture.portrait_warp import OUTPUT_PX, PortraitGesture, PortraitWarp
from visavis.errors import InputError
from visavis.types import Frame

PORTRAIT_FILE = "portrait.jpg"
DURATION_S = 12.0
FPS = 25.0

BLINKS_S = (0.6, 3.0, 6.66, 11.5)
WINK_S = 10.35
# The values of each part of a Gesture as seconds:value, with eased transitions. Each part ends with its first
# value, so the clip can be looped.
SCORE: Mapping[str, str] = {
    # Smile and mouth: at rest, a smile, talk, surprise, a frown, laughter, at rest.
    "relax": "0:1 1:1 1.7:0 4.5:0 5:0.8 8.4:0.9 9:0 11:0 11.8:1",
    "lips": (
        "0:1 1:1 1.6:0 4.6:0 5:0.7 5.1:0.3 6.6:0.3 6.75:0.9 6.9:0.9 7.1:0 7.9:0 8.2:1 8.6:1 9.1:0 11:0 11.7:1"
    ),
    # Syllables from 5 s, surprise at 7.2 s, laughter at 9.3 s.
    "jaw": (
        "0:0 5:0 5.15:0.5 5.32:0.06 5.5:0.6 5.68:0.15 5.85:0.45 6.02:0 6.2:0.55 6.38:0.1 6.55:0.45 "
        "6.75:0 6.95:0 7.25:0.7 7.8:0.6 8.15:0 9.1:0 9.35:0.5 9.6:0.25 9.85:0.5 10.3:0"
    ),
    "brows": "0:0 4.9:0 5.2:0.5 5.8:0 6.9:0 7.2:1 7.9:0.9 8.3:-1 8.7:-1 9.1:0.2 10.5:0",
    # A look to both sides: the eyes lead, the head follows.
    "gaze_x": "1.8:0 1.95:0.9 2.5:0.2 3.05:0.2 3.15:-0.9 3.9:-0.1 4.4:0",
    "yaw": "1.9:0 2.6:0.42 3:0.42 3.9:-0.42 4.2:-0.42 4.8:0",
    "pitch": (
        "0:0 5:0 5.3:-0.12 5.65:0.05 6.1:-0.1 6.6:0.02 7.3:0.12 7.8:0.1 8.4:-0.14 9.2:0 9.5:0.1 10.2:0"
    ),
    "roll": "4.8:0 5.6:0.08 6.6:-0.05 7.2:0 8.9:0 9.6:0.17 10.9:0.12 11.8:0",
    "x": "0:0 4.8:0 6.2:-7 8:5 9.6:9 11.8:0",
    "y": "7:0 7.4:-3 8.4:4 9.4:0",
    "scale": "6.8:0 8.4:0.09 9.6:0.03 11.8:0",
}


Keys = tuple[tuple[float, float], ...]


@cache
def _score() -> Mapping[str, Keys]:
    """The score as keys (seconds, value), blinks included."""
    score = {
        part: tuple((float(t), float(v)) for t, v in (key.split(":") for key in keys.split()))
        for part, keys in SCORE.items()
    }
    blinks = tuple(key for start_s in BLINKS_S for key in _shutting(start_s, 0.04))
    return score | {
        "blink_right": blinks,
        "blink_left": tuple(sorted((*blinks, *_shutting(WINK_S, 0.27)))),
    }


def _shutting(start_s: float, hold_s: float) -> Keys:
    return (start_s, 0.0), (start_s + 0.1, 1.0), (start_s + 0.1 + hold_s, 1.0), (start_s + 0.25 + hold_s, 0.0)


def gesture_at(time_s: float) -> PortraitGesture:
    """The person's gesture at a moment of the score, 0 to 12 s."""
    parts = {part: _eased(keys, time_s) for part, keys in _score().items()}
    # Nobody is completely still: a slow drift with whole periods in the clip.
    turn = 2 * math.pi * time_s / DURATION_S
    parts["yaw"] += 0.02 * math.sin(3 * turn)
    parts["pitch"] += 0.012 * math.sin(5 * turn)
    parts["roll"] += 0.012 * math.sin(2 * turn)
    return PortraitGesture(**parts)


def _eased(keys: Keys, time_s: float) -> float:
    for (start_s, start), (end_s, end) in pairwise(keys):
        if start_s <= time_s < end_s:
            t = (time_s - start_s) / (end_s - start_s)
            return start + (end - start) * t * t * (3.0 - 2.0 * t)
    return keys[0][1]


class PortraitClip:
    """Twelve seconds of a real face; iterate over it once, inside ``with``.

    Args:
        duration_s: duration of the clip; after 12 s it repeats.

    Raises:
        InputError: the duration is not positive.
        WeightsError: the portrait is missing or was changed.
    """

    name = "the embedded portrait"
    live = False
    fps = FPS
    size = (OUTPUT_PX, OUTPUT_PX)

    def __init__(self, duration_s: float = DURATION_S) -> None:
        if not (math.isfinite(duration_s) and duration_s > 0):
            raise InputError(f"a clip must last more than 0 s; found {duration_s}")
        self.duration_s = duration_s
        self.frame_count_hint: int | None = max(round(duration_s * FPS), 1)
        self._warp = PortraitWarp(decode_image(read_asset(PORTRAIT_FILE), f"assets/{PORTRAIT_FILE}"))

    def __iter__(self) -> Generator[Frame, None, None]:
        """The frames, 40 ms apart."""
        for index in range(self.frame_count_hint or 0):
            time_s = index / FPS
            yield Frame(self._warp.draw(gesture_at(time_s % DURATION_S)), time_s, index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to close."""
