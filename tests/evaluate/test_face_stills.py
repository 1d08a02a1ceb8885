"""Packs, and pictures without a face: a right reader has no errors, a wrong one has the expected ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from support.known_faces import KnownNetwork, KnownTracker, labels, write_pack
from visavis.datasets.face_labels import FaceLabelPack
from visavis.errors import InputError
from visavis.evaluate.face_figures import FaceFigures
from visavis.evaluate.face_stills import count_false_faces, measure_pack

ALL = np.arange(12)


def measure(folder: Path, rows: np.ndarray = ALL, **wrong: float) -> FaceFigures:
    arrays = labels()
    pack = FaceLabelPack.load(write_pack(folder, arrays))
    return measure_pack(pack, KnownNetwork(arrays, **wrong), rows, lambda: None)


def test_who_says_what_the_labels_say_is_right(tmp_path: Path) -> None:
    figures = measure(tmp_path / "pack")
    assert figures.n == 12
    assert figures.mean_r == pytest.approx(1)
    assert figures.channels == 44
    assert figures.moving_r == pytest.approx(1)
    assert figures.error.max() == 0
    assert max(figures.landmarks.values()) == 0
    assert figures.head_deg.max() == 0


def test_errors_are_told_in_their_units(tmp_path: Path) -> None:
    truth = labels()["blendshapes"]
    figures = measure(tmp_path / "pack", gain=0.5, off=0.01)
    assert figures.mean_r == pytest.approx(1)
    np.testing.assert_allclose(figures.error, 0.5 * truth.mean(axis=0), rtol=1e-5)
    # The eye corners of these faces are 0.4 apart, give or take some noise.
    assert figures.landmarks["mouth"] == pytest.approx(0.01 / 0.4, rel=0.02)


def test_only_the_rows_that_were_asked_for_count(tmp_path: Path) -> None:
    figures = measure(tmp_path / "pack", np.asarray([3, 7]), gain=0.5)
    assert figures.n == 2
    np.testing.assert_allclose(figures.error, 0.5 * labels()["blendshapes"][[3, 7]].mean(axis=0), rtol=1e-5)


def test_faces_where_there_are_none_are_counted(tmp_path: Path) -> None:
    for name in ("a.png", "sub/b.jpg", "._a.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(cv2.imencode(".png", np.zeros((40, 60, 3), np.uint8))[1].tobytes())
    assert count_false_faces(tmp_path, KnownTracker(labels()), lambda: None).faces == {
        "a.png": 1,
        "sub/b.jpg": 1,
    }
    nobody = KnownTracker(labels(), misses=[0])
    assert count_false_faces(tmp_path, nobody, lambda: None).faces == {"a.png": 0, "sub/b.jpg": 0}
    with pytest.raises(InputError, match="no folder with pictures"):
        count_false_faces(tmp_path / "none", nobody, lambda: None)
