"""Squares without a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.tiny_faces import write
from visavis.errors import InputError
from visavis_train.face.data.negatives import from_video, write_negatives
from visavis_train.face.parts import INPUT_PX


def test_squares_of_a_video_are_shrunk_without_aliasing() -> None:
    fine = np.zeros((1600, 1600, 3), np.uint8)
    fine[::2, ::2] = fine[1::2, 1::2] = 255
    squares = list(from_video(fine, [], np.random.default_rng(0), 30))
    assert len(squares) == 30
    plain = 0
    for square in squares:
        assert square.shape == (INPUT_PX, INPUT_PX, 3)
        inside = square[square > 0]
        plain += len(inside) > 0 and abs(float(np.median(inside)) - 127) < 3 and inside.std() < 20
    assert plain > 15


def test_squares_of_a_video_avoid_faces() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[100:200, 300:400] = 255
    box = np.array([300, 100, 400, 200], np.float32)
    squares = list(from_video(image, [box], np.random.default_rng(0), 200))
    assert 20 < len(squares) < 200
    assert max(float((square > 250).mean()) for square in squares) < 0.15


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Faces with a clip's region for the first."""
    folder = write(tmp_path / "pack")
    with np.load(folder / "labels.npz") as labels:
        arrays = dict(labels)
    arrays["region"] = np.tile(np.float32([40, 40, 20, 0]), (len(arrays["source"]), 1))
    np.savez(folder / "labels.npz", **arrays)
    return folder


def test_pieces_of_faces_are_written(pack: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "some.npy"
    assert write_negatives(pack, [], out, parts=5) == 5
    assert np.load(out.parent / "some.npy").shape == (5, INPUT_PX, INPUT_PX, 3)
    assert [path.name for path in out.parent.iterdir()] == ["some.npy"]


def test_without_a_square_nothing_is_written(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no square to cut"):
        write_negatives(pack, [], tmp_path / "some.npy")
    assert not (tmp_path / "some.npy").exists()


def test_a_pack_that_is_missing_is_told_with_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make it by  visavis lab label-faces"):
        write_negatives(tmp_path, [], tmp_path / "some.npy")
