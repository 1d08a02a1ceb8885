"""Probes for measuring: rendered faces that show one ARKit weight at full.

For each identity there are 45 pictures: one at rest, then one for each weight that is not gaze, in ARKit's
order. That weight is exactly 1 and the others are 0. Two weights need an open jaw. ``mouthClose`` closes the
lips over the jaw, so jawOpen is 1 (with less, this mesh pushes the lower lip through the nose). ``tongueOut``
has jawOpen 0.3. The pictures of one identity have the same skin, light, background and pose.
"""

from __future__ import annotations

import numpy as np

from visavis.channels import BLENDSHAPES, FACE_INDEX
from visavis.face.geometry import rotation_from_euler
from visavis.types import FloatArray
from visavis_train.face.rendering.camera import FARTHEST_CM, NEAREST_CM, HeadView

PROBED = tuple(name for name in BLENDSHAPES if not name.startswith("eyeLook"))
# Pictures of one identity.
EACH = 1 + len(PROBED)
JAW_OPEN = {"mouthClose": 1.0, "tongueOut": 0.3}
MOST_YAW_RAD, MOST_PITCH_RAD = np.radians([20.0, 12.0])


def probe_weights(number: int) -> FloatArray:
    """Weights (52,) of a picture; the eyes look straight ahead."""
    weights = np.zeros(len(BLENDSHAPES), np.float32)
    if place := number % EACH:
        name = PROBED[place - 1]
        weights[FACE_INDEX["jawOpen"]] = JAW_OPEN.get(name, 0.0)
        weights[FACE_INDEX[name]] = 1.0
    return weights


def probe_view(rng: np.random.Generator) -> HeadView:
    """A moderate view: the head turned by up to 20 degrees and nodding by up to 12, upright."""
    yaw, pitch = rng.uniform(-1, 1, 2) * (MOST_YAW_RAD, MOST_PITCH_RAD)
    distance = np.exp(rng.uniform(np.log(NEAREST_CM), np.log(FARTHEST_CM)))
    return HeadView(rotation_from_euler(float(yaw), float(pitch), 0.0), float(distance))
