"""Landmarks of a face and its head angles in, what a viewer sees of it out: how wide, high and open it is.

A turned head is turned to the front first: a point of known depth has one place on the front view that the
camera sees where the landmark is. Depths are those of the mean of 6,000 real faces.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visavis.channels import FACE_MEASURES
from visavis.face.geometry import rotation_from_euler
from visavis.face.smoothing import EYES, WEIGHTS, OneEuroFilter
from visavis.types import FloatArray, NumberArray

# MediaPipe's number of each point that is needed: its depth before the outer eye corners, in the same shares.
DEPTHS = {33: 0.0, 263: 0.0, 133: 0.057, 362: 0.057, 61: 0.075, 291: 0.075, 13: 0.238, 14: 0.225}
DEPTHS |= {159: 0.087, 145: 0.078, 386: 0.087, 374: 0.078, 468: 0.058, 473: 0.058}
BROW_DEPTHS = (0.078, 0.15, 0.215, 0.246)
RIGHT_BROW, LEFT_BROW = (63, 105, 66, 107), (293, 334, 296, 336)
DEPTHS |= dict(zip(RIGHT_BROW, BROW_DEPTHS, strict=True)) | dict(zip(LEFT_BROW, BROW_DEPTHS, strict=True))
PLACE = {number: place for place, number in enumerate(DEPTHS)}
DEPTH = np.asarray(list(DEPTHS.values()), np.float64)


class MeasureFilter:
    """Calms the measures of one person's faces; lids and gaze pass fast."""

    def __init__(self) -> None:
        rows = [EYES if name.startswith(("lid", "gaze")) else WEIGHTS for name in FACE_MEASURES]
        cutoff, beta, scale = np.asarray(rows, np.float32).T
        reach = np.asarray([reach for _, reach in FACE_MEASURES.values()], np.float32)
        self._filter = OneEuroFilter(cutoff, beta, scale / reach)

    def update(self, values: FloatArray, time_s: float) -> FloatArray:
        """The next answer of :func:`measure`, smoothed; an empty one ends what was."""
        if len(values):
            return self._filter.update(values, time_s)
        self._filter.reset()
        return values


def measure(landmarks_xy: FloatArray, numbers: NumberArray, head_rad: FloatArray) -> FloatArray:
    """What a viewer sees of a face from the front.

    Args:
        landmarks_xy: (N, 2) in pixels.
        numbers: (N,) which points of MediaPipe's face mesh they are.
        head_rad: (3,) yaw, pitch, roll.

    Returns:
        (11,) in the order and units of :data:`~visavis.channels.FACE_MEASURES`; empty where points are
        missing, or the face is in profile.
    """
    nothing = np.zeros(0, np.float32)
    rows = _rows(numbers.tobytes())
    if rows is None:
        return nothing
    front = to_front(landmarks_xy[rows].astype(np.float64) * (1, -1), head_rad)
    if front is None:
        return nothing
    at = {number: front[place] for number, place in PLACE.items()}
    brows = [np.mean([at[number][1] for number in brow]) for brow in (LEFT_BROW, RIGHT_BROW)]
    eyes = [(at[473], at[362], at[263]), (at[468], at[133], at[33])]
    gaze = np.mean([iris - (inner + outer) / 2 for iris, inner, outer in eyes], axis=0)
    values = (
        np.linalg.norm(at[13] - at[14]),
        np.linalg.norm(at[291] - at[61]),
        at[291][1],
        at[61][1],
        (at[291][0] + at[61][0]) / 2,
        *brows,
        np.linalg.norm(at[386] - at[374]),
        np.linalg.norm(at[159] - at[145]),
        *gaze,
    )
    return np.asarray(values, np.float32)


def to_front(points: NDArray[np.float64], head_rad: FloatArray) -> NDArray[np.float64] | None:
    """Points (N, 2), in the order of :data:`DEPTHS` with y upward, as a camera before the face sees them.

    Returns:
        (N, 2) in shares of the distance between the outer eye corners, their middle at 0, level; None where
        the head is turned so far that this cannot be told.
    """
    turn = rotation_from_euler(*(float(angle) for angle in head_rad)).astype(np.float64)
    if turn[2, 2] < 0.3:
        return None
    flat = np.linalg.inv(turn[:2, :2])
    middle = (points[PLACE[33]] + points[PLACE[263]]) / 2
    front = (points - middle) @ flat.T
    apart = front[PLACE[263]] - front[PLACE[33]]
    size = float(np.hypot(*apart))
    if size < 1e-6:
        return None
    front -= size * DEPTH[:, None] * (flat @ turn[:2, 2])
    c, s = apart / size
    return np.asarray(front @ np.array([[c, -s], [s, c]]) / size, np.float64)


@lru_cache(maxsize=8)
def _rows(numbers: bytes) -> NDArray[np.intp] | None:
    """Where the needed points stand among landmarks of these numbers."""
    known = {int(number): row for row, number in enumerate(np.frombuffer(numbers, np.int32))}
    if not DEPTHS.keys() <= known.keys():
        return None
    return np.asarray([known[number] for number in DEPTHS], np.intp)
