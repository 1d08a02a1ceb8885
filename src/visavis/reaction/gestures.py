"""Smiles, nods and raised brows in a track of a face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from visavis.base.arrays import as_float32
from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.reaction.speech import FRAME_RATE_HZ
from visavis.types import FloatArray

SMILE, NOD, BROWS = "smile", "nod", "raised brows"
# Smallest rises that count; faces make smaller ones all the time. A weight, radians (2 degrees), a weight.
LEAST_SMILE, LEAST_NOD, LEAST_BROWS = 0.1, 0.035, 0.1
# In a nod, the head goes down, and half of the way up again, within these times: nods have 1.8 Hz and more
# (Hadar, Steiner, Grant and Rose 1983, Human Movement Science 2:35-46). Slower movements are turns.
NOD_DOWN, NOD_UP = round(0.4 * FRAME_RATE_HZ), round(0.4 * FRAME_RATE_HZ)
# Nods that follow each other within this time are one nod of several cycles.
NOD_APART = round(0.6 * FRAME_RATE_HZ)
# A movement starts where it has gone a fifth of its way; before that, it may be noise.
_STARTED = 0.2
# Running means, in frames: a drawn face trembles from frame to frame.
_SLOW, _FAST = 5, 3


@dataclass(frozen=True, slots=True)
class Gesture:
    """A movement of a face.

    Attributes:
        kind: :data:`SMILE`, :data:`NOD` or :data:`BROWS`.
        start: the last frame at rest.
        peak: the later frame at which the movement is largest; for a nod, within its first cycle.
        size: how much the movement rises from start to peak: a weight, or radians for a nod.
    """

    kind: str
    start: int
    peak: int
    size: float


def find_gestures(face: FloatArray) -> list[Gesture]:
    """All gestures of a track, sorted by their starts.

    Args:
        face: (T, 58) at 25 Hz; rows with NaN repeat the row before.

    Raises:
        InputError: the array has another shape or infinite values.
    """
    known = _without_gaps(as_float32("faces", face, (None, len(FACE_CHANNELS)), allow_nan=True))
    if not len(known):
        return []
    found = [
        *_rises(_mean(smile_of(known), _SLOW), LEAST_SMILE, SMILE),
        *_rises(_mean(brows_of(known), _SLOW), LEAST_BROWS, BROWS),
        *_nods(_mean(lowered_of(known), _FAST)),
    ]
    return sorted(found, key=lambda gesture: (gesture.start, gesture.kind))


def smile_of(face: FloatArray) -> FloatArray:
    """The weight (T,) of a smile from (T, 58): both corners of the mouth, as in action unit 12."""
    return _channels(face, "mouthSmileLeft", "mouthSmileRight")


def brows_of(face: FloatArray) -> FloatArray:
    """The weight (T,) of raised brows from (T, 58): inner and outer brows, as in action units 1 and 2."""
    return _channels(face, "browInnerUp", "browOuterUpLeft", "browOuterUpRight")


def lowered_of(face: FloatArray) -> FloatArray:
    """The radians (T,) by which the nose points down, from (T, 58)."""
    return -_channels(face, "pitch")


def _channels(face: FloatArray, *names: str) -> FloatArray:
    return np.asarray(face[:, [FACE_INDEX[name] for name in names]].mean(axis=1), np.float32)


def _without_gaps(face: FloatArray) -> FloatArray:
    """Rows with NaN repeat the row before, the first ones the first known row; empty without any."""
    there = np.flatnonzero(~np.isnan(face).any(axis=1))
    if not there.size:
        return face[:0]
    last = np.searchsorted(there, np.arange(len(face)), side="right") - 1
    return face[there[np.maximum(last, 0)]]


def _mean(values: FloatArray, frames: int) -> FloatArray:
    """The running mean; the first and the last value are repeated beyond the ends."""
    padded = np.pad(values, frames // 2, mode="edge")
    return np.asarray(sliding_window_view(padded, frames).mean(axis=1), np.float32)


def _rises(values: FloatArray, least: float, kind: str) -> Iterator[Gesture]:
    """Each rise of at least this size from a minimum to a maximum, before a fall of the same size."""
    low = high = 0
    rising = False
    for frame, value in enumerate([*values.tolist(), -np.inf]):
        if rising:
            if value > values[high]:
                high = frame
            elif value < values[high] - least:
                size = float(values[high] - values[low])
                still = np.flatnonzero(values[low:high] <= values[low] + _STARTED * size)
                yield Gesture(kind, low + int(still[-1]), high, size)
                rising, low = False, frame
        elif value < values[low]:
            low = frame
        elif value > values[low] + least:
            rising, high = True, frame


def _nods(lowered: FloatArray) -> Iterator[Gesture]:
    """Quick downward movements of the head that are quickly reversed."""
    quick = [
        dip
        for dip in _rises(lowered, LEAST_NOD, NOD)
        if dip.peak - dip.start <= NOD_DOWN
        and lowered[dip.peak : dip.peak + NOD_UP + 1].min() <= lowered[dip.peak] - dip.size / 2
    ]
    yield from quick[:1]
    yield from (dip for before, dip in pairwise(quick) if dip.start - before.peak > NOD_APART)
