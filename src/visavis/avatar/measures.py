"""Landmarks of a face and its head angles in, what a viewer sees of it out: how wide, high and open it is.

A turned head is turned to the front first: a point of known depth has one place on the front view that the
camera sees where the landmark is. Depths are those of the mean of 6,000 real faces.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visavis.face.geometry import rotation_from_euler
from visavis.face.smoothing import EYES, WEIGHTS, OneEuroFilter
from visavis.types import Face, FloatArray


class Measure(NamedTuple):
    """One measure of a face from the front, in shares of the distance between the outer eye corners.

    Attributes:
        usual: of an average face at rest.
        reach: how far an expression moves it.
        smoothing: of the One-Euro filter, see :mod:`visavis.face.smoothing`.
    """

    usual: float
    reach: float
    smoothing: tuple[float, float, float]


# Left and right are the person's own; x grows to the image's right and y upward.
MEASURES = {
    "mouthOpening": Measure(0.01, 0.45, WEIGHTS),
    "mouthWidth": Measure(0.57, 0.2, WEIGHTS),
    "mouthCornerLeft": Measure(-0.76, 0.12, WEIGHTS),
    "mouthCornerRight": Measure(-0.76, 0.12, WEIGHTS),
    "mouthAside": Measure(0.0, 0.12, WEIGHTS),
    "browLeft": Measure(0.28, 0.1, WEIGHTS),
    "browRight": Measure(0.28, 0.1, WEIGHTS),
    "lidLeft": Measure(0.1, 0.1, EYES),
    "lidRight": Measure(0.1, 0.1, EYES),
    "gazeX": Measure(0.0, 0.08, EYES),
    "gazeY": Measure(0.02, 0.05, EYES),
}
USUAL = np.asarray([measure.usual for measure in MEASURES.values()], np.float32)
REACH = np.asarray([measure.reach for measure in MEASURES.values()], np.float32)

# MediaPipe's number of each point that is needed: its depth before the outer eye corners, in the same shares.
DEPTHS = {33: 0.0, 263: 0.0, 133: 0.057, 362: 0.057, 61: 0.075, 291: 0.075, 13: 0.238, 14: 0.225}
DEPTHS |= {159: 0.087, 145: 0.078, 386: 0.087, 374: 0.078, 468: 0.058, 473: 0.058}
BROW_DEPTHS = (0.078, 0.15, 0.215, 0.246)
RIGHT_BROW, LEFT_BROW = (63, 105, 66, 107), (293, 334, 296, 336)
DEPTHS |= dict(zip(RIGHT_BROW, BROW_DEPTHS, strict=True)) | dict(zip(LEFT_BROW, BROW_DEPTHS, strict=True))
PLACE = {number: place for place, number in enumerate(DEPTHS)}
DEPTH = np.asarray(list(DEPTHS.values()), np.float64)


def measure(face: Face) -> FloatArray | None:
    """What a viewer sees of a face.

    Returns:
        (11,) the values of :data:`MEASURES`, as differences from the usual ones in units of their reach; None
        where the face has no landmarks of MediaPipe's mesh, or not these.
    """
    rows = _rows(face.landmark_numbers.tobytes())
    if rows is None:
        return None
    points = face.landmarks_xy[rows].astype(np.float64) * (1, -1)
    front = to_front(points, face.state.head_rad)
    if front is None:
        return None
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
    return np.asarray((np.asarray(values, np.float32) - USUAL) / REACH, np.float32)


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


def measure_filter() -> OneEuroFilter:
    """The filter of a face's measures: lids and gaze are fast."""
    cutoff, beta, scale = np.asarray([each.smoothing for each in MEASURES.values()], np.float32).T
    return OneEuroFilter(cutoff, beta, scale)


@lru_cache(maxsize=8)
def _rows(numbers: bytes) -> NDArray[np.intp] | None:
    """Where the needed points stand among landmarks of these numbers."""
    known = {int(number): row for row, number in enumerate(np.frombuffer(numbers, np.int32))}
    if not DEPTHS.keys() <= known.keys():
        return None
    return np.asarray([known[number] for number in DEPTHS], np.intp)
