"""How well a drawing follows a face, on faces and drawings with known motion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.front_faces import NUMBERS, landmarks
from visavis.errors import InputError
from visavis.metrics.mirror import (
    BROWS,
    LEAST,
    Doubles,
    MirrorScores,
    Movements,
    drawing_motion,
    face_motion,
    outline,
)

NAMES = list(LEAST)
FACIAL = [name for name in NAMES if not name.startswith("head")]
T = 60
WAVE = np.sin(np.linspace(0, 12, T))
STILL_HEAD = np.zeros((T, 3))


def up(wave: Doubles) -> Doubles:
    return np.stack([np.zeros(T), wave], axis=1)


def across(wave: Doubles) -> Doubles:
    return np.stack([wave, np.zeros(T)], axis=1)


def face(moves: dict[int, Doubles], turns_rad: Doubles = STILL_HEAD) -> Movements:
    return face_motion(landmarks(moves, turns_rad), NUMBERS)


def brow(side: int, wave: Doubles) -> dict[int, Doubles]:
    return dict.fromkeys(BROWS[side], up(wave))


def drawing(moves: dict[str, Doubles]) -> Movements:
    """Rings for layers; each (T, 2) moves all of one."""
    round_ = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = 40 * np.stack([np.cos(round_), np.sin(round_)], axis=1)
    places = {
        "mouth": (0, -150), "eyewhite_L": (90, 0), "eyewhite_R": (-90, 0), "iris_L": (90, 0),
        "iris_R": (-90, 0), "brow_L": (90, 100), "brow_R": (-90, 100), "nose": (0, -100),
    }  # fmt: skip
    rings = {name: np.tile(ring + place, (T, 1, 1)) for name, place in places.items()}
    moved = {name: each + moves.get(name, np.zeros((T, 2)))[:, None] for name, each in rings.items()}
    return drawing_motion(moved, rings)


def moving(motion: Movements) -> list[str]:
    return [name for name, spread in zip(NAMES, motion.values.std(axis=0), strict=True) if spread > 1e-4]


def scored(drawn: Movements, real: Movements) -> dict[str, tuple[float, float]]:
    scores = MirrorScores.of(drawn, real)
    pairs = zip(scores.r.tolist(), scores.amplitude.tolist(), strict=True)
    return {name: pair for name, pair in zip(NAMES, pairs, strict=True) if pair[0] == pair[0]}


def test_a_brow_that_rises_is_that_brow_alone() -> None:
    real, drawn = face(brow(1, 0.06 * WAVE)), drawing({"brow_L": up(20 * WAVE)})
    assert moving(real) == moving(drawn) == ["brow_left"]
    # It stands .3075 eye distances above the eye corners' line, and 100 units.
    share = (20 / 100) / (0.06 / 0.3075)
    assert scored(drawn, real) == {"brow_left": pytest.approx((1, share), abs=1e-3)}


def test_left_and_right_swapped_is_seen() -> None:
    other = np.cos(np.linspace(0, 40, T))
    real = face(brow(1, 0.05 * WAVE) | brow(0, 0.05 * other))
    right = drawing({"brow_L": up(15 * WAVE), "brow_R": up(15 * other)})
    swapped = drawing({"brow_R": up(15 * WAVE), "brow_L": up(15 * other)})
    assert min(r for r, _ in scored(right, real).values()) > 0.999
    assert max(abs(r) for r, _ in scored(swapped, real).values()) < 0.3


def test_each_measure_rises_with_what_it_is_called_after() -> None:
    for moves, rising in (
        ({14: up(-0.1 * WAVE)}, {"mouth_opening"}),
        ({61: across(-0.05 * WAVE), 291: across(0.05 * WAVE)}, {"mouth_width"}),
        ({291: up(0.05 * WAVE)}, {"mouth_corner_left"}),
        ({61: up(0.05 * WAVE)}, {"mouth_corner_right"}),
        ({61: across(0.05 * WAVE), 291: across(0.05 * WAVE)}, {"mouth_aside"}),
        ({386: up(0.02 * WAVE)}, {"lid_left"}),
        ({159: up(0.02 * WAVE)}, {"lid_right"}),
        ({468: across(0.05 * WAVE), 473: across(0.05 * WAVE)}, {"gaze_x"}),
        ({468: up(0.05 * WAVE), 473: up(0.05 * WAVE)}, {"gaze_y"}),
    ):
        real = face(moves)
        together = {name: np.corrcoef(real.values[:, NAMES.index(name)], WAVE)[0, 1] for name in moving(real)}
        assert together.keys() >= rising
        assert min(together[name] for name in rising) > 0.99, rising
        # The width is a distance: a corner that rises alone lengthens it a little.
        assert together.keys() - {"mouth_width"} <= rising


@pytest.mark.parametrize(("axis", "name"), [(0, "head_yaw"), (1, "head_pitch"), (2, "head_roll")])
def test_a_head_that_turns_leaves_the_face_still(axis: int, name: str) -> None:
    turns = np.zeros((T, 3))
    turns[:, axis] = 0.35 * WAVE
    real = face({}, turns)
    values = dict(zip(NAMES, real.values.T, strict=True))
    assert max(values[each].std() for each in FACIAL) < 1e-4
    assert np.corrcoef(values[name], WAVE)[0, 1] > 0.99
    if axis == 2:
        np.testing.assert_allclose(values[name], turns[:, 2], atol=1e-3)
        assert values["head_yaw"].std() + values["head_pitch"].std() < 1e-3


@given(st.floats(50, 400), st.floats(100, 900), st.floats(-0.3, 0.3))
def test_neither_size_nor_place_nor_a_leaning_head_matters(size: float, middle: float, roll: float) -> None:
    turns = np.tile([0.2, -0.1, roll], (T, 1))
    moves = {14: up(-0.1 * WAVE), **brow(0, 0.05 * WAVE)}
    here = face_motion(landmarks(moves, turns, size, middle), NUMBERS).values[:, : len(FACIAL)]
    np.testing.assert_allclose(here, face(moves).values[:, : len(FACIAL)], atol=2e-4)


def test_beside_a_face_twice_as_lively_the_amplitude_is_half() -> None:
    drawn = drawing({"brow_L": up(10 * WAVE), "brow_R": up(10 * WAVE)})
    once, twice = (face(brow(0, size * WAVE) | brow(1, size * WAVE)) for size in (0.03, 0.06))
    for name in ("brow_left", "brow_right"):
        assert scored(drawn, twice)[name][1] == pytest.approx(scored(drawn, once)[name][1] / 2, rel=0.01)


def test_noise_of_a_still_face_is_not_scored() -> None:
    noise = np.random.default_rng(0).normal(0, 0.003, (T, 146, 2))
    real = face_motion(landmarks({}, STILL_HEAD) + 200 * noise.astype(np.float32), NUMBERS)
    assert scored(drawing({"brow_L": up(10 * WAVE)}), real) == {}


def test_a_drawing_that_stands_still_scores_nought() -> None:
    real = face({61: across(0.05 * WAVE), 291: across(0.05 * WAVE)})
    assert scored(drawing({}), real) == {"mouth_aside": (0, 0)}
    hardly = drawing({"mouth": across(0.01 * WAVE)})
    assert scored(hardly, real)["mouth_aside"][0] == 0


def test_gaze_counts_while_the_eyes_are_open() -> None:
    shut = np.zeros(T)
    shut[20:26] = 1
    moves = {386: up(-0.1 * shut), 159: up(-0.1 * shut)}
    gaze = 0.05 * WAVE - 0.5 * shut
    real = face(moves | {468: up(gaze), 473: up(gaze)})
    seen = np.isfinite(real.values[:, NAMES.index("gaze_y")])
    np.testing.assert_array_equal(seen, shut == 0)
    drawn = drawing({"iris_L": up(8 * WAVE), "iris_R": up(8 * WAVE)})
    assert scored(drawn, real)["gaze_y"][0] == pytest.approx(1, abs=1e-3)


def test_an_outline_passes_its_knots_and_its_middle() -> None:
    # A straight stroke there and back.
    points = np.asarray([[0, 0], [1, 0], [2, 0], [3, 0], [2, 0], [1, 0], [0, 0]], np.float64)
    curve = outline(points[None])
    assert curve.shape == (1, 16, 2)
    np.testing.assert_allclose(curve[0, [0, 4, 8, 12], 0], [0, 1.5, 3, 1.5])


def test_landmarks_that_do_not_do() -> None:
    points = landmarks({}, STILL_HEAD)
    with pytest.raises(InputError, match=r"without the points 4, 5, 6"):
        face_motion(points[:, :2], NUMBERS[:2])
    with pytest.raises(InputError, match="coincide"):
        face_motion(np.zeros_like(points), NUMBERS)
