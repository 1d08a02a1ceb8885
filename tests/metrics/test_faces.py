"""Figures of face reading, on numbers with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.face.mesh import LANDMARKS_146, PARTS
from visavis.metrics.faces import (
    angle_errors_deg,
    blink_times,
    calm,
    channel_r,
    jitter,
    landmark_errors,
    matched,
    rise_at_full,
)

SEEDS = st.integers(0, 2**32 - 1)
NUMBERS = np.asarray(LANDMARKS_146, np.int32)


@given(SEEDS, st.floats(0.1, 3), st.floats(-1, 1))
def test_what_rises_with_the_truth_goes_with_it_whatever_its_level(
    seed: int, gain: float, level: float
) -> None:
    truth = np.random.default_rng(seed).random((20, 5), np.float32)
    np.testing.assert_allclose(channel_r(gain * truth + level, truth), 1, atol=1e-4)
    np.testing.assert_allclose(channel_r(-gain * truth + level, truth), -1, atol=1e-4)


@given(SEEDS)
def test_r_is_numpys_and_knows_no_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ours, truth = rng.random((2, 30, 3), np.float32)
    wanted = [np.corrcoef(ours[:, c], truth[:, c])[0, 1] for c in range(3)]
    np.testing.assert_allclose(channel_r(ours, truth), wanted, atol=1e-6)
    order = rng.permutation(30)
    np.testing.assert_allclose(channel_r(ours[order], truth[order]), wanted, atol=1e-6)


def test_what_stands_still_has_no_share_in_the_truth_and_a_still_truth_no_value() -> None:
    moving = np.linspace(0, 1, 9, dtype=np.float32)
    ours = np.column_stack([np.full(9, 0.3), moving])
    truth = np.column_stack([moving, np.full(9, 0.2)])
    np.testing.assert_array_equal(channel_r(ours, truth), [0, np.nan])


def alone(name: str, **others: float) -> np.ndarray:
    """One face: a shape at full, and others as given."""
    weights = np.zeros((1, 52), np.float32)
    for other, value in {name: 1.0, **others}.items():
        weights[0, BLENDSHAPES.index(other)] = value
    return weights


def test_the_rise_is_that_of_one_shape_among_quiet_ones() -> None:
    truth = np.vstack([np.zeros(52), np.eye(52)]).astype(np.float32)
    truth[1:, BLENDSHAPES.index("eyeLookUpLeft")] = 1  # Gaze is not among the others.
    for name in ("mouthClose", "tongueOut"):
        truth[1 + BLENDSHAPES.index(name), BLENDSHAPES.index("jawOpen")] = 1
    np.testing.assert_allclose(rise_at_full(0.1 + 0.5 * truth, truth), 0.5, atol=1e-6)


@pytest.mark.parametrize("other", ["mouthSmileRight", "jawOpen", "browInnerUp"])
def test_a_shape_with_another_is_not_alone(other: str) -> None:
    rows = np.vstack([np.zeros((1, 52)), alone("mouthSmileLeft", **{other: 0.31})])
    assert np.isnan(rise_at_full(rows, rows)).all()
    rows = np.vstack([np.zeros((1, 52)), alone("mouthSmileLeft", **{other: 0.29})])
    assert np.flatnonzero(np.isfinite(rise_at_full(rows, rows))) == [BLENDSHAPES.index("mouthSmileLeft")]


def test_at_rest_is_only_who_rests_everywhere() -> None:
    smile, jaw = BLENDSHAPES.index("mouthSmileLeft"), BLENDSHAPES.index("jawOpen")
    truth = np.vstack([alone("mouthSmileLeft"), alone("jawOpen"), alone("eyeLookUpLeft")])
    ours = np.zeros_like(truth)
    ours[:, smile], ours[:, jaw] = (0.9, 0.4, 0.2), (0.1, 0.9, 0.3)
    rise = rise_at_full(ours, truth)
    assert (rise[smile], rise[jaw]) == (pytest.approx(0.7), pytest.approx(0.6))
    assert np.isnan(rise_at_full(ours[:2], truth[:2])).all()
    looking = BLENDSHAPES.index("eyeLookUpLeft")
    assert np.isnan(rise[looking]), "who looks up does not rest from looking up"


@given(SEEDS, st.floats(0.1, 100), st.floats(-50, 50))
def test_landmark_errors_are_shares_of_the_eye_distance(seed: int, size: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((4, 146, 2)) + np.eye(2)[0] * (NUMBERS == 263)[:, None] * 5
    wide = np.linalg.norm(truth[:, LANDMARKS_146.index(33)] - truth[:, LANDMARKS_146.index(263)], axis=1)
    ours = truth + (0.03 * wide)[:, None, None] * np.asarray([0.6, 0.8])
    errors = landmark_errors(size * ours + shift, size * truth + shift, NUMBERS)
    assert errors.keys() == {"all", *PARTS}
    np.testing.assert_allclose(list(errors.values()), 0.03, rtol=1e-6)


def test_an_error_of_one_part_is_of_that_part_alone() -> None:
    truth = np.zeros((2, 146, 2))
    truth[:, LANDMARKS_146.index(263), 0] = 1
    ours = truth.copy()
    ours[:, [LANDMARKS_146.index(number) for number in PARTS["brows"]], 1] += 0.1
    errors = landmark_errors(ours, truth, NUMBERS)
    assert errors["brows"] == pytest.approx(0.1)
    assert errors["all"] == pytest.approx(0.1 * 20 / 146)
    assert errors["mouth"] == 0
    corners = [LANDMARKS_146.index(33), LANDMARKS_146.index(263)]
    few = landmark_errors(ours[:, corners], truth[:, corners], NUMBERS[corners])
    assert np.isnan(few["mouth"])
    with pytest.raises(InputError, match="outer eye corners"):
        landmark_errors(ours[:, :5], truth[:, :5], NUMBERS[:5])


@given(st.floats(-3, 3), st.integers(-2, 2))
def test_angles_differ_by_the_short_way(angle: float, turns: int) -> None:
    ours = np.full((3, 3), angle + turns * 2 * np.pi)
    np.testing.assert_allclose(
        angle_errors_deg(ours, np.full((3, 3), angle - 0.1)), np.degrees(0.1), atol=1e-4
    )


def weights_of(shut: list[float]) -> np.ndarray:
    weights = np.zeros((len(shut), 52), np.float32)
    for side in ("Left", "Right"):
        weights[:, BLENDSHAPES.index(f"eyeBlink{side}")] = shut
    return weights


@pytest.mark.parametrize(
    ("shut", "wanted"),
    [
        ([0, 0.4, 0.49, 0.2], []),
        ([0, 0.6, 0.9, 0.6, 0], [2]),
        ([0, 0.9, 0.4, 0.9, 0], [1]),
        ([0, 0.9, 0.3, 0.8, 0], [1, 3]),
        ([0, 0.6, 0.9], [2]),
        ([0, 0.9, np.nan, 0.8, 0], [1, 3]),
        ([], []),
    ],
)
def test_a_blink_is_one_until_the_eyes_are_open_again(shut: list[float], wanted: list[int]) -> None:
    assert blink_times(np.arange(len(shut), dtype=float), weights_of(shut)).tolist() == wanted


def test_one_closed_eye_is_no_blink() -> None:
    weights = weights_of([0, 0.9, 0])
    weights[:, BLENDSHAPES.index("eyeBlinkLeft")] = 0
    assert len(blink_times(np.arange(3.0), weights)) == 0


MOMENTS = st.lists(st.floats(0, 20), max_size=12).map(lambda times: np.asarray(sorted(times)))


@given(MOMENTS, MOMENTS)
def test_matching_is_fair(ours: np.ndarray, truth: np.ndarray) -> None:
    pairs = matched(ours, truth, 0.5)
    assert pairs == matched(truth, ours, 0.5) <= min(len(ours), len(truth))
    assert matched(ours, ours) == len(ours)
    assert matched(ours, ours + 1000) == 0


def test_jitter_is_that_of_noise_and_not_of_movement() -> None:
    everywhere = np.ones(4998, bool)
    ramp = np.linspace(0, 100, 5000)[:, None]
    assert jitter(ramp, everywhere) == pytest.approx(0, abs=1e-9)
    noise = np.random.default_rng(0).normal(0, 0.1, (5000, 3))
    assert jitter(ramp + noise, everywhere) == pytest.approx(0.1 * np.sqrt(6), rel=0.05)
    assert np.isnan(jitter(noise[:3], np.zeros(1, bool)))


def test_the_calm_half_is_where_the_truth_rests() -> None:
    truth = np.zeros((40, 2))
    truth[20:] = np.random.default_rng(0).random((20, 2))
    where = calm(truth)
    assert where[:17].all()
    assert where[19:].sum() <= 1
    truth[5] = np.nan
    assert not calm(truth)[3:6].any()
    assert not calm(np.full((5, 2), np.nan)).any()
