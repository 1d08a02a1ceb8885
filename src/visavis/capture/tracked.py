"""Frames whose face is known already: from a track file, a phone or another tracker."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from visavis.channels import BLENDSHAPES, FACE_CHANNELS, FACE_INDEX
from visavis.errors import InputError
from visavis.types import AvatarPose, Expression, Face, FaceState, Frame, ImageArray

# Side of the picture of a frame that has none, in pixels.
BLANK_PX = 480
BLANK_GRAY = 24
# A head farther away than this is a mistake of the sender.
FARTHEST_CM = 1000.0
# How trackers spell the names of weights -> our names: eyeBlinkLeft, EyeBlinkLeft, eyeBlink_L, EyeBlink_L.
SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        spelling: name
        for name in BLENDSHAPES
        for short in (name, re.sub("(Left|Right)$", lambda side: f"_{side[0][0]}", name))
        for spelling in (short, short[0].upper() + short[1:])
    }
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrackedFrame(Frame):
    """A frame with a known face or pose; trackers and recognizers leave such a frame alone.

    Attributes:
        faces: the face, or none.
        pose: the avatar's pose, if that is what is known; then the avatar takes it as it is.
    """

    faces: tuple[Face, ...] = ()
    pose: AvatarPose | None = None


def blank_picture() -> ImageArray:
    """The picture (H, W, 3) uint8 of a frame that has none."""
    return np.full((BLANK_PX, BLANK_PX, 3), BLANK_GRAY, np.uint8)


def known_face(state: FaceState, expression: Expression | None = None) -> Face:
    """A face in the middle of the blank picture, without landmarks."""
    low, high = BLANK_PX / 6, BLANK_PX * 5 / 6
    return Face(
        track_id=0,
        score=1.0,
        box_xyxy=np.asarray([low, low, high, high], np.float32),
        landmarks_xy=np.zeros((0, 2), np.float32),
        corners_xy=np.asarray([[low, low], [high, low], [high, high], [low, high]], np.float32),
        state=state,
        expression=expression,
        label=None if expression is None else expression.label,
    )


def state_of(
    weights: Mapping[str, float],
    head_rad: tuple[float, float, float] = (0.0, 0.0, 0.0),
    translation_cm: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> FaceState:
    """A face state from what a tracker sends.

    Args:
        weights: weights by ARKit's names; unknown names are ignored, missing ones are 0, others cut to 0..1.
        head_rad: yaw, pitch and roll as in :class:`~visavis.types.FaceState`; brought into a half turn.
        translation_cm: x, y and z as in :class:`~visavis.types.FaceState`; cut to 10 m.

    Raises:
        InputError: a number is not finite.
    """
    if not all(map(math.isfinite, (*weights.values(), *head_rad, *translation_cm))):
        raise InputError("a face with a number that is not finite")
    values = np.zeros(len(FACE_CHANNELS), np.float64)
    for name, weight in weights.items():
        if (index := FACE_INDEX.get(name, len(BLENDSHAPES))) < len(BLENDSHAPES):
            values[index] = min(max(weight, 0.0), 1.0)
    values[len(BLENDSHAPES) :] = (*(math.remainder(angle, math.tau) for angle in head_rad), *translation_cm)
    values[-3:] = values[-3:].clip(-FARTHEST_CM, FARTHEST_CM)
    return FaceState(values.astype(np.float32))
