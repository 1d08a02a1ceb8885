"""A few pixels of a picture, which show cheaply whether the picture has changed since."""

from __future__ import annotations

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
        low, high = np.zeros(2, np.int64), np.asarray([width, height])
        if region is not None:
            corners = region.corners()
            low = np.clip(corners.min(axis=0), 0, high - 1).astype(int)
            high = np.clip(np.ceil(corners.max(axis=0)), low + 1, high).astype(int)
        step = max(1, int((high - low).max()) // SAMPLES)
        self._image_shape = image_rgb.shape
        self._part = slice(int(low[1]), int(high[1]), step), slice(int(low[0]), int(high[0]), step)
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
