"""Labelled faces: both layouts give the same, and every fault of a pack is one clear line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.known_faces import SIDE, labels, write_pack
from visavis.datasets.face_labels import STORED_MARGIN, FaceLabelPack, FaceLabels
from visavis.errors import InputError
from visavis.face.geometry import euler_angles, roll_matrix, upright
from visavis.face.mesh import LANDMARKS_146


def test_a_pack_is_read(tmp_path: Path) -> None:
    arrays = labels()
    pack = FaceLabelPack.load(write_pack(tmp_path / "pack", arrays | {"truth": np.asarray("known")}))
    assert len(pack.labels) == 12
    assert pack.labels.truth == "known"
    np.testing.assert_array_equal(pack.labels.weights, arrays["blendshapes"])
    np.testing.assert_array_equal(pack.labels.numbers, LANDMARKS_146)
    assert pack.region.size_px * STORED_MARGIN == SIDE
    assert pack.region.center_xy == (SIDE / 2 - 0.5, SIDE / 2 - 0.5)


def test_the_layout_of_mediapipes_own_answers_says_the_same(tmp_path: Path) -> None:
    arrays = labels()
    arrays["blendshapes"][:, 51] = 0  # It has no tongueOut, but _neutral, which comes first.
    landmarks = np.zeros((12, 478, 3), np.float32)
    landmarks[:, list(LANDMARKS_146)] = arrays["landmarks146"]
    matrix = np.tile(np.eye(4, dtype=np.float32), (12, 1, 1))
    matrix[:, :3, :3] = [roll_matrix(0.4) @ each for each in arrays["rotation"]]
    np.savez(
        tmp_path / "labels.npz",
        landmarks=landmarks,
        matrix=matrix,
        blendshapes=np.column_stack([np.full(12, 1e-6, np.float32), arrays["blendshapes"][:, :51]]),
        source=arrays["source"],
    )
    known = FaceLabels.load(tmp_path / "labels.npz")
    np.testing.assert_array_equal(known.weights, arrays["blendshapes"])
    np.testing.assert_array_equal(known.landmarks[:, list(LANDMARKS_146)], arrays["landmarks146"])
    np.testing.assert_array_equal(known.numbers, np.arange(478))
    np.testing.assert_allclose(known.rotation, upright(arrays["rotation"]), atol=1e-6)
    assert known.region is None
    assert known.truth == "teacher"


def test_an_upright_head_has_its_own_axis_level() -> None:
    turned = np.stack([roll_matrix(angle) for angle in (-2.0, 0.3, 1.5)])
    np.testing.assert_allclose(upright(turned), np.tile(np.eye(3), (3, 1, 1)), atol=1e-6)
    for before, after in zip(labels()["rotation"], upright(labels()["rotation"]), strict=True):
        np.testing.assert_allclose(euler_angles(before)[:2], euler_angles(after)[:2], atol=0.2)
        assert after[1, 0] == pytest.approx(0, abs=1e-6)


def test_the_largest_face_of_a_frame_counts(tmp_path: Path) -> None:
    arrays = labels(4)
    arrays["source"] = np.asarray(["a:00003", "a:00003", "b:00003", "still_7"])
    arrays["region"][:, 2] = [10, 20, 30, 40]
    np.savez(tmp_path / "labels.npz", **arrays)
    known = FaceLabels.load(tmp_path / "labels.npz")
    assert known.frames("a") == {3: 1}
    assert known.frames("b") == {3: 2}
    with pytest.raises(InputError, match="no face of c is labelled; expected sources such as c:00000"):
        known.frames("c")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blendshapes": None}, r"labels\.npz: lacks the arrays blendshapes; found landmarks146, "),
        (
            {"landmarks146": None, "rotation": None},
            "lacks the arrays landmarks146 or landmarks, rotation or matrix",
        ),
        ({"source": np.arange(12)}, r"source must name each face; found int64 of shape \(12,\)"),
        ({"source": np.zeros(0, "U3")}, "source must name each face"),
        ({"blendshapes": np.zeros((12, 51))}, r"blendshapes has shape \(12, 51\); expected \(12, 52\)"),
        ({"landmarks146": np.zeros((12, 145, 3))}, r"landmarks146 has shape \(12, 145, 3\)"),
        ({"rotation": np.full((12, 3, 3), np.nan)}, "rotation holds nan"),
        ({"region": np.zeros((11, 4))}, r"region has shape \(11, 4\); expected \(12, 4\)"),
        ({"landmark_numbers": np.arange(400, 546)}, r"landmark_numbers must lie in 0\.\.477"),
    ],
)
def test_wrong_labels_are_one_clear_line(
    tmp_path: Path, changes: dict[str, np.ndarray | None], message: str
) -> None:
    arrays = {name: each for name, each in (labels() | changes).items() if each is not None}
    path = tmp_path / "labels.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message) as caught:
        FaceLabels.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("crops", "message"),
    [
        (None, r"crops\.npy: no such file"),
        (
            np.zeros((12, 56, 56), np.uint8),
            r"crops\.npy: found uint8 of shape \(12, 56, 56\); expected uint8",
        ),
        (np.zeros((12, 56, 56, 3), np.float32), "found float32"),
        (np.zeros((12, 56, 48, 3), np.uint8), r"expected uint8 \(N, S, S, 3\)"),
        (np.zeros((12, 8, 8, 3), np.uint8), "S at least 32"),
        (np.zeros((11, 56, 56, 3), np.uint8), "11 crops, but labels of 12 faces"),
    ],
)
def test_wrong_crops_are_one_clear_line(tmp_path: Path, crops: np.ndarray | None, message: str) -> None:
    folder = write_pack(tmp_path / "pack", labels())
    if crops is None:
        (folder / "crops.npy").unlink()
    else:
        np.save(folder / "crops.npy", crops)
    with pytest.raises(InputError, match=message):
        FaceLabelPack.load(folder)


def test_labels_that_are_damaged_or_missing_are_one_clear_line(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "pack", labels())
    path = folder / "labels.npz"
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(InputError, match=r"labels\.npz: not a readable file of face labels"):
        FaceLabelPack.load(folder)
    path.unlink()
    with pytest.raises(InputError, match=r"labels\.npz: no such file; make it by  visavis lab label-faces"):
        FaceLabelPack.load(folder)


def test_labels_without_regions_know_no_clips(tmp_path: Path) -> None:
    arrays = labels()
    del arrays["region"]
    np.savez(tmp_path / "labels.npz", **arrays)
    known = FaceLabels.load(tmp_path / "labels.npz")
    with pytest.raises(InputError, match="need the array region"):
        known.frames("clip")
