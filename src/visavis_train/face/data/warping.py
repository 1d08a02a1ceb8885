"""Photographs of faces, bent at mouth, brows, lids and cheeks: rare shapes become as frequent as common ones.

The teacher labels the bent picture, so the bend itself needs no label.
"""

from __future__ import annotations

import cv2
import numpy as np

from visavis.types import FloatArray, ImageArray

# Places of face parts in an upright crop that the face fills, as shares of the side: x, y, and how
# strongly (in shares of the side) they are pulled across and down.
PARTS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "mouth corner left": ((0.39, 0.67), (0.030, 0.030)),
    "mouth corner right": ((0.61, 0.67), (0.030, 0.030)),
    "upper lip": ((0.50, 0.64), (0.020, 0.025)),
    "lower lip": ((0.50, 0.71), (0.020, 0.030)),
    "brow left": ((0.36, 0.35), (0.010, 0.028)),
    "brow right": ((0.64, 0.35), (0.010, 0.028)),
    "upper lid left": ((0.38, 0.42), (0.005, 0.016)),
    "upper lid right": ((0.62, 0.42), (0.005, 0.016)),
    "lower lid left": ((0.38, 0.46), (0.005, 0.012)),
    "lower lid right": ((0.62, 0.46), (0.005, 0.012)),
    "cheek left": ((0.31, 0.58), (0.025, 0.020)),
    "cheek right": ((0.69, 0.58), (0.025, 0.020)),
    "jaw": ((0.50, 0.80), (0.035, 0.035)),
}
GRID = 24


def warped(image_rgb: ImageArray, rng: np.random.Generator) -> ImageArray:
    """A picture (S, S, 3) uint8 of one centred face, with some of the :data:`PARTS` pulled away.

    If the face is not exactly there, a place near the part is pulled, which is equally good.
    """
    axis = (np.arange(GRID) + 0.5) / GRID
    grid = np.stack(np.meshgrid(axis, axis, indexing="xy"), axis=-1)
    shift = np.zeros_like(grid)
    for (x, y), reach in PARTS.values():
        if rng.random() < 0.45:
            center = np.asarray([x, y]) + rng.normal(0, 0.015, 2)
            width = rng.uniform(0.045, 0.11)
            near = np.exp(-np.square(grid - center).sum(axis=-1) / (2 * width**2))
            shift += near[..., None] * rng.normal(0, reach)
    side = image_rgb.shape[0]
    field: FloatArray = np.asarray(shift * side, np.float32)
    dense = cv2.resize(field, (side, side), interpolation=cv2.INTER_CUBIC)
    columns, rows = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    bent = cv2.remap(
        image_rgb, columns - dense[..., 0], rows - dense[..., 1], cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
    )
    return np.asarray(bent, np.uint8)
