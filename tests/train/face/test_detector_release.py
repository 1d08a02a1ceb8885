"""The detector's export: without test frames it fails with one line, before it writes a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from visavis.errors import InputError
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
