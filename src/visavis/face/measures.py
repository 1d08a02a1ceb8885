"""Measures of a face as seen from the front, from landmarks: how wide, high and open each part is.

In each frame an affine camera is fitted to points that expressions hardly move; it turns all points to the
front.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visavis.channels import FACE_MEASURES
from visavis.errors import InputError
from visavis.face.mesh import PARTS
from visavis.face.smoothing import EYES, WEIGHTS, OneEuroFilter
from visavis.types import FloatArray, NumberArray

Doubles = NDArray[np.float64]
# A face seen from the front, by points of MediaPipe's mesh that expressions hardly move: x, y, and z towards
# the viewer, in distances between the outer eye corners (mean of the people in eleven clips, made symmetric).
FRONT = {
    33: (-0.5, 0.0, 0.0),
    263: (0.5, 0.0, 0.0),
    133: (-0.2, -0.015, 0.065),
    362: (0.2, -0.015, 0.065),
    127: (-0.78, -0.07, -0.56),
    356: (0.78, -0.07, -0.56),
    162: (-0.77, 0.105, -0.45),
    389: (0.77, 0.105, -0.45),
    168: (0.0, 0.055, 0.245),
    6: (0.0, -0.035, 0.3),
    197: (0.0, -0.115, 0.355),
    195: (0.0, -0.18, 0.42),
    5: (0.0, -0.26, 0.485),
    4: (0.0, -0.345, 0.51),
}
MOUTH_CORNERS, LIPS = (61, 291), (13, 14)
# The person's right and left eye: corners in their order in the picture, upper and lower lid, iris.
EYE_POINTS = ((33, 133, 159, 145, 468), (362, 263, 386, 374, 473))
BROWS = tuple(tuple(n for n in PARTS["brows"] if (n > 200) is left) for left in (False, True))
# How far the measured points are in front of the outer eye corners, in the same unit.
DEPTH = {
    **{number: z for number, (_, _, z) in FRONT.items()},
    **dict.fromkeys(MOUTH_CORNERS, 0.12),
    **dict.fromkeys(LIPS, 0.25),
    **dict.fromkeys((159, 145, 386, 374), 0.09),
    **dict.fromkeys((468, 473), 0.065),
    **dict.fromkeys(PARTS["brows"], 0.19),
}
# A face that is turned further is not measured.
LEAST_AREA = 0.35
# The One-Euro filter of the mouth, as in :mod:`visavis.face.smoothing`: syllables pass completely.
MOUTH = (3.0, 2.0, 1.0)
_PLACE = {number: place for place, number in enumerate(DEPTH)}
_DEPTHS = np.asarray(list(DEPTH.values()))[:, None]
_FITTING = np.linalg.pinv(np.column_stack([np.asarray(list(FRONT.values())), np.ones(len(FRONT))]))


def to_front(seen: Doubles, least: float = 0.01) -> Doubles:
    """Points as a camera directly in front of the face sees them.

    Args:
        seen: (..., N, 2) in the order of :data:`DEPTH`, y upward.
        least: smallest remaining share of the area of a face that turns away.

    Returns:
        (..., N, 2) in distances between the outer eye corners, relative to their middle.

    Raises:
        InputError: the points coincide, or a face is in profile.
    """
    fitted = np.asarray(_FITTING @ seen[..., : len(FRONT), :], np.float64)
    across, deep, origin = fitted[..., :2, :], fitted[..., 2:3, :], fitted[..., 3:4, :]
    size = np.square(fitted[..., :3, :]).sum(axis=(-2, -1)) / 2
    if not (np.abs(np.linalg.det(across)) > least * size).all():
        raise InputError("landmarks that coincide, or are of a face in profile, cannot be measured")
    return np.asarray((seen - _DEPTHS * deep - origin) @ np.linalg.inv(across), np.float64)


def measure_face(landmarks_xy: FloatArray, numbers: NumberArray) -> FloatArray:
    """Measures of a face as seen from the front.

    Args:
        landmarks_xy: (N, 2) in pixels.
        numbers: (N,) the landmarks' point numbers in MediaPipe's face mesh.

    Returns:
        (11,) in the order and units of :data:`~visavis.channels.FACE_MEASURES`; empty if points are missing,
        or the face is in profile.
    """
    rows = _rows(numbers.tobytes())
    if rows is None:
        return np.zeros(0, np.float32)
    try:
        front = to_front(landmarks_xy[rows].astype(np.float64) * (1, -1), LEAST_AREA)
    except InputError:
        return np.zeros(0, np.float32)
    at = dict(zip(DEPTH, front.tolist(), strict=True))
    (right, left), (upper, lower) = ([at[number] for number in pair] for pair in (MOUTH_CORNERS, LIPS))
    brows, lids, gaze_x, gaze_y = [], [], 0.0, 0.0
    for eye, brow in zip(EYE_POINTS, BROWS, strict=True):
        start, end, over, under, iris = (at[number] for number in eye)
        height = (start[1] + end[1]) / 2
        brows.append(sum(at[number][1] for number in brow) / len(brow) - height)
        lids.append(math.dist(over, under))
        gaze_x += (iris[0] - (start[0] + end[0]) / 2) / 2
        gaze_y += (iris[1] - height) / 2
    values = (
        math.dist(upper, lower),
        math.dist(left, right),
        left[1],
        right[1],
        (left[0] + right[0]) / 2,
        *reversed(brows),
        *reversed(lids),
        gaze_x,
        gaze_y,
    )
    return np.asarray(values, np.float32)


class MeasureFilter:
    """Smooths the measures of one person's faces; lids and gaze pass fast."""

    def __init__(self) -> None:
        kinds = {"lid": EYES, "gaze": EYES, "mouth": MOUTH, "brow": WEIGHTS}
        rows = [next(how for part, how in kinds.items() if name.startswith(part)) for name in FACE_MEASURES]
        cutoff, beta, scale = np.asarray(rows, np.float32).T
        reach = np.asarray([reach for _, reach in FACE_MEASURES.values()], np.float32)
        self._filter = OneEuroFilter(cutoff, beta, scale / reach)

    def update(self, values: FloatArray, time_s: float) -> FloatArray:
        """The next result of :func:`measure_face`, smoothed; an empty result resets the filter."""
        if len(values):
            return self._filter.update(values, time_s)
        self._filter.reset()
        return values


@lru_cache(maxsize=8)
def _rows(numbers: bytes) -> NDArray[np.intp] | None:
    """Indices of the needed points among landmarks with these numbers."""
    known = {int(number): row for row, number in enumerate(np.frombuffer(numbers, np.int32))}
    if not DEPTH.keys() <= known.keys():
        return None
    return np.asarray([known[number] for number in DEPTH], np.intp)
