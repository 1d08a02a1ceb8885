"""A face of 146 landmarks that tests move and turn in space, as seen by a distant camera."""

from __future__ import annotations

import numpy as np

from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.face.geometry import rotation_from_euler
from visavis.face.measures import BROWS, DEPTH, FRONT, Doubles
from visavis.face.mesh import LANDMARKS_146
from visavis.testing import ScriptedTracker
from visavis.types import Face, FaceState, FloatArray, Frame

NUMBERS = np.asarray(LANDMARKS_146, np.int32)
# In distances between the outer eye corners; the person's right is on the left.
PLACES = {
    **{number: (x, y) for number, (x, y, _) in FRONT.items()},
    **dict.fromkeys(BROWS[0], (-0.35, 0.3)),
    **dict.fromkeys(BROWS[1], (0.35, 0.3)),
    61: (-0.28, -0.76),
    291: (0.28, -0.76),
    13: (0.0, -0.74),
    14: (0.0, -0.76),
    159: (-0.35, 0.06),
    145: (-0.35, -0.04),
    386: (0.35, 0.06),
    374: (0.35, -0.04),
    468: (-0.35, 0.01),
    473: (0.35, 0.01),
}


def landmarks(
    moves: dict[int, Doubles], turns_rad: Doubles, size_px: float = 200.0, middle_px: float = 300.0
) -> FloatArray:
    """Landmarks (T, 146, 2) in pixels.

    Args:
        moves: by the point's number how far it goes right and up in each frame (T, 2), in eye distances.
        turns_rad: (T, 3) yaw, pitch, roll of the head.
        size_px: distance between the outer eye corners.
        middle_px: where the head's middle is, across and down.
    """
    shape = np.zeros((len(turns_rad), len(NUMBERS), 3))
    for place, number in enumerate(NUMBERS.tolist()):
        if number in PLACES:
            shape[:, place] = (*PLACES[number], DEPTH[number])
        shape[:, place, :2] += moves.get(number, 0.0)
    turned = np.stack(
        [one @ rotation_from_euler(*turn).T for one, turn in zip(shape, turns_rad, strict=True)]
    )
    return (size_px * turned[..., :2] * (1, -1) + middle_px).astype(np.float32)


def talking(time_s: Doubles) -> FloatArray:
    """Landmarks (T, 146, 2) of a face seen from the front whose lips part and close."""
    lower = np.stack([np.zeros(len(time_s)), -0.2 * opening(time_s)], axis=1)
    return landmarks({14: lower}, np.zeros((len(time_s), 3)))


def opening(time_s: Doubles) -> Doubles:
    """How far the jaw of :func:`talking` is open, 0..1."""
    return 0.5 + 0.4 * np.sin(3 * time_s)


class TalkingTracker(ScriptedTracker):
    """Finds the face of :func:`talking`: nothing but its jaw moves."""

    def update(self, frame: Frame) -> tuple[Face, ...]:
        time_s = np.asarray([frame.time_s])
        values = np.zeros(len(FACE_CHANNELS), np.float32)
        values[FACE_INDEX["jawOpen"]] = opening(time_s)[0]
        state, points = FaceState(values), talking(time_s)[0]
        return tuple(
            Face(0, 0.9, face.box_xyxy, points, face.corners_xy, state, landmark_numbers=NUMBERS)
            for face in super().update(frame)
        )
