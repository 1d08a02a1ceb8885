"""Moving a person's faces to another neutral face.

People differ more from each other than most faces differ from the same person's neutral face. To use its
tokens for movements and not for identity, a tokenizer is trained on faces with one neutral face.
"""

from __future__ import annotations

import warnings

import numpy as np

from visavis.channels import FACE_CHANNELS
from visavis.types import FloatArray

# A person's usual face is the mean of this many frames: 20 s at 25 Hz. A lasting face becomes usual.
MEMORY_FRAMES = 500


def resting(face: FloatArray) -> FloatArray:
    """The neutral face of a whole clip: (T, 58) -> (58,), the median of each channel, NaN if never known."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        rest: FloatArray = np.nanmedian(np.asarray(face, np.float32), axis=0)
    return rest


def as_seen(face: FloatArray, rest: FloatArray | None) -> FloatArray:
    """A whole clip (T, 58) of a person as a listener sees it: frame by frame, without later frames.

    Args:
        face: (T, 58) face of the person.
        rest: (58,) the neutral face that faces are moved to; None leaves faces unchanged.
    """
    if rest is None or not len(face):
        return face
    person = RunningNeutralFace(rest)
    return np.stack([person.moved(frame) for frame in face])


class RunningNeutralFace:
    """The usual face of a person in a stream, from the frames up to now.

    Args:
        rest: (58,) the neutral face that faces are moved to.
    """

    def __init__(self, rest: FloatArray) -> None:
        self._rest = np.asarray(rest, np.float64)
        self.reset()

    def reset(self) -> None:
        """Forget the person, as before the first frame."""
        self._mean = np.zeros(len(FACE_CHANNELS))
        self._frames = np.zeros(len(FACE_CHANNELS))

    def moved(self, face: FloatArray) -> FloatArray:
        """The next frame (58,), moved; NaN where not known, which does not change the usual face."""
        known = np.isfinite(face)
        self._frames[known] += 1
        weight = 1 / np.minimum(self._frames[known], MEMORY_FRAMES)
        self._mean[known] += (face[known] - self._mean[known]) * weight
        return np.asarray(face - self._mean + self._rest, np.float32)
