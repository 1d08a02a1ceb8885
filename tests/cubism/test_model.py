"""A Live2D model as an avatar: it does what the pose says, where the pixels show it."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from support.live2d_folder import drawable, write_model
from visavis.avatar.puppet_sheet import contact_sheet
from visavis.channels import AVATAR_PARAMETERS
from visavis.cubism.folder import ModelFolder
from visavis.cubism.model import PAPER_RGB, Live2DModel, _Stage, scale
from visavis.errors import InputError, MissingExtraError
from visavis.motion.exp3 import BlendMode, Change, Exp3
from visavis.types import AvatarPose, ImageArray

SIDE_PX = 256


@pytest.fixture(scope="module")
def folder(shared: Path) -> ModelFolder:
    path = shared / "avatars" / "Haru" / "Haru.model3.json"
    if not path.exists():
        pytest.skip(f"no Live2D model at {path}")
    return ModelFolder.load(path)


@pytest.fixture(scope="module")
def loaded(folder: ModelFolder) -> Live2DModel:
    model = drawable(folder)
    if isinstance(model, str):
        pytest.skip(model)
    return model


@pytest.fixture
def model(loaded: Live2DModel) -> Live2DModel:
    loaded.reset()
    return loaded


def pose(time_s: float = 0.0, **values: float) -> AvatarPose:
    return AvatarPose.from_mapping(values, time_s)


def changed(before: ImageArray, after: ImageArray) -> np.ndarray:
    """(H, W) where two pictures differ clearly."""
    return np.abs(before.astype(int) - after).sum(axis=2) > 60


def center(mask: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())


@pytest.mark.slow
def test_the_sheet_names_what_haru_shows_alike(model: Live2DModel) -> None:
    assert contact_sheet(64, model)[1] == [["pout", "pressed", "aside", "smirk", "puffed, sneer"]]


@pytest.mark.parametrize(
    ("name", "model_range", "pairs"),
    [
        ("ParamAngleX", (-30, 30, 0), {-30: -30, 12: 12}),
        ("ParamMouthForm", (-1, 1, 1), {-1: -1, 0: 0, 1: 1}),
        ("ParamEyeLOpen", (0, 2, 1), {0: 0, 0.5: 0.5, 1: 1}),
        ("ParamEyeLOpen", (0, 1.2, 1.2), {0: 0, 1: 1.2}),
        ("ParamAngleX", (-45, 15, 0), {-30: -45, -10: -15, 0: 0, 30: 15}),
        ("ParamBrowLY", (0, 10, 5), {-1: 0, 0: 5, 0.5: 7.5, 1: 10}),
        ("ParamMouthOpenY", (-1, 2, 0), {0: 0, 0.5: 1, 1: 2}),
    ],
)
def test_ranges_are_fitted(
    name: str, model_range: tuple[float, float, float], pairs: dict[float, float]
) -> None:
    knots = scale(name, *model_range)
    assert {ours: float(np.interp(ours, *knots)) for ours in pairs} == pytest.approx(pairs)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "live2d", None)
    with pytest.raises(MissingExtraError, match=r"pip install -e '\.\[live2d\]'"):
        _Stage()


@pytest.mark.shared
def test_a_model_that_cubism_core_refuses_is_an_input_error(loaded: Live2DModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"its \.moc3 is damaged"):
        Live2DModel(ModelFolder.load(write_model(tmp_path / "m")))


@pytest.mark.shared
def test_a_damaged_model_is_an_input_error(loaded: Live2DModel, folder: ModelFolder, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = np.frombuffer(folder.moc, np.uint8).copy()
    places = rng.integers(704, len(data), 300)
    data[places] = rng.integers(0, 256, len(places))
    path = write_model(tmp_path / "m")
    (path.parent / "m.moc3").write_bytes(data.tobytes())
    with pytest.raises(InputError, match=r"its \.moc3 is damaged"):
        Live2DModel(ModelFolder.load(path))


@pytest.mark.shared
@pytest.mark.slow
def test_the_same_stream_gives_the_same_pictures(model: Live2DModel, folder: ModelFolder) -> None:
    other = Live2DModel(folder)
    for step in range(4):
        now = pose(step / 25, ParamAngleX=10.0 * step, ParamMouthOpenY=step / 4)
        assert np.array_equal(model.draw(now, SIDE_PX), other.draw(now, SIDE_PX))


@pytest.mark.shared
@pytest.mark.parametrize("size_px", [64, 255])
def test_the_picture_has_the_size_and_background_asked_for(model: Live2DModel, size_px: int) -> None:
    image = model.draw(pose(), size_px)
    assert image.shape == (size_px, size_px, 3)
    assert tuple(image[0, 0]) == PAPER_RGB
    assert tuple(model.draw(pose(), size_px, (0, 255, 0))[0, 0]) == (0, 255, 0)


@pytest.mark.shared
def test_the_cut_out_on_any_color_is_the_drawing_on_that_color(model: Live2DModel) -> None:
    image = model.cut_out(pose(), SIDE_PX).astype(float)
    alpha = image[..., 3:] / 255
    assert alpha[0, 0] == 0
    assert alpha[SIDE_PX // 2, SIDE_PX // 2] == 1
    for color in ((255, 0, 0), (0, 255, 0)):
        model.reset()
        seen = image[..., :3] * alpha + np.asarray(color) * (1 - alpha)
        assert np.abs(seen - model.draw(pose(), SIDE_PX, color)).max() <= 4


@pytest.mark.shared
def test_the_mouth_opens_with_the_parameter(model: Live2DModel) -> None:
    shut = model.draw(pose(), SIDE_PX)
    openings = [changed(shut, model.draw(pose(ParamMouthOpenY=y), SIDE_PX)) for y in (0.25, 0.5, 0.75, 1)]
    counts = [int(mask.sum()) for mask in openings]
    assert counts == sorted(set(counts))
    assert counts[-1] > 50
    x, y = center(openings[-1])
    eyes = changed(shut, model.draw(pose(ParamEyeLOpen=0, ParamEyeROpen=0), SIDE_PX))
    assert abs(x - center(eyes)[0]) < 0.03 * SIDE_PX
    assert y > center(eyes)[1] + 0.05 * SIDE_PX


@pytest.mark.shared
def test_each_eye_is_shut_on_its_own_side(model: Live2DModel) -> None:
    """The character's left eye is on the right of the picture."""
    rest = model.draw(pose(), SIDE_PX)
    left = changed(rest, model.draw(pose(ParamEyeLOpen=0), SIDE_PX))
    right = changed(rest, model.draw(pose(ParamEyeROpen=0), SIDE_PX))
    assert left.sum() > 50
    assert right.sum() > 50
    assert not (left & right).any()
    assert center(left)[0] > SIDE_PX / 2 > center(right)[0]
    half = changed(rest, model.draw(pose(ParamEyeLOpen=0.5), SIDE_PX))
    assert 0 < half.sum() < left.sum()


