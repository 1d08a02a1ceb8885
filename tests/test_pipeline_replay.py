"""A recorded track moves the avatar as the face itself did."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from visavis.avatar.parameters import HIGHEST, LOWEST
from visavis.capture.portrait import PortraitClip
from visavis.capture.source import open_source
from visavis.pipeline import Pipeline
from visavis.recording.outputs import Outputs
from visavis.recording.record import record_source
from visavis.types import FloatArray

FRAMES = 60


def poses_of(source: object) -> FloatArray:
    with closing(Pipeline(recognizer=None, mirror=False)) as pipeline:
        return np.stack([pipeline.step(frame).pose.values for frame in islice(source, FRAMES)])


def test_a_replayed_track_moves_the_avatar_as_its_face_did(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    with PortraitClip() as portrait:
        seen = poses_of(portrait)
    with PortraitClip() as portrait, closing(Pipeline(recognizer=None, mirror=False)) as pipeline:
        record_source(portrait, pipeline, Outputs(track=path), limit_s=FRAMES / portrait.fps)
    with open_source(path) as track:
        replayed = poses_of(track)
    away = np.abs(seen - replayed) / (HIGHEST - LOWEST)
    assert len(seen) == len(replayed) == FRAMES
    assert seen.std(axis=0).max() > 0.05
    assert away.max() < 0.02
