from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.avatar.puppet import Puppet, straight_alpha
from visavis.avatar.puppet_sheet import EXTREMES, MOUTHS, both, contact_sheet, write_png
from visavis.channels import AVATAR_PARAMETERS, EXPRESSIONS
from visavis.errors import InputError
from visavis.types import AvatarPose, ImageArray

REST = AvatarPose.from_mapping({}, 0.0)


@pytest.fixture(scope="module")
def loaded() -> Puppet:
    return Puppet.load()


@pytest.fixture
def puppet(loaded: Puppet) -> Puppet:
    loaded.reset()
    return loaded


def draw(puppet: Puppet, size_px: int = 128, **values: float) -> ImageArray:
    puppet.reset()
    named = {f"Param{name}": value for name, value in values.items()}
    return puppet.draw(AvatarPose.from_mapping(named, 0.0), size_px)


def difference(a: ImageArray, b: ImageArray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


@pytest.mark.parametrize("size_px", [16, 100, 257])
def test_pictures_have_the_size_asked_for(puppet: Puppet, size_px: int) -> None:
    image = puppet.draw(REST, size_px)
    assert image.shape == (size_px, size_px, 3)
    assert image.dtype == np.uint8
    assert image.std() > 20


def test_the_same_stream_gives_the_same_pictures(puppet: Puppet) -> None:
    poses = [AvatarPose.from_mapping({"ParamAngleX": 25 * np.sin(i)}, i / 30) for i in range(8)]
    first = [puppet.draw(pose, 96) for pose in poses]
    puppet.reset()
    assert np.array_equal(first, [puppet.draw(pose, 96) for pose in poses])


def test_hair_follows_late(puppet: Puppet) -> None:
    puppet.draw(REST, 128)
    turned = {"ParamAngleX": 30.0}
    moving = puppet.draw(AvatarPose.from_mapping(turned, 0.02), 128)
    for i in range(1, 16):  # gaps of half a second: a swing is exact over any gap up to one
        settled = puppet.draw(AvatarPose.from_mapping(turned, 0.02 + i / 2), 128)
    assert difference(moving, settled) > 0.5
    assert difference(settled, draw(puppet, AngleX=30)) < 0.05


@pytest.mark.parametrize("name", list(AVATAR_PARAMETERS))
def test_every_parameter_shows(puppet: Puppet, name: str) -> None:
    low, high, rest = AVATAR_PARAMETERS[name]
    at_rest = draw(puppet)
    for value in {low, high} - {rest}:
        assert difference(draw(puppet, **{name.removeprefix("Param"): value}), at_rest) > 0.01


def test_expressions_and_mouths_differ_from_each_other() -> None:
    sheet, alike = contact_sheet(96)
    assert alike == []
    cells = [
        sheet[y : y + 96, x : x + 96][24:] for y in range(0, 384, 96) for x in range(0, 672, 96)
    ]  # below the labels
    assert len(cells) == len(EXPRESSIONS) + len(MOUTHS) + len(EXTREMES)
    for i, a in enumerate(cells):
        for b in cells[:i]:
            assert difference(a, b) > 0.1


def test_backgrounds(puppet: Puppet) -> None:
    scene = np.zeros((64, 64, 3), np.uint8)
    scene[:, :, 2] = 200
    before = puppet.draw(REST, 64, scene)
    assert (before[0, 0] == (0, 0, 200)).all()
    assert (scene[:, :, 0] == 0).all()  # the caller's picture is left alone
    assert (puppet.draw(REST, 64, (9, 8, 7))[0, 0] == (9, 8, 7)).all()
    assert np.array_equal(before[40, 32], puppet.draw(REST, 64)[40, 32])  # the character hides it


def test_the_cut_out_on_any_color_is_the_drawing_on_that_color(puppet: Puppet) -> None:
    image = puppet.cut_out(REST, 256).astype(float)
    alpha = image[..., 3:] / 255
    assert alpha[0, 0] == 0
    assert alpha[140, 128] == 1
    for color in ((255, 0, 0), (0, 255, 0), (0, 0, 0), (255, 255, 255)):
        puppet.reset()
        seen = image[..., :3] * alpha + np.asarray(color) * (1 - alpha)
        assert np.abs(seen - puppet.draw(REST, 256, color)).max() <= 3


def test_transparent_pixels_take_the_colors_nearby(puppet: Puppet) -> None:
    image = puppet.cut_out(REST, 256)
    clear = image[..., 3] == 0
    beside = cv2.dilate((~clear).astype(np.uint8), np.ones((3, 3))).astype(bool) & clear
    assert image[beside, :3].max(axis=1).min() > 40  # Not black.
    assert not image[image[..., 3] == 0, :3].std(axis=0).max() > 60


def test_light_without_alpha_becomes_opaque() -> None:
    image = np.zeros((16, 16, 4), np.uint8)
    image[4, 4], image[8, 8] = (100, 50, 0, 0), (50, 100, 20, 200)
    out = straight_alpha(image)
    assert out[4, 4].tolist() == [255, 128, 0, 100]
    assert out[8, 8].tolist() == [64, 128, 26, 200]
    assert (straight_alpha(np.zeros((8, 8, 4), np.uint8)) == 0).all()


@pytest.mark.parametrize("shape", [(64, 64), (63, 64, 3), (64, 64, 4), (2,)])
def test_a_background_of_another_shape_is_refused(puppet: Puppet, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="background has shape"):
        puppet.draw(REST, 64, np.zeros(shape, np.uint8))


def test_threads_do_not_disturb_each_other(puppet: Puppet) -> None:
    poses = [AvatarPose.from_mapping({"ParamAngleX": float(x)}, 0.05 * x) for x in range(-20, 20, 4)]
    expected = [puppet.draw(pose, 96) for pose in poses]
    with ThreadPoolExecutor(3) as threads:
        others = [Puppet(puppet.rig) for _ in range(6)]
        streams = list(threads.map(lambda other: [other.draw(pose, 96) for pose in poses], others))
    for stream in streams:
        assert all(np.array_equal(image, other) for image, other in zip(stream, expected, strict=True))


def test_a_tiny_picture_is_refused(puppet: Puppet) -> None:
    with pytest.raises(InputError, match="at least 16"):
        puppet.draw(REST, 15)
    with pytest.raises(InputError, match="at least 16"):
        puppet.cut_out(REST, 15)


def test_extremes_in_every_mix_are_drawn(puppet: Puppet) -> None:
    rng = np.random.default_rng(0)
    for i in range(40):
        ends = {name: float(rng.choice(bounds)) for name, bounds in AVATAR_PARAMETERS.items()}
        image = puppet.draw(AvatarPose.from_mapping(ends, i * 0.04), 64)
        skin = (image[20:50, 16:48].reshape(-1, 3) > (235, 190, 170)).all(axis=1)
        assert skin.mean() > 0.1


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    small = np.full((8, 8, 3), (10, 20, 30), np.uint8)
    write_png(tmp_path / "sheet.png", small)
    assert cv2.imread(str(tmp_path / "sheet.png"))[0, 0].tolist() == [30, 20, 10]
    for bad in ("missing/sheet.png", "sheet.unknown"):
        with pytest.raises(InputError):
            write_png(tmp_path / bad, small)


def test_both_names_pairs() -> None:
    brows = {"ParamBrowLY": 1, "ParamBrowRY": 1}
    assert both(BrowY=1, MouthForm=0.5, EyeBallX=1) == brows | {"ParamMouthForm": 0.5, "ParamEyeBallX": 1}
