"""Courses of single movements: they begin and end at rest, and have the requested form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis_train.simulation.movements import BLINK, add, bump, delayed, follow_smoothly, nod, plateau, reach


@given(st.integers(1, 4), st.floats(1.8, 4.0), st.floats(0.01, 0.12))
def test_a_nod_goes_down_and_comes_back_to_rest(cycles: int, frequency_hz: float, depth: float) -> None:
    course = nod(cycles, frequency_hz, depth)
    assert course.min() >= 0
    assert course[[0, -1]].max() < 0.6 * depth
    assert abs(len(course) - 25 * cycles / frequency_hz) <= max(1, 3 * cycles - 25 * cycles / frequency_hz)
    assert course.max() <= 1.5 * depth


@pytest.mark.parametrize("cycles", [1, 2, 3, 4])
def test_each_cycle_of_a_nod_is_smaller(cycles: int) -> None:
    course = np.pad(nod(cycles, 1.8, 0.1), 1)
    peaks = course[1:-1][(course[1:-1] > course[:-2]) & (course[1:-1] >= course[2:])]
    assert len(peaks) == cycles
    assert (np.diff(peaks) < 0).all()


def test_more_cycles_begin_larger() -> None:
    assert nod(3, 2.0, 0.1).max() > nod(1, 2.0, 0.1).max()


def test_a_blink_lasts_about_200_ms_above_half() -> None:
    assert BLINK.max() == 1
    assert 2 <= (BLINK > 0.5).sum() <= 5
    assert BLINK[-1] < 0.05


def test_bumps_and_plateaus_end_at_rest() -> None:
    assert bump(9, 1.0)[[0, -1]].max() < 0.15
    course = plateau(4, 3, 6, 0.5)
    assert course[-1] == 0
    assert course.max() == 0.5
    assert len(course) == 13


def test_courses_are_cut_at_the_end_and_two_smiles_are_one() -> None:
    track = np.zeros(5, np.float32)
    add(track, 3, np.ones(4, np.float32))
    add(track, 9, np.ones(4, np.float32))
    np.testing.assert_array_equal(track, [0, 0, 0, 1, 1])
    reach(track, 2, np.asarray([0.5, 0.5], np.float32))
    np.testing.assert_array_equal(track, [0, 0, 0.5, 1, 1])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60), st.floats(0.05, 3), st.floats(0.05, 3))
def test_following_never_overshoots(goals: list[float], rise_s: float, fall_s: float) -> None:
    target = np.asarray(goals, np.float32)
    track = follow_smoothly(target, rise_s, fall_s)
    assert track.min() >= target.min() - 1e-6
    assert track.max() <= target.max() + 1e-6


def test_following_arrives_and_is_causal() -> None:
    target = np.r_[np.zeros(10), np.ones(100)].astype(np.float32)
    track = follow_smoothly(target, 0.3, 0.3)
    assert track[9] == 0
    assert track[-1] > 0.99
    np.testing.assert_array_equal(track[:40], follow_smoothly(target[:40], 0.3, 0.3))


def test_a_delay_repeats_the_first_value() -> None:
    np.testing.assert_array_equal(delayed(np.asarray([1.0, 2, 3, 4], np.float32), 2), [1, 1, 1, 2])
