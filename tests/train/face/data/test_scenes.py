"""Scenes for the detector and pictures without faces: right labels, varied clutter, distinct pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from visavis.errors import InputError
from visavis.face.detector import FaceDetector, SearchView
from visavis.types import FloatArray, ImageArray
from visavis_train.face.data import negatives, photographs
from visavis_train.face.data.clutter import clutter
from visavis_train.face.data.photographs import Package, fingerprint, pictures, read_any
from visavis_train.face.data.scenes import FACE_PX, Material, SceneDataset, target_maps, turned
from visavis_train.face.data.teacher import CROP_PX
from visavis_train.face.detector import GRID, INPUT_PX


def marked_crop() -> ImageArray:
    """A crop whose face is green, but red below the eyes' line: tells place, size and way up."""
    crop = np.full((CROP_PX, CROP_PX, 3), 90, np.uint8)
    middle, half = CROP_PX / 2, FACE_PX / 2
    low, high = int(middle - half), int(middle + half)
    crop[low:high, low:high] = (20, 220, 20)
    crop[int(middle) : high, low:high] = (220, 20, 20)
    return crop


@pytest.fixture
def data() -> SceneDataset:
    ground = np.full((200, 300, 3), 90, np.uint8)
    return SceneDataset(Material([], marked_crop()[None], [ground]), 8)


@pytest.mark.parametrize("roll_deg", [0.0, 90.0, -90.0, 180.0, 37.0])
@pytest.mark.parametrize("side", [16.0, 60.0])
def test_a_pasted_face_lies_where_its_label_says(data: SceneDataset, roll_deg: float, side: float) -> None:
    picture = np.full((INPUT_PX, INPUT_PX, 3), 90, np.uint8)
    face = np.array([70.0, 85.0, side, np.radians(roll_deg)], np.float32)
    data.paste(picture, face, np.random.default_rng(0))
    green = np.argwhere(picture[..., 1].astype(int) - picture[..., 0] > 60)[:, ::-1].mean(axis=0)
    red = np.argwhere(picture[..., 0].astype(int) - picture[..., 1] > 60)[:, ::-1].mean(axis=0)
    np.testing.assert_allclose((green + red) / 2, face[:2], atol=1.5)
    down = (red - green) / np.linalg.norm(red - green)
    np.testing.assert_allclose(down, [-np.sin(face[3]), np.cos(face[3])], atol=0.1)
    assert np.linalg.norm(red - green) == pytest.approx(side / 2, rel=0.2)


def test_turning_a_frame_moves_its_faces_with_it() -> None:
    faces = np.array([[100, 50, 30, 0.2], [140, 50, 20, 0.0]], np.float32)
    matrix, moved = turned(faces[0], np.array([80.0, 80.0]), 2.0, 90.0, faces)
    np.testing.assert_allclose(moved[0], [80, 80, 60, 0.2 + np.pi / 2], atol=1e-4)
    # What was to the right is below after a quarter turn clockwise; 80 px down it is outside.
    np.testing.assert_allclose(matrix @ [140, 50, 1], [80, 160], atol=1e-3)
    assert len(moved) == 1


def test_the_detector_reads_from_the_maps_what_was_put_into_them() -> None:
    maps = target_maps(np.array([[83.0, 41.0, 32.0, -2.0]], np.float32))
    read = (maps["heat"], np.exp(maps["size"]), maps["offset"], maps["roll"])
    (found,) = FaceDetector()._peaks(SearchView(0, 0, INPUT_PX, near=False), *read)
    np.testing.assert_allclose(found.box_xyxy, [67, 25, 99, 57], atol=1e-3)
    assert found.roll_rad == pytest.approx(-2)


def test_target_maps_hold_the_face_in_its_cell() -> None:
    maps = target_maps(np.array([[83.0, 41.0, 32.0, -2.0]], np.float32))
    row, column = np.argwhere(maps["heat"] == 1)[0]
    scale = GRID / INPUT_PX
    assert (column + 0.5 + maps["offset"][0, row, column]) / scale - 0.5 == pytest.approx(83, abs=0.01)
    assert (row + 0.5 + maps["offset"][1, row, column]) / scale - 0.5 == pytest.approx(41, abs=0.01)
    assert np.exp(maps["size"][row, column]) * INPUT_PX == pytest.approx(32)
    cos, sin = maps["roll"][:, row, column]
    assert np.arctan2(sin, cos) == pytest.approx(-2.0)
    assert maps["mask"][row, column] == 1


