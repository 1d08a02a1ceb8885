"""What a mirrored picture does to labels: landmarks and blendshapes change sides, rotations turn about."""

from __future__ import annotations

import numpy as np

from visavis.channels import BLENDSHAPES
from visavis.types import FloatArray
from visavis_train.models.face import PARTNERS

__all__ = ["FLIPPED_WEIGHTS", "MIRROR", "PARTNERS", "upright"]

# For each of the 52 weights its partner on the other side.
FLIPPED_WEIGHTS = [
    BLENDSHAPES.index(name.replace("Left", "?").replace("Right", "Left").replace("?", "Right"))
    for name in BLENDSHAPES
]
# Signs of x, y and z under mirroring: landmarks and the axes of a rotation on both sides.
MIRROR = np.asarray([-1, 1, 1], np.float32)


def upright(rotation: FloatArray) -> FloatArray:
    """Turn rotations (N, 3, 3) about the viewing axis until the head's own x axis is level.

    Crops are cut so: the line through the outer eye corners is horizontal in them.
    """
    angle = np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])
    c, s, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    turn = np.stack([c, s, zero, -s, c, zero, zero, zero, zero + 1], axis=1).reshape(-1, 3, 3)
    return np.asarray(turn @ rotation, np.float32)
