"""Packs of labelled faces: views move labels with the picture, and damaged packs are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tiny_faces import N, write
from visavis.errors import InputError
from visavis_train.face.data.faces import (
    CropAugmentation,
    FaceDataset,
    load_faces,
    validation_rows,
    view,
    warp,
)
from visavis_train.face.data.mirroring import FLIPPED_WEIGHTS
from visavis_train.face.parts import INPUT_PX


def test_an_exact_view_changes_no_label(tmp_path: Path) -> None:
    pack = load_faces(write(tmp_path))
    face = FaceDataset(pack, np.arange(N), None)[45]
    np.testing.assert_allclose(face["landmarks"], pack.landmarks[45], atol=1e-6)
    np.testing.assert_allclose(face["rotation"], pack.rotation[45], atol=1e-6)
    assert (float(face["rendered"]), float(face["trust"]), float(face["score"])) == (1, 1, 1)
    middle = slice((224 - INPUT_PX) // 2, (224 + INPUT_PX) // 2)
    np.testing.assert_array_equal(face["image"], pack.crop(45)[middle, middle])


def test_views_of_one_face_are_mirrored_half_of_the_time_with_their_weights(tmp_path: Path) -> None:
    pack = load_faces(write(tmp_path))
    data = FaceDataset(pack, np.arange(N), CropAugmentation(wild=0, lost=0))
    plain = mirrored = 0
    for _ in range(60):
        weights = data[3]["weights"].numpy()
        plain += bool(np.array_equal(weights, pack.weights[3]))
        mirrored += bool(np.array_equal(weights, pack.weights[3][FLIPPED_WEIGHTS]))
    assert plain + mirrored == 60
    assert 15 < mirrored < 45


@given(st.integers(0, 10_000))
def test_a_landmark_moves_with_the_picture(seed: int) -> None:
    # A white spot, at a place of the stored crop, is found in the view where its landmark says.
    rng = np.random.default_rng(seed)
    matrix, _ = view(CropAugmentation(lost=0), rng)
    place = rng.uniform(-0.3, 0.3, 2).astype(np.float32)
    crop = np.zeros((224, 224, 3), np.uint8)
    x, y = np.rint(place * 160 + 111.5).astype(int)
    crop[y - 2 : y + 3, x - 2 : x + 3] = 255
    exact = (np.asarray([x, y]) - 111.5) / 160
    moved = (matrix[:, :2] @ exact + matrix[:, 2]) * 160 + 79.5
    seen = np.argwhere(warp(crop, matrix)[..., 0] > 127)[:, ::-1]
    if (np.abs(moved - 79.5) < 70).all():
        np.testing.assert_allclose(seen.mean(axis=0), moved, atol=0.8)


def test_a_crop_that_frames_no_face_teaches_nothing_but_its_score() -> None:
    rng = np.random.default_rng(0)
    lost = [view(CropAugmentation(lost=1), rng)[1] for _ in range(200)]
    near = [view(CropAugmentation(lost=0, wild=0), rng)[1] for _ in range(200)]
    assert max(lost) < 0.3
    assert np.mean(near) > 0.99


def test_stills_are_held_out_with_their_bent_copies_and_renders_are_not(tmp_path: Path) -> None:
    names = [f"utk_{k % 30}~{k // 30}" for k in range(40)] + [f"render:{k}" for k in range(20)]
    pack = load_faces(write(tmp_path, {"source": np.asarray(names)}))
    train, held_out = validation_rows(pack, ())
    people = {pack.source[row].split("~")[0] for row in held_out}
    assert people
    assert people.isdisjoint(pack.source[row].split("~")[0] for row in train)
    assert not pack.rendered[held_out].any()


def test_photographs_are_found_with_their_bent_copies(tmp_path: Path) -> None:
    names = [f"utk_{k % 30}~{k // 30}" for k in range(40)] + [f"render:{k}" for k in range(20)]
    pack = load_faces(write(tmp_path, {"source": np.asarray(names)}))
    np.testing.assert_array_equal(np.flatnonzero(pack.shows(np.asarray(["utk_3", "utk_12"]))), [3, 12, 33])


def test_packs_are_read_one_after_the_other(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one"), write(tmp_path / "other")
    pack = load_faces(one, other)
    assert len(pack.source) == 2 * N
    np.testing.assert_array_equal(pack.crop(N + 7), np.load(other / "crops.npy")[7])
    with pytest.raises(IndexError):
        pack.crop(2 * N)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rotation": None}, "rotation"),
        ({"blendshapes": np.zeros((N, 51), np.float32)}, r"blendshapes has shape \(60, 51\)"),
        ({"landmarks146": np.zeros((N, 478, 3), np.float32)}, "landmarks146 has shape"),
    ],
)
def test_a_pack_of_another_version_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_faces(write(tmp_path, changes))


def test_a_pack_without_pictures_is_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "crops.npy").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"crops\.npy: not a readable array"):
        load_faces(tmp_path)
