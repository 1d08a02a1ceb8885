"""The share of each face part (eye, mouth, cheek and so on) in each cell of a grid, from 146 landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.face.mesh import LANDMARKS_146
from visavis.types import FloatArray, ImageArray

PARTS = ("eyes", "brows", "nose", "mouth", "cheeks", "chin", "forehead", "outside")
# Drawn pixels for each side of a cell.
FINE_PX = 8
# Fractional bits of OpenCV's coordinates.
_SHIFT = 4

# Indices of MediaPipe's points.
_EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
_BROWS = ((46, 53, 52, 65, 55, 107, 66, 105, 63, 70), (276, 283, 282, 295, 285, 336, 296, 334, 293, 300))
_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152),
    *(148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_OUTER_CORNERS, _INNER_CORNERS = (33, 263), (133, 362)
_NOSE_TOP, _NOSE_BASE, _LOWER_LIP = 168, 1, 17
_PLACES = {number: place for place, number in enumerate(LANDMARKS_146)}

# Around the outline of a part, in shares of its width: lids belong to the eyes, corners to the mouth.
_EYE_RIM, _NOSE_RIM, _MOUTH_RIM = 1 / 4, 1 / 8, 1 / 8


def cell_parts(points: FloatArray, grid: int) -> NDArray[np.float64]:
    """The parts of the face in each cell of a picture.

    Args:
        points: (146, 2) in shares of the picture's side.
        grid: cells along a side.

    Returns:
        (grid * grid, 8) row by row, in the order of :data:`PARTS`: shares of the cell's area, which sum to 1.
    """
    drawn = draw_parts(points, grid * FINE_PX).reshape(grid, FINE_PX, grid, FINE_PX)
    shares = [(drawn == part).mean(axis=(1, 3)).ravel() for part in range(len(PARTS))]
    return np.stack(shares, axis=1)


def draw_parts(points: FloatArray, side_px: int) -> ImageArray:
    """A picture (S, S) uint8 of numbers into :data:`PARTS`.

    Inside the face's outline, the forehead is above the line of the eyes, the chin is below the lower lip,
    and the cheeks are between them. Nose, eyes, brows and mouth are drawn over it, in this order: eyes
    and mouth with a rim, the nose as wide as the inner corners of the eyes are apart.

    Args:
        points: (146, 2) in shares of the picture's side.
        side_px: S.
    """
    at = points * side_px - 0.5  # Coordinates of pixel centres.
    drawn = np.full((side_px, side_px), PARTS.index("outside"), np.uint8)
    _fill(drawn, _of(at, _OVAL), "cheeks")
    inside = drawn == PARTS.index("cheeks")
    left, right = _of(at, _OUTER_CORNERS)
    across = (right - left) / max(float(np.linalg.norm(right - left)), 1e-6)
    down = np.asarray([-across[1], across[0]])
    pixels = np.stack(np.meshgrid(np.arange(side_px), np.arange(side_px)), axis=2)
    height = (pixels - (left + right) / 2) @ down
    drawn[inside & (height < 0)] = PARTS.index("forehead")
    drawn[inside & (height > (_of(at, (_LOWER_LIP,))[0] - (left + right) / 2) @ down)] = PARTS.index("chin")
    top, base = _of(at, (_NOSE_TOP, _NOSE_BASE))
    inner = _of(at, _INNER_CORNERS)
    half = across * float(np.linalg.norm(inner[1] - inner[0])) / 2
    _fill(drawn, np.stack([top, base - half, base + half]), "nose", _NOSE_RIM * 2 * float(half @ across))
    for eye in (_of(at, numbers) for numbers in _EYES):
        _fill(drawn, eye, "eyes", _EYE_RIM * float(np.ptp(eye @ across)))
    for brow in _BROWS:
        _fill(drawn, _of(at, brow), "brows")
    lips = _of(at, _LIPS)
    _fill(drawn, lips, "mouth", _MOUTH_RIM * float(np.ptp(lips @ across)))
    return drawn


def _of(points: FloatArray, numbers: Sequence[int]) -> FloatArray:
    return points[[_PLACES[number] for number in numbers]]


def _fill(drawn: ImageArray, outline: FloatArray, part: str, rim_px: float = 0.0) -> None:
    """Draw the convex hull of points with a rim of a given width, in place."""
    hull = cv2.convexHull(np.rint(outline * (1 << _SHIFT)).astype(np.int32))
    number = (float(PARTS.index(part)),)
    cv2.fillConvexPoly(drawn, hull, number, shift=_SHIFT)
    if (thickness := round(2 * rim_px)) > 1:
        cv2.polylines(drawn, [hull], True, number, thickness, shift=_SHIFT)
