"""The embedded face detector: boxes with scores and rolls in a single image.

For every cell of a grid, a small network gives the probability of a face's centre, its place in the cell, the
face's size and its roll (Zhou et al. 2019, "Objects as Points", arXiv:1904.07850).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from visavis.base.batching import MOST_ITEMS
from visavis.base.networks import batched, metadata, open_session
from visavis.face.region import LANDMARK_MARGIN, FaceRegion
from visavis.types import FloatArray, ImageArray

# Chosen on photographs and clips that are not held out (experiments/LOG.md): for the whole image, and for the
# second scale, which has many more chances for errors. A face below the second number of a pair is weak.
MIN_HEAT, SURE_HEAT = 0.35, 0.5
MIN_NEAR_HEAT, SURE_NEAR_HEAT = 0.55, 0.7
# The second scale: squares of this share of the longer side, which overlap by a quarter. A face in a square
# fills at most this much of it; larger faces belong to the first scale.
NEAR_SHARE = 0.4
NEAR_OVERLAP = 0.25
NEAR_LARGEST = 0.4
# In smaller images, the second scale shows nothing new.
NEAR_FROM_PX = 200
# A still is looked at in those squares of the second scale in which the whole image has a trace of a face: a
# cell with this probability and at most this size, in squares that are wider by one cell. No face was lost
# so in 2,480 pictures. Within two cells of 835 of 836 small faces it was 0.074 or more (experiments/LOG.md).
TRACE_HEAT, TRACE_LARGEST = 0.05, 0.24
# Two boxes are one face if they overlap this much, or their centres are this near (in larger sides).
SAME_BOX = 0.4
SAME_CENTER = 0.35
MOST_BOXES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face.

    Attributes:
        box_xyxy: (4,) square in image pixels, as around the landmarks of an upright face of that size.
        score: 0..1.
        roll_rad: how far the face is turned clockwise on the screen.
        weak: whether the score alone is too low for a face: the face network must be sure of it.
    """

    box_xyxy: FloatArray
    score: float
    roll_rad: float = 0.0
    weak: bool = False

    def region(self) -> FaceRegion:
        """Where the face network should look first."""
        square = FaceRegion.from_box(self.box_xyxy, LANDMARK_MARGIN)
        return FaceRegion(square.center_xy, square.size_px, self.roll_rad)


class SearchView(NamedTuple):
    """A square of an image to look at; it may reach beyond the image's right and lower edge.

    Attributes:
        x_px: left edge in image pixels.
        y_px: top edge in image pixels.
        side_px: side in image pixels.
        near: whether the view is of the second scale.
    """

    x_px: int
    y_px: int
    side_px: int
    near: bool

    @property
    def center_xy(self) -> tuple[float, float]:
        """The middle of the view in image pixels."""
        half = self.side_px / 2 - 0.5
        return self.x_px + half, self.y_px + half


