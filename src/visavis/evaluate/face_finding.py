"""Finding turned and small faces: copies of known faces inside a larger picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from visavis.datasets.face_labels import FaceLabelPack
from visavis.face.region import LANDMARK_MARGIN, FaceRegion
from visavis.face.tracker import Tracker
from visavis.types import Frame, ImageArray

CANVAS_PX = (640, 480)
# Largest errors of a region that is found right: distance in sides of the region, size ratio, roll.
RIGHT_SHIFT, RIGHT_SIZE, RIGHT_ROLL_DEG = 0.15, 1.25, 10.0


@dataclass(frozen=True, slots=True)
class Copy:
    """How faces are placed in the picture.

    Attributes:
        roll_deg: clockwise rotation.
        height: height of the face, as a share of the picture's width.
    """

    roll_deg: float
    height: float


COPIES = (
    *(Copy(roll_deg, 0.25) for roll_deg in (0.0, 30.0, 60.0, 90.0, 180.0)),
    *(Copy(0.0, height) for height in (0.1, 0.08, 0.06, 0.04)),
)


@dataclass(frozen=True, slots=True)
class FindingScores:
    """Results for copies of one kind.

    Attributes:
        copy: kind of the copies.
        n: number of copies.
        found: share of copies in which any face was found.
        right: share of copies that were found with the right place, size and roll.
        roll_deg: median error of the roll of found copies; NaN if there are none.
        size: median ratio of found and true size; NaN if there are none.
    """

    copy: Copy
    n: int
    found: float
    right: float
    roll_deg: float
    size: float


def lay(crop: ImageArray, region: FaceRegion, copy: Copy) -> tuple[ImageArray, FaceRegion]:
    """A picture of :data:`CANVAS_PX` with a face in its middle, and the face's region.

    Args:
        crop: (S, S, 3) uint8; its edge is repeated around it.
        region: upright region of the face in the crop.
        copy: size and roll of the face.
    """
    width, height = CANVAS_PX
    side = copy.height * width * LANDMARK_MARGIN
    laid = FaceRegion((width / 2 - 0.5, height / 2 - 0.5), side, float(np.radians(copy.roll_deg)))
    factor = side / region.size_px
    if factor < 0.5:  # Bilinear sampling aliases beyond 2x.
        small = max(round(2 * factor * len(crop)), 1)
        scale = small / len(crop)
        crop = np.asarray(cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA), np.uint8)
        x, y = ((value + 0.5) * scale - 0.5 for value in region.center_xy)
        region = FaceRegion((x, y), region.size_px * scale, region.roll_rad)
    matrix = cv2.getAffineTransform(region.corners()[:3], laid.corners()[:3])
    picture = cv2.warpAffine(crop, matrix, CANVAS_PX, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(picture, np.uint8), laid


def measure_finding(
    pack: FaceLabelPack, tracker: Tracker, rows: Sequence[int], on_picture: Callable[[], None]
) -> tuple[FindingScores, ...]:
    """Look for some faces of a pack, at least one, in each of :data:`COPIES`, always as a first search."""
    result = []
    for copy in COPIES:
        errors = []
        for row in rows:
            picture, laid = lay(np.asarray(pack.crops[row]), pack.region, copy)
            tracker.reset()
            faces = tracker.update(Frame(picture, 0.0))
            if faces:
                errors.append(_errors(FaceRegion.from_corners(faces[0].corners_xy), laid))
            on_picture()
        shift, size, roll = np.asarray(errors).reshape(-1, 3).T
        right = (shift < RIGHT_SHIFT) & (np.maximum(size, 1 / size) < RIGHT_SIZE) & (roll < RIGHT_ROLL_DEG)
        middle = [float(np.median(each)) if len(errors) else np.nan for each in (roll, size)]
        shares = len(errors) / len(rows), float(right.sum()) / len(rows)
        result.append(FindingScores(copy, len(rows), *shares, *middle))
    return tuple(result)


def _errors(seen: FaceRegion, laid: FaceRegion) -> tuple[float, float, float]:
    """Shift in sides of the true region, size over the true one, and the roll's error in degrees."""
    shift = float(np.hypot(*(np.subtract(seen.center_xy, laid.center_xy)))) / laid.size_px
    turn = (seen.roll_rad - laid.roll_rad + np.pi) % (2 * np.pi) - np.pi
    return shift, seen.size_px / laid.size_px, abs(float(np.degrees(turn)))
