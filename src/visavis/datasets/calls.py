"""Reader of calls: four signals of both people of each call.

The file is one ``.npz`` with an array (T, 2, 4) for each call, named by its pair of people as
``s<pair>_<anything>``: 30 frames a second, two participants, and the signals
:data:`~visavis.reaction.signals.SIGNALS`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visavis.base.arrays import as_float32
from visavis.base.files import PathText, as_path
from visavis.base.npz import read_npz
from visavis.errors import InputError
from visavis.reaction.signals import MOTION, SIGNALS
from visavis.types import FloatArray

CALL_RATE_HZ = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of two people.

    Attributes:
        name: such as ``s11_240p``.
        signals: (T, 2, 4) float32: frames, participants, AU06 and AU12 (0..5), motion (0 or more), gaze
            region (0..3).
    """

    name: str
    signals: FloatArray

    def __post_init__(self) -> None:
        shape = (None, 2, len(SIGNALS))
        signals = as_float32(f"call {self.name}", self.signals, shape)
        if not len(signals):
            raise InputError(f"call {self.name} holds no frame")
        if (motion := signals[..., MOTION]).min() < 0:
            frame = int(np.argwhere(motion < 0)[0, 0])
            raise InputError(
                f"call {self.name} has a motion of {motion[frame].min():g} in frame {frame}; expected "
                "changed pixels, 0 or more"
            )
        object.__setattr__(self, "signals", signals)

    @property
    def pair(self) -> str:
        """The pair of people; calls of one pair have the same."""
        return self.name.split("_")[0]

    def slowed(self, frames: int) -> FloatArray:
        """Means (T / frames, 2, 4) of this many frames, with the last gaze region; the rest is cut off."""
        length = len(self.signals) // frames
        blocks = self.signals[: length * frames].reshape(length, frames, 2, len(SIGNALS))
        result: FloatArray = blocks.mean(axis=1)
        result[..., -1] = blocks[:, -1, :, -1]
        return result


def read_calls(path: PathText) -> tuple[Call, ...]:
    """Read a file of calls.

    Raises:
        InputError: the file is missing, damaged or empty, or an array is not a call; the message names it.
    """
    path = as_path(path)
    arrays = read_npz(path, "file of calls")
    if not arrays:
        raise InputError(f"{path}: holds no call; expected arrays (T, 2, {len(SIGNALS)})")
    try:
        return tuple(Call(name, array) for name, array in arrays.items())
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
