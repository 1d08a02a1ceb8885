"""The data engine for real faces: labelled pictures, bent faces, and mirroring."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.capture.portrait import PortraitClip
from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.face.geometry import rotation_from_euler, upright
from visavis_train.face.data import teacher
from visavis_train.face.data.mirroring import FLIPPED_WEIGHTS, MIRROR, PARTNERS
from visavis_train.face.data.real_faces import enlarge, folder_images
from visavis_train.face.data.warping import warped

angle = st.floats(-0.9, 0.9)


def portrait() -> np.ndarray:
    with PortraitClip(0.1) as clip:
        return next(iter(clip)).image_rgb


def test_mirroring_twice_changes_nothing() -> None:
    numbers = np.arange(52)
    np.testing.assert_array_equal(numbers[FLIPPED_WEIGHTS][FLIPPED_WEIGHTS], numbers)
    np.testing.assert_array_equal(np.asarray(PARTNERS)[list(PARTNERS)], np.arange(146))
    assert BLENDSHAPES[FLIPPED_WEIGHTS[BLENDSHAPES.index("noseSneerLeft")]] == "noseSneerRight"


@given(angle, angle, angle)
def test_an_upright_head_has_a_level_axis_and_keeps_where_it_looks_up_to_a_roll(
    yaw: float, pitch: float, roll: float
) -> None:
    head = rotation_from_euler(yaw, pitch, roll)
    level = upright(head[None])[0]
    assert level[1, 0] == pytest.approx(0, abs=1e-5)
    assert level[2, 2] == pytest.approx(head[2, 2], abs=1e-5)
    np.testing.assert_allclose(upright(level[None])[0], level, atol=1e-5)
    np.testing.assert_allclose(level @ level.T, np.eye(3), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_a_bend_is_the_same_for_the_same_seed_and_leaves_the_border(seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (84, 84, 3), np.uint8)
    picture = cv2.GaussianBlur(picture, (0, 0), 2)
    one, other = (warped(picture, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert np.abs(one[:6].astype(int) - picture[:6]).max() <= 12


def test_a_tight_crop_gets_a_border_that_repeats_its_edge_and_not_black() -> None:
    crop = np.full((48, 48, 3), 90, np.uint8)
    assert enlarge(crop).shape == (336, 336, 3)
    assert np.abs(enlarge(crop).astype(int) - 90).max() <= 1


def test_a_folder_gives_its_pictures_and_frames_in_order(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.png", "sub/a.png", ".hidden.png", "notes.txt"):
        cv2.imwrite(str(tmp_path / "x.png"), np.zeros((8, 8, 3), np.uint8))
        (tmp_path / "x.png").rename(tmp_path / name)
    assert [name for name, _ in folder_images(tmp_path)] == ["own_b.png", "own_sub/a.png"]
    with pytest.raises(InputError, match="no such folder"):
        list(folder_images(tmp_path / "nothere"))


@pytest.mark.shared
def test_the_teacher_labels_a_picture_and_its_mirror_image_alike(shared: Path) -> None:
    pytest.importorskip("mediapipe")
    judge = teacher.Teacher(shared / "models" / "face_landmarker.task")
    picture = portrait()
    (one,) = judge.label("one", picture)
    (other,) = judge.label("other", np.ascontiguousarray(picture[:, ::-1]))
    np.testing.assert_allclose(other.blendshapes, one.blendshapes[FLIPPED_WEIGHTS], atol=1e-4)
    np.testing.assert_allclose(other.landmarks146, one.landmarks146[list(PARTNERS)] * MIRROR, atol=1e-3)
    np.testing.assert_allclose(other.rotation, MIRROR[:, None] * one.rotation * MIRROR, atol=1e-3)
    assert one.crop.shape == (teacher.CROP_PX, teacher.CROP_PX, 3)
    assert list(judge.label("none", np.zeros((200, 200, 3), np.uint8))) == []
    judge.close()


@pytest.mark.shared
def test_a_users_own_pictures_become_a_pack(shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    (tmp_path / "own").mkdir()
    cv2.imwrite(str(tmp_path / "own" / "me.png"), portrait()[:, :, ::-1])
    out, model = tmp_path / "pack", shared / "models" / "face_landmarker.task"
    assert teacher.label_pack(model, out, own=[tmp_path / "own"], warps=2, workers=2) == 3
    assert sorted(path.name for path in out.iterdir()) == ["crops.npy", "labels.npz"]
    assert np.load(out / "crops.npy", mmap_mode="r").shape == (3, teacher.CROP_PX, teacher.CROP_PX, 3)
    with np.load(out / "labels.npz") as labels:
        assert labels["source"].tolist() == ["own_me.png", "own_me.png~0", "own_me.png~1"]
        assert labels["landmarks146"].shape == (3, 146, 3)


@pytest.mark.shared
def test_a_file_that_is_no_model_is_one_line(tmp_path: Path, shared: Path) -> None:
    pytest.importorskip("mediapipe")
    (tmp_path / "x.task").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"x\.task: MediaPipe cannot use it"):
        teacher.Teacher(tmp_path / "x.task")
