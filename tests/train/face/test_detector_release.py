"""The detector's export: its frames, and its score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from visavis.errors import InputError
from visavis.face.detector import Detection, FaceDetector
from visavis_train.face import detector_release
from visavis_train.face.detector_task import DetectorConfig


def test_without_frames_to_measure_nothing_is_written(
    make_video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video("other.mp4", count=5)
    np.savez(tmp_path / "labels.npz", source=np.asarray(["clip:00000"]), region=np.ones((1, 4), np.float32))
    config = DetectorConfig(pack=tmp_path, videos=tmp_path, out=tmp_path, test_clips=("clip",))
    monkeypatch.setattr(detector_release, "load_experiment", lambda *_: config)
    monkeypatch.setattr(detector_release, "export_onnx", lambda *_, **__: pytest.fail("written"))
    with pytest.raises(InputError, match=r"no frame of the test clips \(clip\) has a face"):
        detector_release.export_detector_network(tmp_path / "detector.toml")


@pytest.mark.parametrize(("weak", "share"), [(False, 1.0), (True, 0.0)])
def test_a_weak_trace_is_no_face_that_the_detector_finds(
    monkeypatch: pytest.MonkeyPatch, weak: bool, share: float
) -> None:
    detector = FaceDetector()
    found = [Detection(np.array([10, 10, 50, 50], np.float32), 0.9, weak=weak)]
    monkeypatch.setattr(detector, "detect", lambda *_, **__: found)
    frames = [(np.zeros((64, 64, 3), np.uint8), np.array([[30, 30, 40, 0]], np.float32))]
    assert detector_release.recall(detector, frames) == share
