"""A motion file as a source: its poses, at its own rate, reach the avatar as they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from visavis.capture.motion_file import MotionFile
from visavis.capture.source import open_source
from visavis.errors import InputError
from visavis.motion.motion3 import TOLERANCE, write_motion3
from visavis.pipeline import Pipeline
from visavis.types import AvatarPose


def written(path: Path, count: int = 20, fps: float = 25.0) -> list[AvatarPose]:
    poses = [
        AvatarPose.from_mapping({"ParamAngleX": 20.0 * np.sin(i), "ParamMouthOpenY": i / 20}, i / fps)
        for i in range(count)
    ]
    write_motion3(path, poses, fps)
    return poses


def test_the_avatar_does_what_the_motion_says(tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    poses = written(tmp_path / "m.motion3.json")
    with open_source(tmp_path / "m.motion3.json") as source:
        assert isinstance(source, MotionFile)
        assert (source.fps, source.frame_count_hint, source.live) == (25.0, 20, False)
        moments = [scripted_pipeline.step(frame) for frame in source]
    assert [moment.frame.time_s for moment in moments] == pytest.approx([pose.time_s for pose in poses])
    for moment, pose in zip(moments, poses, strict=True):
        assert moment.face is None
        found, wanted = moment.pose.as_dict(), pose.as_dict()
        assert found["ParamAngleX"] == pytest.approx(wanted["ParamAngleX"], abs=60 * TOLERANCE)
        assert found["ParamMouthOpenY"] == pytest.approx(wanted["ParamMouthOpenY"], abs=TOLERANCE)


def test_a_motion_that_lasts_for_ever_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.motion3.json"
    written(path)
    data = json.loads(path.read_text())
    data["Meta"]["Duration"] = 1e12
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match="at most 10000000 are played"):
        MotionFile(path)


@pytest.mark.shared
def test_real_motions_are_played(shared: Path) -> None:
    path = shared / "avatars" / "Haru" / "motions" / "haru_g_idle.motion3.json"
    with MotionFile(path) as source:
        frames = list(source)
    assert len(frames) == source.frame_count_hint
    assert len({frame.pose.values.tobytes() for frame in frames if frame.pose is not None}) > 10
