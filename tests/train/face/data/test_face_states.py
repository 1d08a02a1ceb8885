"""Packs of face states: the face network's answers for crops, without crops that it does not trust."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from support import tiny_fer
from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.face.geometry import rotation_from_euler
from visavis.face.mesh import LANDMARKS_146
from visavis.face.network import FaceNetwork, FaceReading
from visavis.face.region import FaceRegion
from visavis.types import ImageArray
from visavis_train.face.data.crop_landmarks import look_at_crop
from visavis_train.face.data.face_states import FaceStates, measure_states, write_states
from visavis_train.face.network import PARTNERS

NOISE = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)


@pytest.fixture(scope="module")
def crops(crop: ImageArray) -> ImageArray:
    """The portrait as it is, darker, and mirrored: (3, 48, 48)."""
    return np.stack([crop, crop // 2, crop[:, ::-1]])


@pytest.fixture(scope="module")
def states(crops: ImageArray) -> FaceStates:
    return measure_states(np.stack([crops[0], NOISE, crops[1]]), crops[2:])


def arrays(states: FaceStates) -> dict[str, Any]:
    return {name: getattr(states, name) for name in ("images", "shape", "weights", "facing", "held_out")}


class Looking:
    """A network that always sees the real one's landmarks, a head turned to its left, and one raised brow."""

    ROTATION = rotation_from_euler(0.3, -0.2, 0.0)

    def __init__(self, reading: FaceReading) -> None:
        weights = np.zeros(52, np.float32)
        weights[BLENDSHAPES.index("browOuterUpLeft")] = 0.75
        self._reading = replace(reading, weights=weights, rotation=self.ROTATION)

    def read(self, _image: ImageArray, regions: list[FaceRegion]) -> list[FaceReading]:
        return [self._reading for _ in regions]

    def next_region(self, reading: FaceReading) -> FaceRegion:
        return reading.region


def test_only_faces_are_in_the_pack_and_their_shapes_have_one_size(
    states: FaceStates, crops: ImageArray
) -> None:
    np.testing.assert_array_equal(states.images, crops)
    assert states.held_out.tolist() == [False, False, True]
    np.testing.assert_allclose(states.shape.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose((states.shape[..., :2] ** 2).sum(axis=2).mean(axis=1), 1, atol=1e-5)
    # Light is not part of a state.
    assert np.abs(states.shape[0] - states.shape[1]).mean() < 0.02


def test_a_state_is_what_the_network_says_and_its_mirror_image_is_the_other_side(crop: ImageArray) -> None:
    real, _ = look_at_crop(crop, FaceNetwork())
    states = measure_states(crop[None], crop[None], cast(FaceNetwork, Looking(real)))
    forward = Looking.ROTATION @ np.asarray([0, 0, 1])
    assert abs(forward[0]) > 0.2
    np.testing.assert_allclose(states.facing, [forward[:2]] * 2, atol=1e-6)
    left, right = (BLENDSHAPES.index(f"browOuterUp{side}") for side in ("Left", "Right"))
    assert (states.weights[0, left], states.weights[0, right]) == (0.75, 0)
    points = real.landmarks - real.landmarks.mean(axis=0)
    np.testing.assert_allclose(
        states.shape[0] * np.linalg.norm(points[:, :2]) / np.sqrt(len(points)), points, atol=1e-5
    )
    shape, weights, facing = states.mirrored_parts()
    np.testing.assert_allclose(facing, [forward[:2] * [-1, 1]] * 2, atol=1e-6)
    assert (weights[0, left], weights[0, right]) == (0, 0.75)
    corner, other = (LANDMARKS_146.index(number) for number in (33, 263))
    np.testing.assert_array_equal(shape.reshape(2, -1, 3)[0, corner], states.shape[0, other] * [-1, 1, 1])


def test_a_mirrored_shape_is_the_shape_of_the_mirrored_picture(states: FaceStates) -> None:
    mirrored = states.mirrored_parts()[0].reshape(states.shape.shape)
    assert np.abs(mirrored[0] - states.shape[2]).mean() < 0.02
    assert np.abs(mirrored[0] * [-1, 1, 1] - states.shape[2]).mean() > 0.2
    assert np.abs(states.shape[0] * [-1, 1, 1] - states.shape[2]).mean() > 0.2


def test_partners_are_each_others(states: FaceStates) -> None:
    partners = np.asarray(PARTNERS)
    np.testing.assert_array_equal(partners[partners], np.arange(len(LANDMARKS_146)))
    pairs = {(33, 263), (61, 291), (159, 386), (468, 473), (469, 476), (4, 4), (152, 152)}
    found = {
        (number, LANDMARKS_146[partner]) for number, partner in zip(LANDMARKS_146, PARTNERS, strict=True)
    }
    assert pairs <= found
    # In a face they lie across from each other, about as high.
    x, y = states.shape[0, :, 0], states.shape[0, :, 1]
    assert np.abs(x + x[partners]).max() < 0.25
    assert np.abs(y - y[partners]).max() < 0.25


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


def enlarge(found: dict[str, Any]) -> None:
    found["shape"] = found["shape"] * np.float32(1e37)


def go_beyond(found: dict[str, Any]) -> None:
    found["weights"] = found["weights"] + np.float32(1)


def hold_out_all(found: dict[str, Any]) -> None:
    found["held_out"] = np.ones_like(found["held_out"])


def forget(found: dict[str, Any]) -> None:
    del found["shape"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut, r"weights of face states is \('float32', \(3, 50\)\); expected \('float32', \(3, 52\)\)"),
        (as_floats, "images of face states is"),
        (spoil, "numbers that are out of range or not finite"),
        (enlarge, "numbers that are out of range or not finite"),
        (go_beyond, "numbers that are out of range or not finite"),
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
    usages = ["Training"] * (len(faces) - 1) + ["PublicTest"]
    tiny_fer.write_faces(folder, [(6, face, usage) for face, usage in zip(faces, usages, strict=True)])


def test_faces_of_fer_2013_and_of_folders_are_written(
    crops: ImageArray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more").mkdir()
    cv2.imwrite(str(tmp_path / "more" / "a.png"), crops[1])
    write_fer(tmp_path, np.stack([crops[0], NOISE, crops[2]]))
    pack = tmp_path / "pack.npz"
    write_states(tmp_path, pack, [tmp_path / "more"])
    assert "3 of 4 faces, 1 of them held out" in " ".join(capsys.readouterr().err.split())
    np.testing.assert_array_equal(FaceStates.load(pack).images, crops)


def test_faces_that_are_none_are_told_and_leave_no_pack(crop: ImageArray, tmp_path: Path) -> None:
    for faces, told in (
        ([NOISE, NOISE, crop], "in none of the 2 pictures to learn from"),
        ([crop, NOISE], "in none of the 1 pictures to measure on"),
    ):
        write_fer(tmp_path, np.stack(faces))
        with pytest.raises(InputError, match=told):
            write_states(tmp_path, tmp_path / "pack.npz")
    with pytest.raises(InputError, match="make it first"):
        write_states(tmp_path, tmp_path / "nowhere" / "pack.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["fer2013.csv"]
