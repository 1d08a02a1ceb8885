"""Corruptions: laws for all of them, then each one's effect."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.pictures import picture
from visavis.errors import InputError
from visavis.evaluate import corruptions
from visavis.evaluate.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from visavis.types import ImageArray

NAMES = sorted(CORRUPTIONS)
KINDS = st.sampled_from(NAMES)
SHAPES = st.sampled_from([(48, 48), (48, 48, 3), (33, 33), (112, 112, 3), (1, 1), (2, 2, 3)])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def face(side: int = 48) -> ImageArray:
    """Something with edges, shades and a bright and a dark end."""
    y, x = np.mgrid[:side, :side] / (side - 1)
    image = 40 + 150 * np.exp(-8 * (np.square(x - 0.5) + np.square(y - 0.55)))
    for eye in (0.3, 0.7):
        image[np.hypot(x - eye, y - 0.39) < 0.07] = 10
    image[(np.abs(y - 0.79) < 0.03) & (np.abs(x - 0.5) < 0.15)] = 250
    return image.astype(np.uint8)


def change(image: ImageArray, other: ImageArray) -> float:
    return float(np.abs(image.astype(float) - other).mean())


@given(KINDS, SHAPES, st.integers(0, 3), st.integers(0, 50))
def test_shape_and_dtype_stay_and_the_picture_is_a_new_one(
    name: str, shape: tuple[int, ...], severity: int, seed: int
) -> None:
    image = rng(seed).integers(0, 256, shape, np.uint8)
    before = image.copy()
    found = CORRUPTIONS[name].apply(image, severity, rng(seed))
    assert (found.shape, found.dtype) == (shape, np.uint8)
    assert not np.shares_memory(found, image)
    np.testing.assert_array_equal(image, before)


@given(KINDS, st.integers(0, 50))
def test_severity_0_does_nothing_and_others_something(name: str, seed: int) -> None:
    for image in (face(), picture(seed)):
        np.testing.assert_array_equal(CORRUPTIONS[name].apply(image, 0, rng(seed)), image)
    for severity in SEVERITIES:
        assert change(CORRUPTIONS[name].apply(face(), severity, rng(seed)), face()) > 0.2


@given(KINDS, st.sampled_from(SEVERITIES), st.integers(0, 50))
def test_a_seed_gives_the_same_picture_again(name: str, severity: int, seed: int) -> None:
    first, second = (CORRUPTIONS[name].apply(face(), severity, rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["glare", "motion blur", "rotation", "noise"])
def test_another_seed_gives_another_picture(name: str) -> None:
    found = {CORRUPTIONS[name].apply(face(), 2, rng(seed)).tobytes() for seed in range(8)}
    assert len(found) > 1


@given(KINDS, st.integers(0, 50))
def test_more_severe_is_further_from_the_face(name: str, seed: int) -> None:
    changes = [change(CORRUPTIONS[name].apply(face(), s, rng(seed)), face()) for s in (0, *SEVERITIES)]
    assert changes == sorted(changes)
    assert len(set(changes)) == len(changes)


@given(st.integers(0, 50))
def test_kinds_have_a_level_that_does_nothing(seed: int) -> None:
    neutral = {
        corruptions.darken: 0.0,
        corruptions.glare: 0.0,
        corruptions.blur: 0.0,
        corruptions.motion_blur: 1.0,
        corruptions.cover_eyes: 0.0,
        corruptions.cover_mouth: 0.0,
        corruptions.rotate: 0.0,
        corruptions.shrink: 48.0,
        corruptions.add_noise: 0.0,
    }
    for corrupt, level in neutral.items():
        np.testing.assert_array_equal(corrupt(picture(seed), level, rng(seed)), picture(seed))


@given(st.integers(0, 50), st.floats(0.1, 6))
def test_darker_is_darker_everywhere_and_lit_is_lighter(seed: int, level: float) -> None:
    assert (corruptions.darken(picture(seed), level, rng()) <= picture(seed)).all()
    assert (corruptions.glare(picture(seed), min(level, 1.0), rng(seed)) >= picture(seed)).all()


def test_a_stop_is_half_of_the_light() -> None:
    # Light is the level to the power of 2.2: 255 at a stop less is 255 * 0.5^(1 / 2.2) = 186.1.
    white = np.full((4, 4), 255, np.uint8)
    assert (corruptions.darken(white, 1, rng()) == 186).all()
    assert (corruptions.darken(white, 2.2, rng()) == 128).all()


def test_full_glare_is_white_somewhere_and_fades() -> None:
    lit = corruptions.glare(np.zeros((48, 48), np.uint8), 1.0, rng())
    assert lit.max() > 250
    assert lit.min() < 100


@pytest.mark.parametrize("name", ["blur", "motion blur", "rotation", "low resolution"])
def test_a_plain_face_stays_plain(name: str) -> None:
    plain = np.full((48, 48), 77, np.uint8)
    for severity in SEVERITIES:
        np.testing.assert_array_equal(CORRUPTIONS[name].apply(plain, severity, rng()), plain)


def test_motion_spreads_a_point_over_its_way_and_keeps_its_light() -> None:
    point = np.zeros((49, 49), np.uint8)
    point[24, 24] = 250
    for seed in range(5):
        moved = corruptions.motion_blur(point, 9 * 48 / 49, rng(seed)).astype(float)
        y, x = np.nonzero(moved)
        assert np.hypot(np.ptp(x), np.ptp(y)) == pytest.approx(9, abs=2.5)
        assert moved.sum() == pytest.approx(250, abs=len(x) / 2)
        assert np.average(x, weights=moved[y, x]) == pytest.approx(24, abs=0.2)


@pytest.mark.parametrize(("name", "middle"), [("eyes covered", 0.39), ("mouth covered", 0.79)])
@pytest.mark.parametrize("side", [48, 112])
def test_a_bar_covers_its_band_alone(name: str, middle: float, side: int) -> None:
    kind = CORRUPTIONS[name]
    for severity, height in zip(SEVERITIES, kind.levels, strict=True):
        image = picture(severity, side)
        found = kind.apply(image, severity, rng())
        top, bottom = round((middle - height / 2) * side), round((middle + height / 2) * side)
        assert (found[top:bottom] == round(float(image.mean()))).all()
        np.testing.assert_array_equal(found[:top], image[:top])
        np.testing.assert_array_equal(found[bottom:], image[bottom:])


def test_a_bar_in_color_has_the_mean_of_each_channel() -> None:
    image = np.stack([np.full((48, 48), value, np.uint8) for value in (10, 20, 30)], axis=2)
    np.testing.assert_array_equal(CORRUPTIONS["eyes covered"].apply(image, 3, rng()), image)


def test_a_quarter_turn_goes_to_either_side() -> None:
    image = picture(3)
    turned = {corruptions.rotate(image, 90, rng(seed)).tobytes() for seed in range(20)}
    assert turned == {np.rot90(image).tobytes(), np.rot90(image, 3).tobytes()}


def test_a_jpeg_of_the_best_quality_is_almost_the_picture_in_its_colors() -> None:
    image = np.zeros((48, 48, 3), np.uint8)
    image[..., 0] = face()  # Red alone.
    assert change(corruptions.compress(image, 100, rng()), image) < 2
    assert change(corruptions.compress(face(), 100, rng()), face()) < 1


def test_jpeg_keeps_fine_stripes_of_green_best_and_of_blue_worst() -> None:
    def kept(channel: int) -> float:
        image = np.zeros((48, 48, 3), np.uint8)
        image[:, ::2, channel] = 200
        return float(corruptions.compress(image, 50, rng())[..., channel].std())

    assert kept(1) > 1.5 * kept(0) > 3 * kept(2)


def test_few_pixels_keep_the_mean_of_what_they_cover() -> None:
    image = np.kron(picture(0, 12), np.ones((4, 4), np.uint8))
    small = corruptions.shrink(image, 12, rng())
    # Bilinear enlarging by 4 meets the small picture between the two middle pixels of each block.
    middles = small.reshape(12, 4, 12, 4)[1:-1, 1:3, 1:-1, 1:3].mean(axis=(1, 3))
    assert np.corrcoef(middles.ravel(), picture(0, 12)[1:-1, 1:-1].ravel())[0, 1] > 0.95


def test_noise_has_the_deviation_that_it_states() -> None:
    gray = np.full((112, 112), 128, np.uint8)
    noisy = corruptions.add_noise(gray, 20, rng())
    assert noisy.std() == pytest.approx(20, rel=0.05)
    assert noisy.mean() == pytest.approx(128, abs=0.7)


def test_a_face_of_any_size_is_seen_alike() -> None:
    """A large picture that is corrupted and then shrunk shows what a small one does."""
    large = np.kron(face(), np.ones((4, 4), np.uint8))
    for corrupt, level in (
        (corruptions.blur, 2.0),
        (corruptions.motion_blur, 9.0),
        (corruptions.shrink, 12.0),
    ):
        small = corrupt(large, level, rng()).reshape(48, 4, 48, 4).mean(axis=(1, 3))
        assert change(corrupt(face(), level, rng()), small) < 0.25 * change(face(), small)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((48, 48), np.float32),
        np.zeros((48, 40), np.uint8),
        np.zeros((48, 48, 4), np.uint8),
        np.zeros((0, 0), np.uint8),
        np.zeros(48, np.uint8),
    ],
)
def test_other_pictures_are_refused(image: np.ndarray) -> None:
    with pytest.raises(InputError, match="a face must be uint8"):
        CORRUPTIONS["blur"].apply(image, 1, rng())


@pytest.mark.parametrize("severity", [-1, 4])
def test_other_severities_are_refused(severity: int) -> None:
    with pytest.raises(InputError, match="a severity must be 0 to 3"):
        CORRUPTIONS["blur"].apply(face(), severity, rng())


def test_every_severity_needs_a_level() -> None:
    with pytest.raises(InputError, match="needs 3 levels"):
        Corruption("px", (1, 2), corruptions.blur)