class FaceDetector:
    """Finds faces in a single image."""

    def __init__(self) -> None:
        session = open_session("detector")
        self._network = batched(session)
        self._input = session.get_inputs()[0].name
        facts = metadata(session)
        self.input_px = int(facts["input_px"])
        self.stride_px = int(facts["stride_px"])

    def detect(self, image_rgb: ImageArray, looks: Sequence[SearchView] | None = None) -> list[Detection]:
        """At most :data:`MOST_BOXES` boxes in an image (H, W, 3) uint8, best first.

        Args:
            image_rgb: the image.
            looks: the views to use; None uses the whole image at the first scale.
        """
        looks = views(image_rgb)[:1] if looks is None else looks
        maps = self._read([(image_rgb, view) for view in looks])
        return _each_once(
            [
                detection
                for view, each in zip(looks, maps, strict=True)
                for detection in self._peaks(view, *each)
            ]
        )[:MOST_BOXES]

    def detect_all(self, images_rgb: Sequence[ImageArray]) -> list[list[Detection]]:
        """Boxes at both scales in each image, as :meth:`detect` gives them; the network reads them together.

        The second scale is used where the whole image has a trace of a small face.
        """
        wholes = [views(image)[0] for image in images_rgb]
        maps = self._read(list(zip(images_rgb, wholes, strict=True)))
        found = [self._peaks(view, *each) for view, each in zip(wholes, maps, strict=True)]
        near = [
            (number, view)
            for number, image in enumerate(images_rgb)
            for view in views(image)[1:]
            if self._has_trace(view, wholes[number], *maps[number][:2])
        ]
        maps = self._read([(images_rgb[number], view) for number, view in near])
        for (number, view), each in zip(near, maps, strict=True):
            found[number] += self._peaks(view, *each)
        return [_each_once(detections)[:MOST_BOXES] for detections in found]

    def _read(self, looks: Sequence[tuple[ImageArray, SearchView]]) -> list[tuple[FloatArray, ...]]:
        """The network's maps of each view: heat, size, offset and roll."""
        canvases = [letterbox(image, view, self.input_px) for image, view in looks]
        maps: list[tuple[FloatArray, ...]] = []
        for start in range(0, len(canvases), MOST_ITEMS):
            answers = self._network.run(None, {self._input: np.stack(canvases[start : start + MOST_ITEMS])})
            maps += zip(*answers, strict=True)
        return maps

    def _has_trace(self, view: SearchView, whole: SearchView, heat: FloatArray, size: FloatArray) -> bool:
        """Whether a small face may be in a square of the second scale, by the maps of the whole image."""
        cell_px = whole.side_px * self.stride_px / self.input_px
        rows, columns = (
            slice(max(0, int(start / cell_px) - 1), int((start + view.side_px) / cell_px) + 2)
            for start in (view.y_px, view.x_px)
        )
        return bool(((heat > TRACE_HEAT) & (size < TRACE_LARGEST))[rows, columns].any())

    def _peaks(
        self, view: SearchView, heat: FloatArray, size: FloatArray, offset: FloatArray, roll: FloatArray
    ) -> list[Detection]:
        """The faces of one view."""
        peaks = heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))
        found = []
        least = MIN_NEAR_HEAT if view.near else MIN_HEAT
        sure = SURE_NEAR_HEAT if view.near else SURE_HEAT
        for y, x in zip(*np.nonzero(peaks & (heat > least)), strict=True):
            if view.near and size[y, x] > NEAR_LARGEST:
                continue
            unit = (np.array([x, y]) + 0.5 + offset[:, y, x]) * self.stride_px / self.input_px
            # Shares are counted from the view's edge, pixels from the middle of the first pixel.
            center = unit * view.side_px - 0.5 + (view.x_px, view.y_px)
            half = size[y, x] * view.side_px / 2
            box = np.asarray([*(center - half), *(center + half)], np.float32)
            angle = float(np.arctan2(roll[1, y, x], roll[0, y, x]))
            found.append(Detection(box, float(heat[y, x]), angle, bool(heat[y, x] <= sure)))
        return found


def views(image: ImageArray) -> list[SearchView]:
    """The whole image, then the squares of the second scale, row by row."""
    height, width = image.shape[:2]
    long = max(height, width)
    result = [SearchView(0, 0, long, near=False)]
    if long < NEAR_FROM_PX:
        return result
    side = round(NEAR_SHARE * long)
    columns, rows = (_starts(length, side) for length in (width, height))
    return result + [SearchView(x, y, side, near=True) for y in rows for x in columns]


def _starts(length: int, side: int) -> list[int]:
    """Start positions of overlapping squares that cover a length."""
    count = max(1, int(np.ceil((length - NEAR_OVERLAP * side) / ((1 - NEAR_OVERLAP) * side))))
    return [round(float(start)) for start in np.linspace(0, max(0, length - side), count)]


def _each_once(found: Sequence[Detection]) -> list[Detection]:
    """Each face once, best first."""
    kept: list[Detection] = []
    for detection in sorted(found, key=lambda d: -d.score):
        if not any(same_face(detection.box_xyxy, other.box_xyxy) for other in kept):
            kept.append(detection)
    return kept


def letterbox(image: ImageArray, view: SearchView, side_px: int) -> ImageArray:
    """A view of an image (H, W, 3) uint8, scaled to a square (S, S, 3); black beyond the image's edge.

    As in :meth:`FaceRegion.crop`, the view is halved until bilinear sampling shrinks it less than twofold.
    """
    part = image[view.y_px : view.y_px + view.side_px, view.x_px : view.x_px + view.side_px]
    scale = side_px / view.side_px
    height, width = (max(1, round(length * scale)) for length in part.shape[:2])
    while scale < 0.5 and min(part.shape[:2]) > 1:
        half = part.shape[1] // 2, part.shape[0] // 2
        even = part[: 2 * half[1], : 2 * half[0]]
        part = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
        scale *= 2
    canvas = np.zeros((side_px, side_px, 3), np.uint8)
    canvas[:height, :width] = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
    return canvas


def overlap(a: FloatArray, b: FloatArray) -> float:
    """Intersection over union of two boxes (4,) x0, y0, x1, y1."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    inner = float(np.prod(np.maximum(high - low, 0)))
    both = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - inner
    return inner / both if both > 0 else 0.0


def same_face(a: FloatArray, b: FloatArray) -> bool:
    """Whether two boxes (4,) are of one face."""
    apart = float(np.linalg.norm((a[:2] + a[2:] - b[:2] - b[2:]) / 2))
    side = float(max((a[2:] - a[:2]).max(), (b[2:] - b[:2]).max()))
    return overlap(a, b) > SAME_BOX or apart < SAME_CENTER * side
