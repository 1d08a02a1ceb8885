"""A few pixels of a picture, which show cheaply whether the picture has changed since."""

from __future__ import annotations

import math

import cv2
import numpy as np

from visavis.face.region import FaceRegion
from visavis.types import ImageArray

# Pixels along the longer side of the part.
SAMPLES = 48
# A pixel that differs by at most this is the same: what encoding again changes in a still picture.
SAME_LEVELS = 2
# Pixels whose levels differ by more than this show a movement, if there are more of them than this share: the
# noise of a camera is weaker, and a face that can be found is larger.
MOVED_LEVELS, MOVED_SHARE = 20, 0.005


class Glimpse:
    """Samples of a part of one picture, for comparison with later pictures of the stream.

    Args:
        image_rgb: (H, W, 3) uint8.
        region: the part; None for the whole picture.
    """

    def __init__(self, image_rgb: ImageArray, region: FaceRegion | None = None) -> None:
        height, width = image_rgb.shape[:2]
        left, top, right, bottom = 0, 0, width, height
        if region is not None:
            (x0, y0), (x1, y1), (x2, y2), (x3, y3) = region.corners().tolist()
            left = int(min(max(x0, 0), max(x1, 0), max(x2, 0), max(x3, 0), width - 1))
            top = int(min(max(y0, 0), max(y1, 0), max(y2, 0), max(y3, 0), height - 1))
            right = min(max(math.ceil(max(x0, x1, x2, x3)), left + 1), width)
            bottom = min(max(math.ceil(max(y0, y1, y2, y3)), top + 1), height)
        step = max(1, max(right - left, bottom - top) // SAMPLES)
        self._image_shape = image_rgb.shape
        self._part = slice(top, bottom, step), slice(left, right, step)
        self._pixels = np.ascontiguousarray(image_rgb[self._part])

    def same(self, image_rgb: ImageArray) -> bool:
        """Whether the part looks as it did: nothing that depends on it needs to be read again."""
        change = self._change(image_rgb)
        return change is not None and int(change.max()) <= SAME_LEVELS

    def moved(self, image_rgb: ImageArray) -> bool:
        """Whether something moves in the part, apart from a camera's noise."""
        change = self._change(image_rgb)
        return change is None or float((change.max(axis=2) > MOVED_LEVELS).mean()) > MOVED_SHARE

    def _change(self, image_rgb: ImageArray) -> ImageArray | None:
        """How far each sample's levels differ; None for a picture of another size."""
        if image_rgb.shape != self._image_shape:
            return None
        return np.asarray(cv2.absdiff(np.ascontiguousarray(image_rgb[self._part]), self._pixels), np.uint8)