def test_scenes_without_faces_are_common_and_labels_stay_inside(data: SceneDataset) -> None:
    rng = np.random.default_rng(0)
    scenes = [data.scene(rng) for _ in range(200)]
    empty = sum(len(faces) == 0 for _, faces in scenes)
    assert 40 < empty < 120
    every: FloatArray = np.concatenate([faces for _, faces in scenes])
    assert ((every[:, :2] > 0) & (every[:, :2] < INPUT_PX)).all()
    assert every[:, 2].min() < 0.05 * INPUT_PX
    assert every[:, 2].max() > 0.8 * INPUT_PX
    assert {picture.shape for picture, _ in scenes} == {(INPUT_PX, INPUT_PX, 3)}


def test_squares_beside_a_face_hold_hardly_any_of_it() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    image[80:160, 120:200] = 255
    face = np.array([120, 80, 200, 160], np.float32)

    def whites(faces: list[FloatArray]) -> list[float]:
        squares = negatives.from_video(image, faces, np.random.default_rng(0), 400)
        return [float((square > 128).mean()) for square in squares]

    assert len(whites([face])) > 50
    assert np.mean(np.asarray(whites([face])) > 0.1) < 0.05 < np.mean(np.asarray(whites([])) > 0.1)


def test_clutter_is_varied_and_repeats_with_its_seed() -> None:
    first = [clutter(np.random.default_rng(seed)) for seed in range(6)]
    again = [clutter(np.random.default_rng(seed)) for seed in range(6)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({fingerprint(picture) for picture in first}) == 6


def package_folder(cache: Path) -> Package:
    """A package in the cache: two different pictures, one twice, one too small."""
    rng = np.random.default_rng(0)
    place = cache / "some-pictures" / "usr"
    place.mkdir(parents=True)
    for name, seed in (("a", 0), ("b", 1), ("copy", 0)):
        picture = cv2.resize(np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8), (400, 300))
        cv2.imwrite(str(place / f"{name}.png"), picture)
    cv2.imwrite(str(place / "icon.png"), rng.integers(0, 256, (32, 32, 3), np.uint8))
    return Package(debian="some-pictures", folder="usr")


def test_packages_give_each_picture_once(tmp_path: Path) -> None:
    names = [name for name, _ in pictures([package_folder(tmp_path)], tmp_path)]
    assert names == ["some-pictures/a", "some-pictures/b"]


def test_a_package_has_one_source() -> None:
    with pytest.raises(ValidationError, match="either debian or wheel"):
        Package(folder="usr")


def test_what_shines_through_lies_on_a_plain_ground(tmp_path: Path) -> None:
    picture = np.zeros((120, 120, 4), np.uint8)
    picture[40:80, 40:80] = (10, 20, 30, 255)
    cv2.imwrite(str(tmp_path / "stamp.png"), picture)
    image = read_any(tmp_path / "stamp.png")
    assert image is not None
    assert image[60, 60].tolist() == [30, 20, 10]
    assert len(np.unique(image[:30].reshape(-1, 3), axis=0)) == 1
    assert image[0].min() >= 40


def test_held_out_pictures_are_kept_apart(tmp_path: Path) -> None:
    package_folder(tmp_path / "cache")
    sources = tmp_path / "sources.toml"
    sources.write_text(
        'faces = []\ncleared = []\nheld_out = ["some-pictures/b"]\n'
        '[[package]]\ndebian = "some-pictures"\nfolder = "usr"\n'
    )
    out = tmp_path / "out"
    photographs.collect(sources, out, cache=tmp_path / "cache")
    assert [path.name for path in sorted(out.glob("*/*.jpg"))] == [
        "some-pictures-b.jpg",
        "some-pictures-a.jpg",
    ]
    assert (out / "list.txt").read_text().split("\n")[1] == "held_out\tsome-pictures/b"


def test_a_file_that_names_no_sources_is_told(tmp_path: Path) -> None:
    sources = tmp_path / "sources.toml"
    sources.write_text("faces = []\n")
    with pytest.raises(InputError, match=r"sources\.toml: cleared: is missing"):
        photographs.collect(sources, tmp_path / "out", cache=tmp_path / "cache")
    assert not (tmp_path / "out").exists()