@pytest.mark.shared
@pytest.mark.parametrize(("name", "axis", "sign"), [("ParamAngleX", 0, 1), ("ParamAngleY", 1, -1)])
def test_the_head_turns_as_the_parameter_says(model: Live2DModel, name: str, axis: int, sign: int) -> None:
    """Features move to the right of the picture with AngleX, and upward with AngleY."""
    places = []
    for value in (-30, -15, 0, 15, 30):
        opened = model.draw(pose(**{name: value}), SIDE_PX)
        shut = model.draw(pose(**{name: value}, ParamEyeLOpen=0, ParamEyeROpen=0), SIDE_PX)
        places.append(sign * center(changed(opened, shut))[axis])
    assert places == sorted(places)
    assert places[-1] - places[0] > 0.02 * SIDE_PX


@pytest.mark.shared
def test_the_head_leans_clockwise_with_roll(model: Live2DModel) -> None:
    def eye_y(name: str) -> float:
        opened = model.draw(pose(ParamAngleZ=30), SIDE_PX)
        return center(changed(opened, model.draw(pose(ParamAngleZ=30, **{name: 0.0}), SIDE_PX)))[1]

    assert eye_y("ParamEyeLOpen") > eye_y("ParamEyeROpen")


@pytest.mark.shared
def test_physics_move_the_hair_after_the_head_stands_still(model: Live2DModel) -> None:
    model.draw(pose(0.0), SIDE_PX)
    turned = [model.draw(pose(0.1 + step / 25, ParamAngleX=30), SIDE_PX) for step in range(3)]
    assert changed(turned[0], turned[2]).any()
    later = [model.draw(pose(20 + step / 25, ParamAngleX=30), SIDE_PX) for step in range(100)]
    assert not changed(later[-2], later[-1]).any()


@pytest.mark.shared
@pytest.mark.slow
def test_an_expression_is_worn_over_the_pose(folder: ModelFolder, loaded: Live2DModel) -> None:
    changes = (Change("ParamMouthOpenY", 0.25), Change("ParamEyeLOpen", 0.5, BlendMode.MULTIPLY))
    worn = Live2DModel(folder, Exp3((*changes, Change("ParamTere", 1.0, BlendMode.OVERWRITE))))
    found = worn.parameters(pose(ParamMouthOpenY=0.5, ParamEyeLOpen=0.8))
    assert [found[name] for name in ("ParamMouthOpenY", "ParamEyeLOpen", "ParamTere")] == pytest.approx(
        [0.75, 0.4, 1.0]
    )
    assert changed(loaded.draw(pose(), SIDE_PX), worn.draw(pose(), SIDE_PX)).any()


@pytest.mark.shared
def test_parameters_that_the_model_lacks_are_left_out(model: Live2DModel) -> None:
    found = model.parameters(pose(ParamCheek=1.0, ParamAngleX=5.0))
    assert "ParamCheek" not in found
    assert found["ParamAngleX"] == 5.0
    assert len(found.keys() & AVATAR_PARAMETERS.keys()) == 23


@pytest.mark.shared
def test_it_is_drawn_in_any_thread(model: Live2DModel) -> None:
    here, there = model.draw(pose(), SIDE_PX), []
    thread = Thread(target=lambda: there.append(model.draw(pose(), SIDE_PX)))
    thread.start()
    thread.join()
    assert np.array_equal(here, there[0])
