"""Mirroring of labels: landmarks and blendshapes change sides, rotations are reversed."""

from __future__ import annotations

import numpy as np

from visavis.channels import BLENDSHAPES, MIRROR_ORDER
from visavis_train.face.network import PARTNERS

__all__ = ["FLIPPED_WEIGHTS", "MIRROR", "PARTNERS"]

# For each of the 52 weights, its counterpart on the other side.
FLIPPED_WEIGHTS = list(MIRROR_ORDER[: len(BLENDSHAPES)])
# Signs of x, y and z under mirroring: landmarks and the axes of a rotation on both sides.
MIRROR = np.asarray([-1, 1, 1], np.float32)
