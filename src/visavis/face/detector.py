"""An image in, face boxes with scores out: the embedded detector.

A small network gives, for every cell of a grid, how likely a face's centre lies there, where in the cell, and
how large the face is (Zhou et al. 2019, "Objects as Points", arXiv:1904.07850).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from visavis.types import FloatArray, ImageArray
from visavis.weights import metadata, open_session


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face.

    Attributes:
        box_xyxy: (4,) square around the landmarks, in image pixels.
        score: 0..1.
    """

    box_xyxy: FloatArray
    score: float


class FaceDetector:
    """Finds faces in a single image.

    Args:
        threads: threads for one call.
        min_score: boxes below this score are left out.
    """

    def __init__(self, threads: int = 1, min_score: float = 0.35) -> None:
        self._session = open_session("detector", threads)
        self._input = self._session.get_inputs()[0].name
        facts = metadata(self._session)
        self.input_px = int(facts["input_px"])
        self.stride_px = int(facts["stride_px"])
        self.min_score = min_score

    def detect(self, image_rgb: ImageArray, max_faces: int = 16) -> list[Detection]:
        """Boxes in an image (H, W, 3) uint8, best first."""
        canvas, scale = letterbox(image_rgb, self.input_px)
        heat, size, offset = (a[0] for a in self._session.run(None, {self._input: canvas[None]}))
        peaks = heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))
        rows, columns = np.nonzero(peaks & (heat > self.min_score))
        order = np.argsort(-heat[rows, columns])
        found: list[Detection] = []
        for y, x in zip(rows[order], columns[order], strict=True):
            center = (np.array([x, y]) + 0.5 + offset[:, y, x]) * self.stride_px / scale
            half = size[y, x] * self.input_px / scale / 2
            box = np.asarray([*(center - half), *(center + half)], np.float32)
            if all(overlap(box, other.box_xyxy) < 0.4 for other in found):
                found.append(Detection(box, float(heat[y, x])))
        return found[:max_faces]


def letterbox(image: ImageArray, side_px: int) -> tuple[ImageArray, float]:
    """Shrink an image to fit the top left of a square with black around it; returns it and the scale."""
    height, width = image.shape[:2]
    scale = side_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas = np.zeros((side_px, side_px, 3), np.uint8)
    canvas[: size[1], : size[0]] = small
    return canvas, scale


def overlap(a: FloatArray, b: FloatArray) -> float:
    """Intersection over union of two boxes (4,) x0, y0, x1, y1."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    inner = float(np.prod(np.maximum(high - low, 0)))
    both = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - inner
    return inner / both if both > 0 else 0.0
