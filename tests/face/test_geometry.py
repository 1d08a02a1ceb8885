import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.face.geometry import (
    FACE_RADIUS_CM,
    LANDMARK_MEAN_CM,
    VIEW_ANGLE_SHARE,
    euler_angles,
    head_pose,
    rotation_from_euler,
)
from visavis.face.region import FaceRegion

angle = st.floats(-1.2, 1.2)


@given(angle, angle, angle)
def test_angles_survive_a_rotation_matrix(yaw: float, pitch: float, roll: float) -> None:
    rotation = rotation_from_euler(yaw, pitch, roll)
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
    assert np.allclose(euler_angles(rotation), (yaw, pitch, roll), atol=1e-4)


def test_signs_are_those_that_the_face_state_promises() -> None:
    nose = np.array([0, 0, 1.0])
    up = np.array([0, 1.0, 0])
    assert (rotation_from_euler(0.5, 0, 0) @ nose)[0] > 0  # Nose to the image's right.
    assert (rotation_from_euler(0, 0.5, 0) @ nose)[1] > 0  # Nose up.
    assert (rotation_from_euler(0, 0, 0.5) @ up)[0] > 0  # Top of the head to the right: clockwise.


def face_points() -> np.ndarray:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, 3))
    points -= points.mean(axis=0)
    return points / np.sqrt(np.square(points).sum(axis=1).mean())


def test_a_projected_head_is_found_where_it_was() -> None:
    """Weak perspective: a head at a known place gives that place back."""
    width, height, side = 640, 480, 200.0
    focal = height / 2 / np.tan(np.radians(63.0) / 2)
    where = np.array([3.0, -2.0, -60.0])
    middle = where + LANDMARK_MEAN_CM  # The head looks straight ahead.
    u = width / 2 + focal * middle[0] / -middle[2]
    v = height / 2 - focal * middle[1] / -middle[2]
    region = FaceRegion((u, v), side)
    radius = FACE_RADIUS_CM * focal / -middle[2] / side
    pose = head_pose(
        np.asarray(face_points() * radius, np.float32), np.eye(3, dtype=np.float32), region, (width, height)
    )
    assert pose[3:] == pytest.approx(where, abs=0.05)
    ray = np.arctan((u - width / 2) / focal)
    assert pose[0] == pytest.approx(-VIEW_ANGLE_SHARE * ray, abs=1e-4)


def test_a_turned_crop_adds_its_roll() -> None:
    region = FaceRegion((320, 240), 200, roll_rad=0.3)
    pose = head_pose(
        np.asarray(face_points() * 0.2, np.float32), np.eye(3, dtype=np.float32), region, (640, 480)
    )
    assert pose[2] == pytest.approx(0.3, abs=1e-5)
