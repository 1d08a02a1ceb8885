"""A plain face of 66 points that the blendshapes move: for outputs that need points of the face.

The points are the 68 of iBUG (https://ibug.doc.ic.ac.uk/resources/300-W/) without the mouth's outer corners:
jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, outer lips 48-57, inner lips 58-65. Coordinates: x to the
image's right, y up, z towards the viewer, in distances between the outer corners of the eyes, from the middle
between them.

The proportions are rounded from the mean head of ICT-FaceKit (MIT, https://github.com/ICT-VGL/ICT-FaceKit).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visavis.channels import BLENDSHAPES
from visavis.types import Face, FloatArray

Doubles = NDArray[np.float64]
# The left half of the face mirrors the right one: the partner of each point.
MIRROR = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(52, 51, 50, 49, 48, 57, 56, 55, 54, 53),
    *(62, 61, 60, 59, 58, 65, 64, 63),
)
# The person's right half, which is on the image's left: number of the point, x, y, z.
RIGHT_HALF = """
    0 -0.83 0.03 -0.55, 1 -0.82 -0.22 -0.52, 2 -0.78 -0.44 -0.46, 3 -0.74 -0.65 -0.38,
    4 -0.64 -0.89 -0.28, 5 -0.48 -1.08 -0.14, 6 -0.34 -1.16 0.02, 7 -0.17 -1.2 0.19, 8 0 -1.23 0.21,
    17 -0.65 0.2 -0.08, 18 -0.55 0.29 0.04, 19 -0.43 0.32 0.14, 20 -0.27 0.31 0.21, 21 -0.13 0.28 0.24,
    27 0 0.03 0.24, 28 0 -0.09 0.33, 29 0 -0.2 0.42, 30 0 -0.34 0.5, 31 -0.14 -0.51 0.25,
    32 -0.07 -0.51 0.32, 33 0 -0.52 0.33, 36 -0.5 0 0, 37 -0.43 0.05 0.09, 38 -0.31 0.06 0.1,
    39 -0.21 -0.02 0.07, 40 -0.31 -0.04 0.09, 41 -0.43 -0.04 0.07, 48 -0.19 -0.7 0.29,
    49 -0.08 -0.66 0.35, 50 0 -0.66 0.36, 55 0 -0.88 0.33, 56 -0.12 -0.87 0.31, 57 -0.2 -0.84 0.26,
    58 -0.25 -0.78 0.17, 59 -0.11 -0.75 0.28, 60 0 -0.76 0.3, 64 0 -0.77 0.3, 65 -0.12 -0.76 0.27
