"""Packs of face states: what the face network sees in crops, without the crops that it does not believe."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from visavis.errors import InputError
from visavis.types import ImageArray
from visavis_train.data import face_states
from visavis_train.data.face_states import FaceStates, measure

NOISE = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)


@pytest.fixture(scope="module")
def crops(crop: ImageArray) -> ImageArray:
    """The portrait as it is, darker, and mirrored: (3, 48, 48)."""
    return np.stack([crop, crop // 2, crop[:, ::-1]])


@pytest.fixture(scope="module")
def states(crops: ImageArray) -> FaceStates:
    return measure(np.stack([crops[0], NOISE, crops[1]]), crops[2:])


def arrays(states: FaceStates) -> dict[str, Any]:
    return {name: getattr(states, name) for name in ("images", "shape", "weights", "facing", "held_out")}


def test_only_faces_are_in_the_pack_and_their_shapes_have_one_size(
    states: FaceStates, crops: ImageArray
) -> None:
    np.testing.assert_array_equal(states.images, crops)
    assert states.held_out.tolist() == [False, False, True]
    np.testing.assert_allclose(states.shape.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose((states.shape[..., :2] ** 2).sum(axis=2).mean(axis=1), 1, atol=1e-5)
    # Light is not part of a state.
    assert np.abs(states.shape[0] - states.shape[1]).mean() < 0.02
    assert np.linalg.norm(states.facing, axis=1).max() < 0.5


def test_a_mirrored_state_is_the_state_of_the_mirrored_picture(states: FaceStates) -> None:
    for plain, mirrored, atol in zip(
        states.parts(), states.mirrored_parts(), (0.03, 0.06, 0.05), strict=True
    ):
        assert np.abs(mirrored[0] - plain[2]).mean() < atol
    shape, weights, facing = states.mirrored_parts()
    twice = FaceStates(
        states.images, shape.reshape(states.shape.shape), weights, facing, states.held_out
    ).mirrored_parts()
    for once, back in zip(states.parts(), twice, strict=True):
        np.testing.assert_allclose(once, back, atol=1e-6)


def test_a_pack_comes_back_as_it_was_saved(states: FaceStates, tmp_path: Path) -> None:
    states.save(tmp_path / "pack.npz")
    for name, value in arrays(FaceStates.load(tmp_path / "pack.npz")).items():
        np.testing.assert_array_equal(value, arrays(states)[name])
    assert [path.name for path in tmp_path.iterdir()] == ["pack.npz"]


def cut(found: dict[str, Any]) -> None:
    found["weights"] = found["weights"][:, :50]


def as_floats(found: dict[str, Any]) -> None:
    found["images"] = found["images"] / 255


def spoil(found: dict[str, Any]) -> None:
    found["facing"] = np.full_like(found["facing"], np.nan)


def hold_out_all(found: dict[str, Any]) -> None:
    found["held_out"] = np.ones_like(found["held_out"])


def forget(found: dict[str, Any]) -> None:
    del found["shape"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut, r"weights of face states is \('float32', \(3, 50\)\); expected \('float32', \(3, 51\)\)"),
        (as_floats, "images of face states is"),
        (spoil, "values that are not finite"),
        (hold_out_all, "3 of 3 faces are held out; expected some, and not all"),
        (forget, "a pack of face states holds the arrays"),
    ],
)
def test_a_pack_that_is_none_is_named(
    change: Callable[[dict[str, Any]], None], message: str, states: FaceStates, tmp_path: Path
) -> None:
    found = arrays(states)
    change(found)
    np.savez(tmp_path / "bad.npz", **found)
    with pytest.raises(InputError, match=message) as told:
        FaceStates.load(tmp_path / "bad.npz")
    assert str(told.value).startswith(str(tmp_path / "bad.npz"))


def write_fer(folder: Path, faces: ImageArray) -> None:
    """``fer2013.csv`` whose last face is PublicTest's."""
    with (folder / "fer2013.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["emotion", "pixels", "Usage"])
        for place, face in enumerate(faces, start=1):
            usage = "PublicTest" if place == len(faces) else "Training"
            rows.writerow([6, " ".join(map(str, face.ravel())), usage])


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["face_states", *map(str, words)])
    return face_states.main()


def test_the_command_writes_faces_of_fer_2013_and_of_folders(
    crops: ImageArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more").mkdir()
    cv2.imwrite(str(tmp_path / "more" / "a.png"), crops[1])
    write_fer(tmp_path, np.stack([crops[0], NOISE, crops[2]]))
    pack = tmp_path / "pack.npz"
    assert run(monkeypatch, tmp_path, pack, "--faces", tmp_path / "more") == 0
    assert "3 of 4 faces, 1 of them held out" in " ".join(capsys.readouterr().err.split())
    np.testing.assert_array_equal(FaceStates.load(pack).images, crops)


def test_faces_that_are_none_end_with_one_line_and_no_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fer(tmp_path, np.stack([NOISE, NOISE]))
    assert run(monkeypatch, tmp_path, tmp_path / "pack.npz") == 2
    assert "sees a face in none of 2 pictures" in " ".join(capsys.readouterr().err.split())
    assert run(monkeypatch, tmp_path, tmp_path / "nowhere" / "pack.npz") == 2
    assert "make it first" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["fer2013.csv"]
