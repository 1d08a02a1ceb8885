"""Landmarks of grey face crops that are cut as in FER-2013, and whether they can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from visavis.errors import InputError
from visavis.expression.reader import CROP_DOWN, CROP_SCALE
from visavis.face.framing import settle_region
from visavis.face.network import FaceNetwork, FaceReading
from visavis.face.region import FaceRegion
from visavis.types import BoolArray, FloatArray, ImageArray

# On a face, the last look moves the landmarks on average by less than this share of the side:
# 1 px of 48. The score alone is not enough: it is near 1 for nearly everything that is framed like a face.
STEADY = 1 / 48
# Smallest face score of the network.
SURE = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class CropLandmarks:
    """Landmarks of N crops.

    Attributes:
        points: (N, 146, 2) x and y in shares of the crop's side: 0 at the left and upper edge, 1 at the
            other edges.
        believable: (N,) whether the network is sure of a face and its looks agree.
    """

    points: FloatArray
    believable: BoolArray

    def __post_init__(self) -> None:
        if (
            self.points.ndim != 3
            or self.points.shape[2] != 2
            or self.believable.shape != self.points.shape[:1]
        ):
            raise InputError(
                f"landmarks must be (N, P, 2) with N answers; found {self.points.shape} and "
                f"{self.believable.shape}"
            )


def find_landmarks(pictures: ImageArray, on_face: Callable[[], None] = lambda: None) -> CropLandmarks:
    """Find landmarks in crops (N, S, S) uint8, with :data:`LOOKS` looks at each crop.

    Args:
        pictures: N of them, at least one.
        on_face: called after each face.
    """
    network, points, believable = FaceNetwork(), [], []
    for picture in pictures:
        reading, believed = look_at_crop(picture, network)
        points.append(np.asarray((reading.landmarks_xy + 0.5) / len(picture), np.float32))
        believable.append(believed)
        on_face()
    return CropLandmarks(np.stack(points), np.asarray(believable, np.bool_))


def look_at_crop(picture: ImageArray, network: FaceNetwork) -> tuple[FaceReading, bool]:
    """The network's last look at a crop (S, S) uint8, and whether the network is sure and its looks agree."""
    side_px = len(picture)
    image_rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)
    middle = (side_px - 1) / 2
    region = FaceRegion((middle, middle), side_px).scaled(1 / CROP_SCALE, -CROP_DOWN / CROP_SCALE)
    reading, moved_px = settle_region(image_rgb, region, network)
    return reading, reading.score >= SURE and moved_px < STEADY * side_px
