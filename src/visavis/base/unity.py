"""Head rotations as quaternions in Unity's axes, in which VMC sends them, and back as yaw, pitch and roll.

Unity's axes are left-handed: x to the avatar's own right, y up, z forward. So a head that turns to the
person's own left (yaw > 0 here) turns by a negative angle about y, a head that looks up (pitch > 0) by a
negative angle about x, and a head that leans to the person's own left (roll > 0) by a positive angle about z.
https://docs.unity3d.com/Manual/QuaternionAndEulerRotationsInUnity.html
"""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, atan2, cos, hypot, sin

Quaternion = tuple[float, float, float, float]
IDENTITY: Quaternion = (0.0, 0.0, 0.0, 1.0)


def quaternion(yaw: float, pitch: float, roll: float) -> Quaternion:
    """The rotation x, y, z, w of a head with these angles (see :class:`~visavis.types.FaceState`)."""
    about_y = (0.0, sin(-yaw / 2), 0.0, cos(-yaw / 2))
    about_x = (sin(-pitch / 2), 0.0, 0.0, cos(-pitch / 2))
    about_z = (0.0, 0.0, sin(roll / 2), cos(roll / 2))
    return product(product(about_y, about_x), about_z)


def head_angles(rotation: Quaternion) -> tuple[float, float, float]:
    """Yaw, pitch and roll in radians: the inverse of :func:`quaternion`."""
    x, y, z, w = rotation
    yaw = -atan2(2 * (x * z + y * w), 1 - 2 * (x * x + y * y))
    pitch = asin(min(max(2 * (y * z - x * w), -1.0), 1.0))
    roll = atan2(2 * (x * y + z * w), 1 - 2 * (x * x + z * z))
    return yaw, pitch, roll


def product(first: Quaternion, second: Quaternion) -> Quaternion:
    """The rotation of a child in its grandparent's frame, from its parent's rotation and its own."""
    x, y, z, w = first
    a, b, c, d = second
    return (
        w * a + x * d + y * c - z * b,
        w * b - x * c + y * d + z * a,
        w * c + x * b - y * a + z * d,
        w * d - x * a - y * b - z * c,
    )


def matrix(rotation: Quaternion) -> tuple[tuple[float, float, float], ...]:
    """The three rows of the matrix that turns as this rotation does."""
    x, y, z, w = rotation
    return (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )


def half(rotation: Quaternion) -> Quaternion:
    """The rotation that gives this one when it is applied twice."""
    x, y, z, w = rotation
    return normalized((x, y, z, w + 1) if w >= 0 else (-x, -y, -z, 1 - w))


def normalized(rotation: Sequence[float]) -> Quaternion:
    """The rotation at length 1; no rotation if its length is 0."""
    length = hypot(*rotation)
    if not length:
        return IDENTITY
    x, y, z, w = (value / length for value in rotation)
    return x, y, z, w
