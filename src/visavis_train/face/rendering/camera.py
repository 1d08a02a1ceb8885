"""Random head rotations and lenses, and the crop around the face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visavis.datasets.face_labels import STORED_MARGIN
from visavis.face.geometry import roll_matrix, rotation_from_euler
from visavis.face.region import LANDMARK_MARGIN, FaceRegion, rotation
from visavis.types import FloatArray
from visavis_train.face.network import EYE_CORNERS

# The head turns about this point of its own axes, in cm, which is in the middle of the picture.
PIVOT_CM = np.array([0.0, 0.5, 3.0], np.float32)
FARTHEST_YAW_RAD, FARTHEST_PITCH_RAD, FARTHEST_ROLL_RAD = np.radians([60.0, 35.0, 25.0])
# From a webcam before the nose to a long lens.
NEAREST_CM, FARTHEST_CM = 28.0, 220.0


@dataclass(frozen=True, slots=True)
class HeadView:
    """The view of a head.

    Attributes:
        rotation: (3, 3) of the mesh in the camera's axes (x right, y up, z towards the viewer).
        distance_cm: from the camera to the pivot.
    """

    rotation: FloatArray
    distance_cm: float


@dataclass(frozen=True, slots=True)
class Crop:
    """The crop's place in the picture plane, which is 1 cm before the camera and measured in cm.

    Attributes:
        region: the face's region, without the margin for storing.
        view: the view of the head.
    """

    region: FaceRegion
    view: HeadView

    def pixels(self, vertices: FloatArray, side_px: int) -> FloatArray:
        """Pixel x, pixel y and distance in cm (V, 3) of points (V, 3) of the head."""
        return self.project(vertices, side_px / STORED_MARGIN, side_px / 2 - 0.5)

    def project(self, vertices: FloatArray, scale: float, middle: float) -> FloatArray:
        """Points (V, 3) as x, y in units of the region times ``scale`` plus ``middle``, and distance."""
        plane = on_plane(vertices, self.view)
        turned = np.float32(scale / self.region.size_px) * rotation(-self.region.roll_rad)
        shift = np.float32(middle) - turned @ np.asarray(self.region.center_xy, np.float32)
        x, y = plane[:, 0], plane[:, 1]
        placed = (
            turned[0, 0] * x + turned[0, 1] * y + shift[0],
            turned[1, 0] * x + turned[1, 1] * y + shift[1],
        )
        return np.stack([*placed, plane[:, 2]], axis=1)

    def depth(self, distance_cm: FloatArray) -> FloatArray:
        """Distances to the camera (N,) as depths behind the pivot, in units of the region."""
        nearest = distance_cm - self.view.distance_cm
        return np.asarray(nearest / (self.view.distance_cm * self.region.size_px), np.float32)

    def rotation(self) -> FloatArray:
        """The mesh's rotation (3, 3) as seen in the crop."""
        return np.asarray(roll_matrix(self.region.roll_rad) @ self.view.rotation, np.float32)


def on_plane(points: FloatArray, view: HeadView) -> FloatArray:
    """Points (N, 3) of the head in the picture plane: x right, y down, distance in cm."""
    turned = (points.astype(np.float32) - PIVOT_CM) @ view.rotation.T
    away = np.float32(view.distance_cm) - turned[:, 2]
    return np.stack([turned[:, 0] / away, -turned[:, 1] / away, away], axis=1).astype(np.float32)


def crop_around(landmarks: FloatArray, view: HeadView) -> Crop:
    """The crop of landmarks (146, 3) on the head, in cm: as the teacher's packs are cut."""
    plane = on_plane(landmarks, view)[:, :2]
    return Crop(FaceRegion.from_landmarks(plane, EYE_CORNERS, LANDMARK_MARGIN), view)


def sample_view(rng: np.random.Generator, narrow: float = 1.0) -> HeadView:
    """A random view: moderate turns mostly, the farthest ones sometimes.

    Args:
        rng: source of randomness.
        narrow: factor for all turns.
    """
    if rng.random() < 0.3:
        yaw, pitch = rng.uniform(-1, 1, 2) * (FARTHEST_YAW_RAD, FARTHEST_PITCH_RAD)
        # Both extremes together hide the face.
        pitch *= 1 - 0.4 * abs(yaw) / FARTHEST_YAW_RAD
    else:
        yaw, pitch = rng.normal(0, 1, 2) * (0.33, 0.19)
    yaw = np.clip(yaw, -FARTHEST_YAW_RAD, FARTHEST_YAW_RAD)
    pitch = np.clip(pitch, -FARTHEST_PITCH_RAD, FARTHEST_PITCH_RAD)
    roll = np.clip(rng.normal(0, 0.16), -FARTHEST_ROLL_RAD, FARTHEST_ROLL_RAD)
    distance = np.exp(rng.uniform(np.log(NEAREST_CM), np.log(FARTHEST_CM)))
    turned = rotation_from_euler(*(narrow * float(angle) for angle in (yaw, pitch, roll)))
    return HeadView(turned, float(distance))
