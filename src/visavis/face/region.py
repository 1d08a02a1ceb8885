"""The square region of an image that a face fills, fitted to landmarks or a box, and its upright crop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from visavis.types import FloatArray, ImageArray

# The tracked region is 1.5 times the landmarks' box, as in MediaPipe's face graph:
# room for one frame of head motion and for the forehead above the brows.
LANDMARK_MARGIN = 1.5
# Steps of rounded regions: the centre's in sides of the square, the side's in octaves, the roll's in radians.
CENTER_STEP, SIZE_STEP, ROLL_STEP = 1 / 512, 1 / 128, 1 / 256


@dataclass(frozen=True, slots=True)
class FaceRegion:
    """A square around a face, turned with the head.

    Attributes:
        center_xy: centre in image pixels.
        size_px: side of the square in image pixels.
        roll_rad: rotation of the square; positive turns its x axis clockwise on the screen.
    """

    center_xy: tuple[float, float]
    size_px: float
    roll_rad: float = 0.0

    @classmethod
    def from_landmarks(
        cls, landmarks_xy: FloatArray, eyes: tuple[int, int], margin: float = LANDMARK_MARGIN
    ) -> Self:
        """Fit the region to landmarks.

        Args:
            landmarks_xy: (N, 2) in image pixels.
            eyes: indices of the outer eye corners on the image's left and right.
            margin: side of the square over the longer side of the landmarks' turned box.
        """
        across = landmarks_xy[eyes[1]] - landmarks_xy[eyes[0]]
        roll_rad = math.atan2(across[1], across[0])
        turn = rotation(roll_rad)
        upright = landmarks_xy @ turn
        low, high = upright.min(axis=0), upright.max(axis=0)
        center = turn @ ((low + high) / 2)
        return cls((float(center[0]), float(center[1])), float((high - low).max() * margin), roll_rad)

    @classmethod
    def from_box(cls, box_xyxy: FloatArray, margin: float = 1.0) -> Self:
        """Square region around an upright box (4,) in image pixels."""
        x0, y0, x1, y1 = (float(v) for v in box_xyxy)
        return cls(((x0 + x1) / 2, (y0 + y1) / 2), max(x1 - x0, y1 - y0) * margin)

    @classmethod
    def from_corners(cls, corners_xy: FloatArray) -> Self:
        """Inverse of :meth:`corners`."""
        across = corners_xy[1] - corners_xy[0]
        center = corners_xy.mean(axis=0)
        return cls(
            (float(center[0]), float(center[1])),
            float(np.linalg.norm(across)),
            float(np.arctan2(across[1], across[0])),
        )

    def corners(self) -> FloatArray:
        """The region's own top left, top right, bottom right and bottom left (4, 2), in image pixels."""
        unit = np.asarray([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]], np.float32)
        return self.to_image(unit)

    def scaled(self, factor: float, down: float = 0.0) -> Self:
        """The same region larger or smaller, moved along its own y axis by ``down`` of its old side."""
        x, y = self.to_image(np.asarray([[0.0, down]], np.float32))[0]
        return type(self)((float(x), float(y)), self.size_px * factor, self.roll_rad)

    def rounded(self) -> Self:
        """The nearest of a fixed set of regions.

        A tracker reads a frame where it saw the face in the frame before, so two trackers that started at
        different frames of one video differ a little for ever. If both round their regions, these soon become
        equal. The steps are so small that readings are as steady as without them.
        """
        size_px = 2 ** (round(math.log2(self.size_px) / SIZE_STEP) * SIZE_STEP)
        step_px = size_px * CENTER_STEP
        x, y = (round(value / step_px) * step_px for value in self.center_xy)
        return type(self)((x, y), size_px, round(self.roll_rad / ROLL_STEP) * ROLL_STEP)

    def to_crop(self, crop_px: int) -> FloatArray:
        """Affine matrix (2, 3) from image pixels to pixels of a crop of side ``crop_px``."""
        scale = crop_px / self.size_px
        matrix = np.empty((2, 3), np.float32)
        matrix[:, :2] = rotation(-self.roll_rad) * scale
        matrix[:, 2] = crop_px / 2 - 0.5 - matrix[:, :2] @ np.asarray(self.center_xy, np.float32)
        return matrix

    def crop(self, image: ImageArray, crop_px: int) -> ImageArray:
        """Cut the region out of an image (H, W[, C]) uint8 as a square of side ``crop_px``.

        Bilinear sampling aliases if it shrinks the image more than twofold. Then the region's rectangle is
        first halved as often as needed, with means of 2 x 2 pixels (fast in OpenCV).
        """
        matrix = self.to_crop(crop_px)
        halvings = math.ceil(math.log2(max(0.5 * self.size_px / crop_px, 1)))
        if halvings:
            times = 2**halvings
            corners = self.corners()
            x0, y0 = np.maximum(np.floor(corners.min(axis=0) - times), 0).astype(int)
            x1, y1 = np.minimum(np.ceil(corners.max(axis=0) + times), image.shape[1::-1]).astype(int)
            width, height = (int(x1 - x0) // times, int(y1 - y0) // times)
            if min(width, height) > 0:
                image = image[y0 : y0 + height * times, x0 : x0 + width * times]
                for left in (2**k for k in reversed(range(halvings))):
                    size = (width * left, height * left)
                    image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
                # Pixel x of the small image has its centre at x0 + (x + 1/2) times - 1/2 of the large one.
                matrix[:, 2] += matrix[:, :2] @ np.asarray([x0, y0], np.float32)
                matrix[:, 2] += matrix[:, :2].sum(axis=1) * (times - 1) / 2
                matrix[:, :2] *= times
        crop = cv2.warpAffine(image, matrix, (crop_px, crop_px), flags=cv2.INTER_LINEAR)
        return np.asarray(crop, np.uint8)

    def to_unit(self, points_xy: FloatArray) -> FloatArray:
        """Image pixels (N, 2) to the region's own coordinates: 0 at the centre, +-0.5 at the edges."""
        offset = points_xy - np.asarray(self.center_xy, np.float32)
        return np.asarray(offset @ rotation(-self.roll_rad).T / self.size_px, np.float32)

    def to_image(self, points_unit: FloatArray) -> FloatArray:
        """Inverse of :meth:`to_unit`."""
        turned = points_unit @ rotation(self.roll_rad).T * self.size_px
        return np.asarray(turned + np.asarray(self.center_xy, np.float32), np.float32)


def rotation(angle_rad: float) -> FloatArray:
    """Rotation matrix (2, 2); positive is clockwise on a screen whose y axis points down."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.asarray([[c, -s], [s, c]], np.float32)
