"""Handmade faces and feelings, for tests of the avatar."""

from __future__ import annotations

import numpy as np

from support.samples import face_state
from visavis.avatar.parameters import Animator
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.types import Expression, FaceState

FPS = 25
RELAXED = {"eyeBlinkLeft": 0.1, "eyeBlinkRight": 0.1, "z": -50.0}


def face(**channels: float) -> FaceState:
    return face_state(**(RELAXED | channels))


def flipped(state: FaceState) -> FaceState:
    """What a mirror makes of a state, written out channel by channel."""
    other = {"Left": "Right", "Right": "Left"}
    values = []
    for name in FACE_CHANNELS:
        side = next((side for side in other if name.endswith(side)), "")
        value = state[name.removesuffix(side) + other.get(side, "")]
        values.append(-value if name in ("yaw", "roll", "x") else value)
    return FaceState(np.asarray(values))


def feeling(label: str, probability: float = 0.9) -> Expression:
    values = np.zeros(len(EXPRESSION_CHANNELS), np.float32)
    values[-8:] = (1 - probability) / 7
    values[EXPRESSION_CHANNELS.index(label)] = probability
    return Expression(values)


def warmed(mirror: bool = False, seconds: float = 2.0) -> tuple[Animator, float]:
    """An animator that has seen a relaxed face, and the time of the next frame."""
    animator = Animator(mirror=mirror)
    steps = int(seconds * FPS)
    for i in range(steps):
        animator.update(face(), None, i / FPS)
    return animator, steps / FPS


def after(mirror: bool = False, **channels: float) -> dict[str, float]:
    animator, time_s = warmed(mirror)
    return animator.update(face(**channels), None, time_s).as_dict()
