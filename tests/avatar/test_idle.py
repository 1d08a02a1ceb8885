"""The idle motion: a pure function of seed and time, lively but never jumpy."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.avatar.idle import BLINK_CLOSE_S, BLINK_HOLD_S, BREATH_S, IdleMotion, breath
from visavis.channels import AVATAR_PARAMETERS

TIMES_S = np.arange(0.0, 120.0, 0.01)


@settings(deadline=None)
@given(seed=st.integers(0, 2**31), time_s=st.floats(-1e3, 1e6))
def test_same_seed_and_time_give_the_same_pose_in_any_order(seed: int, time_s: float) -> None:
    straight, detour = IdleMotion(seed), IdleMotion(seed)
    detour.at(time_s + 123.0)
    assert straight.at(time_s) == detour.at(time_s)


@settings(deadline=None)
@given(seed=st.integers(0, 1000), time_s=st.floats(0, 1e5))
def test_every_value_is_within_its_parameters_range(seed: int, time_s: float) -> None:
    for name, value in IdleMotion(seed).at(time_s).items():
        low, high, _ = AVATAR_PARAMETERS[name]
        assert low <= value <= high, name


def blink_starts(seed: int) -> np.ndarray:
    idle = IdleMotion(seed)
    shut = np.asarray([idle.blink(t) for t in TIMES_S]) > 0.5
    return TIMES_S[1:][np.diff(shut.astype(int)) == 1]


def test_blinks_come_about_every_four_seconds_at_irregular_times() -> None:
    starts = blink_starts(0)
    gaps = np.diff(starts)
    assert 28 <= len(starts) <= 31
    assert gaps.min() > 0.4
    assert gaps.max() < 8.0
    assert gaps.std() > 0.5


def test_other_seeds_blink_at_other_times() -> None:
    assert not np.array_equal(blink_starts(0), blink_starts(1))


def test_a_blink_shuts_the_eye_for_its_hold_and_lasts_0_3_s() -> None:
    idle = IdleMotion(3)
    closed = np.asarray([idle.blink(t) for t in np.arange(0.0, 4.0, 0.001)])
    assert abs((closed > 0).sum() * 0.001 - 0.30) < 0.01
    assert abs((closed == 1.0).sum() * 0.001 - BLINK_HOLD_S) < 0.005
    assert closed.argmax() > BLINK_CLOSE_S * 1000


def test_breath_has_a_cycle_of_3_2_s() -> None:
    assert breath(0.0) == 0.0
    assert breath(BREATH_S / 2) == 1.0
    assert abs(breath(7.7) - breath(7.7 + BREATH_S)) < 1e-9


def test_the_head_sways_slowly() -> None:
    idle = IdleMotion(0)
    angle = np.asarray([idle.at(t)["ParamAngleX"] for t in TIMES_S])
    assert angle.std() > 1.0
    assert np.abs(np.diff(angle)).max() < 0.5  # degrees in 10 ms, glances included
