"""The demonstration clip of every install: a real face that moves.

The face is NASA's public-domain portrait of the astronaut Eileen Collins, moved by a warp (see
``assets/README.md``), so every run has the same frames.
"""

from __future__ import annotations

import io
import math
from collections.abc import Generator
from itertools import chain, islice, repeat

import av
import numpy as np

from visavis.base.assets import read_asset
from visavis.base.closing import Closing
from visavis.errors import InputError
from visavis.types import Frame, ImageArray

PORTRAIT_FILE = "portrait.mp4"
DURATION_S = 12.0
FPS = 25.0


class PortraitClip(Closing):
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
    size = (480, 480)

    def __init__(self, duration_s: float = DURATION_S) -> None:
        if not (math.isfinite(duration_s) and duration_s > 0):
            raise InputError(f"a clip must last more than 0 s; found {duration_s}")
        self.duration_s = duration_s
        self.frame_count_hint: int | None = max(round(duration_s * FPS), 1)
        self._data = read_asset(PORTRAIT_FILE)

    def __iter__(self) -> Generator[Frame, None, None]:
        """The frames, 40 ms apart."""
        rounds = chain.from_iterable(self._pictures() for _ in repeat(None))
        for index, picture in enumerate(islice(rounds, self.frame_count_hint)):
            yield Frame(picture, index / FPS, index)

    def _pictures(self) -> Generator[ImageArray, None, None]:
        """The clip once: (480, 480, 3) uint8 RGB."""
        with av.open(io.BytesIO(self._data), "r") as container:
            for frame in container.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
