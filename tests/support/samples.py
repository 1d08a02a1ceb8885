"""Samples for outputs."""

from __future__ import annotations

import numpy as np

from visavis.channels import EXPRESSION_CHANNELS, EXPRESSIONS, FACE_CHANNELS, FACE_INDEX
from visavis.outputs.sample import Sample
from visavis.track import Track
from visavis.types import AvatarPose, Expression, Face, FaceState

POSE = AvatarPose.from_mapping({}, 0.0)


def face_state(**values: float) -> FaceState:
    """A face at rest but for these channels."""
    row = np.zeros(len(FACE_CHANNELS), np.float32)
    for name, value in values.items():
        row[FACE_INDEX[name]] = value
    return FaceState(row)


def sample(
    time_s: float = 0.0,
    label: str | None = None,
    face: Face | None = None,
    size_px: tuple[int, int] = (640, 480),
    **values: float,
) -> Sample:
    """A seen face; its expression is certain."""
    expression = None
    if label is not None:
        row = np.zeros(len(EXPRESSION_CHANNELS), np.float32)
        row[len(EXPRESSION_CHANNELS) - len(EXPRESSIONS) + EXPRESSIONS.index(label)] = 1
        expression = Expression(row)
    return Sample(time_s, face_state(**values), POSE, face, expression, label, size_px)


def no_face(time_s: float = 0.0) -> Sample:
    """A moment at which no face is seen."""
    return Sample(time_s, None, POSE)


def moving_track(frames: int = 12, lost: tuple[int, ...] = ()) -> Track:
    """A track whose channels all move, to 0 and to 1 too; the face is not found in the frames ``lost``."""
    rng = np.random.default_rng(7)
    face = rng.uniform(0, 1, (frames, len(FACE_CHANNELS))).astype(np.float32)
    face[:, -6:-3] = rng.uniform(-0.6, 0.6, (frames, 3))
    face[0, ::2], face[0, 1::2] = 0, 1
    expression = np.zeros((frames, len(EXPRESSION_CHANNELS)), np.float32)
    expression[:, -len(EXPRESSIONS)] = 1
    found = np.ones(frames, bool)
    found[list(lost)] = False
    face[list(lost)] = expression[list(lost)] = np.nan
    empty = np.zeros((frames, 0, 2), np.float32), np.zeros(0, np.int32)
    return Track(np.arange(frames) / 25, face, expression, found, 25.0, *empty)


def samples_of(track: Track) -> list[Sample]:
    """What an output gets of each row of a track."""
    rows = zip(track.time_s, track.face, track.found, strict=True)
    return [Sample(float(time_s), FaceState(row) if found else None, POSE) for time_s, row, found in rows]
