"""Packs as small files: a round trip is exact, except for losses by JPEG and 16 bits."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from support.tiny_faces import N, write
from visavis.errors import InputError
from visavis_train.face.data.faces import load_faces
from visavis_train.face.data.shards import read_shards, write_shards


def smooth_crops(folder: Path) -> None:
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (N, 7, 7, 3), np.uint8)
    crops = [cv2.resize(each, (224, 224), interpolation=cv2.INTER_CUBIC) for each in small]
    np.save(folder / "crops.npy", np.stack(crops))


def test_a_pack_comes_back_from_its_shards(tmp_path: Path) -> None:
    covered = np.linspace(0, 1, N, dtype=np.float32)
    source = write(tmp_path / "pack", {"occluded": covered})
    smooth_crops(source)
    shards = write_shards(source, tmp_path / "small", side_px=128, quality=90, most_bytes=60_000, step=1)
    assert shards == len(list((tmp_path / "small").glob("*.npz"))) > 1
    assert read_shards(tmp_path / "small", tmp_path / "again") == N
    before, after = load_faces(source), load_faces(tmp_path / "again")
    np.testing.assert_array_equal(after.source, before.source)
    np.testing.assert_allclose(after.landmarks, before.landmarks, atol=5e-4)
    np.testing.assert_allclose(after.weights, before.weights, atol=5e-4)
    np.testing.assert_array_equal(after.occluded, covered)
    assert np.abs(after.crop(7).astype(int) - before.crop(7)).mean() < 3


def test_a_run_that_stops_leaves_no_labels_of_other_crops(tmp_path: Path) -> None:
    source = write(tmp_path / "pack")
    write_shards(source, tmp_path / "small", side_px=64, quality=50, most_bytes=10**9, step=1)
    again = write(tmp_path / "again")
    shard = next((tmp_path / "small").glob("*.npz"))
    with np.load(shard) as file:
        arrays = dict(file)
    arrays["jpeg"][arrays["offsets"][5] :] = 0
    np.savez(shard, **arrays)
    with pytest.raises(InputError, match="face 5"):
        read_shards(tmp_path / "small", again)
    with pytest.raises(InputError, match=r"labels\.npz"):
        load_faces(again)