"""
_UPPER_LIP, _LOWER_LIP = (48, 49, 50, 51, 52, 59, 60, 61), (53, 54, 55, 56, 57, 63, 64, 65)
# How far a blendshape of weight 1 moves points. Those of one side are given for the person's right.
MOVES: tuple[tuple[str, tuple[int, ...], tuple[float, float, float]], ...] = (
    ("eyeBlinkRight", (37, 38), (0, -0.09, 0)),
    ("eyeWideRight", (37, 38), (0, 0.03, 0)),
    ("eyeSquintRight", (40, 41), (0, 0.02, 0)),
    ("browDownRight", (17, 18, 19, 20, 21), (0.03, -0.03, 0.02)),
    ("browOuterUpRight", (17, 18, 19, 20), (-0.02, 0.07, -0.02)),
    ("browInnerUp", (20, 21, 22, 23), (0, 0.06, 0)),
    ("browInnerUp", (19, 24), (0, 0.03, 0)),
    ("mouthSmileRight", (58,), (-0.08, 0.11, -0.09)),
    ("mouthSmileRight", (48, 57), (-0.05, 0.07, -0.06)),
    ("mouthSmileRight", (49, 56, 59, 65), (-0.03, 0.04, -0.03)),
    ("mouthFrownRight", (58,), (-0.02, -0.04, 0)),
    ("mouthFrownRight", (48, 57), (-0.01, -0.02, 0)),
    ("mouthStretchRight", (58,), (-0.08, -0.03, -0.08)),
    ("mouthStretchRight", (48, 57, 59, 65), (-0.03, 0, -0.03)),
    ("mouthUpperUpRight", (48, 49, 59), (-0.02, 0.07, 0)),
    ("mouthUpperUpRight", (50, 60), (0, 0.04, 0)),
    ("mouthLowerDownRight", (55, 56, 57, 64, 65), (0, -0.04, 0)),
    ("jawOpen", _LOWER_LIP, (0, -0.37, -0.22)),
    ("jawOpen", (58, 62), (0, -0.17, -0.14)),
    ("jawOpen", (7, 8, 9), (0, -0.31, -0.32)),
    ("jawOpen", (6, 10), (0, -0.21, -0.25)),
    ("jawOpen", (5, 11), (0, -0.1, -0.17)),
    ("mouthClose", _LOWER_LIP, (0, 0.37, 0.17)),
    ("mouthClose", (58, 62), (0, 0.19, 0.09)),
    ("mouthFunnel", _UPPER_LIP, (0, 0.06, 0.08)),
    ("mouthFunnel", _LOWER_LIP, (0, -0.08, 0.07)),
    ("mouthFunnel", (58,), (0.04, 0, 0.1)),
    ("mouthFunnel", (62,), (-0.04, 0, 0.1)),
    ("mouthPucker", (58,), (0.06, 0.02, 0.12)),
    ("mouthPucker", (62,), (-0.06, 0.02, 0.12)),
    ("mouthPucker", (48, 57, 59, 65), (0.03, 0, 0.1)),
    ("mouthPucker", (52, 53, 61, 63), (-0.03, 0, 0.1)),
    ("mouthPucker", (49, 50, 51, 54, 55, 56, 60, 64), (0, 0, 0.08)),
    ("jawRight", (*_LOWER_LIP, 7, 8, 9), (-0.09, 0, 0)),
    ("jawRight", (6, 10, 58, 62), (-0.06, 0, 0)),
    ("mouthRight", (*_UPPER_LIP, *_LOWER_LIP, 58, 62), (-0.16, 0, 0)),
)
# The points in MediaPipe's face mesh; the five below the nose are not among the tracked landmarks.
MEDIAPIPE = (
    *(127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(168, 197, 195, 4, None, None, None, None, None),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(39, 37, 0, 267, 269, 405, 314, 17, 84, 181),
    *(78, 81, 13, 311, 308, 402, 14, 178),
)
IRISES = (468, 473)
# Points that expressions hardly move.
_FIXED = [0, 16, 27, 28, 29, 30, 36, 39, 42, 45]
_TRACKED = [place for place, number in enumerate(MEDIAPIPE) if number is not None]
_HIDDEN = [place for place, number in enumerate(MEDIAPIPE) if number is None]


@lru_cache(maxsize=1)
def rest_and_moves() -> tuple[Doubles, Doubles]:
    """The points at rest (66, 3), and their movements (52, 198)."""
    rest = np.zeros((len(MIRROR), 3))
    for entry in RIGHT_HALF.split(","):
        number, x, y, z = entry.split()
        rest[MIRROR[int(number)]] = (-float(x), float(y), float(z))
        rest[int(number)] = (float(x), float(y), float(z))
    moves = np.zeros((len(BLENDSHAPES), len(MIRROR), 3))
    for name, numbers, move in MOVES:
        moves[BLENDSHAPES.index(name), list(numbers)] += move
        if name.endswith("Right"):
            left = BLENDSHAPES.index(name.removesuffix("Right") + "Left")
            moves[left, [MIRROR[number] for number in numbers]] += (-move[0], *move[1:])
    return rest, moves.reshape(len(BLENDSHAPES), -1)


@lru_cache(maxsize=1)
def _seen_from_tracked() -> FloatArray:
    """The matrix (68, 63) from the tracked points and irises to all points and the irises.

    The points below the nose are put where the plain face has them beside those that expressions hardly move.
    """
    rest = np.column_stack([rest_and_moves()[0], np.ones(len(MEDIAPIPE))])
    count = len(_TRACKED) + len(IRISES)
    matrix = np.zeros((len(MEDIAPIPE) + len(IRISES), count))
    matrix[[*_TRACKED, *range(len(MEDIAPIPE), len(matrix))]] = np.eye(count)
    matrix[_HIDDEN] = rest[_HIDDEN] @ np.linalg.pinv(rest[_FIXED]) @ matrix[_FIXED]
    return matrix.astype(np.float32)


@lru_cache(maxsize=4)
def _places(landmark_numbers: bytes) -> NDArray[np.intp] | None:
    """The rows of the landmarks that are needed, among landmarks with these int32 numbers."""
    rows = {number: row for row, number in enumerate(np.frombuffer(landmark_numbers, np.int32).tolist())}
    try:
        places = [rows[number] for number in (*MEDIAPIPE, *IRISES) if number is not None]
    except KeyError:
        return None
    return np.asarray(places)


def points_of(weights: FloatArray) -> Doubles:
    """The points (66, 3) of the plain face with these blendshape weights (52,)."""
    rest, moves = rest_and_moves()
    return np.asarray(rest + (weights @ moves).reshape(rest.shape), np.float64)


def seen_points(face: Face) -> FloatArray | None:
    """The points (66, 2) and then the two irises (2, 2) of a tracked face, in image pixels.

    The points below the nose are not tracked; they are put where the plain face has them.

    Returns:
        (68, 2); None if the face has no numbered landmarks, or not all that are needed.
    """
    places = _places(face.landmark_numbers.tobytes())
    return None if places is None else _seen_from_tracked() @ face.landmarks_xy[places]
