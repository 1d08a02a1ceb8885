from __future__ import annotations

from math import radians

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.base.unity import IDENTITY, half, head_angles, normalized, product, quaternion
from visavis.face.geometry import rotation_from_euler

ANGLE = st.floats(-1.4, 1.4)


def turned(rotation: tuple[float, ...], point: tuple[float, float, float]) -> np.ndarray:
    """The point after the rotation, as Unity's ``Quaternion * Vector3`` gives it."""
    x, y, z, w = rotation
    axis, vector = np.asarray([x, y, z]), np.asarray(point)
    return vector + 2 * np.cross(axis, np.cross(axis, vector) + w * vector)


@pytest.mark.parametrize(
    ("angles", "point", "moves_to"),
    [
        # The avatar's own right is +x, its nose points to +z.
        ((0.5, 0, 0), (0, 0, 1), "own left"),
        ((0, 0.5, 0), (0, 0, 1), "up"),
        ((0, 0, 0.5), (0, 1, 0), "own left"),
    ],
)
def test_signs(angles: tuple[float, float, float], point: tuple[float, float, float], moves_to: str) -> None:
    """The nose of a turned or raised head, and the top of a leaning one."""
    moved = turned(quaternion(*angles), point)
    axis, sign = {"own left": (0, -1), "up": (1, 1)}[moves_to]
    assert sign * moved[axis] == pytest.approx(np.sin(0.5))


@given(ANGLE, ANGLE, ANGLE)
def test_rotation_is_that_of_the_camera_frame_with_x_turned_round(
    yaw: float, pitch: float, roll: float
) -> None:
    flip = np.diag([-1, 1, 1])
    matrix = flip @ rotation_from_euler(yaw, pitch, roll) @ flip
    for point in np.eye(3):
        np.testing.assert_allclose(
            turned(quaternion(yaw, pitch, roll), tuple(point)), matrix @ point, atol=1e-6
        )


@given(ANGLE, ANGLE, ANGLE)
def test_angles_are_found_again(yaw: float, pitch: float, roll: float) -> None:
    assert head_angles(quaternion(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll), abs=1e-9)


@given(ANGLE, ANGLE, ANGLE, st.sampled_from([1, -1]))
def test_two_halves_are_the_whole(yaw: float, pitch: float, roll: float, sign: int) -> None:
    whole = quaternion(yaw, pitch, roll)
    part = half(normalized([sign * value for value in whole]))
    np.testing.assert_allclose(product(part, part), whole, atol=1e-9)
    assert 2 * np.arccos(min(part[3], 1.0)) <= np.arccos(min(whole[3], 1.0)) + 1e-6


def test_golden_quaternion() -> None:
    expected = (-0.0737345, -0.1651992, 0.1193567, 0.9762307)  # Quaternion.Euler(-6, -20, 15)
    assert quaternion(radians(20), radians(6), radians(15)) == pytest.approx(expected, abs=1e-6)
    assert normalized([0, 0, 0, 0]) == IDENTITY
