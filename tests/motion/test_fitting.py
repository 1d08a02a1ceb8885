"""Fitting: within the tolerance, in order of time, and with few points."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.motion.curves import Curve, Kind
from visavis.motion.fitting import fit_segments

TOLERANCE = 0.01


def fitted(time_s: np.ndarray, values: np.ndarray) -> Curve:
    start = (float(time_s[0]), float(values[0]))
    return Curve("Parameter", "x", start, fit_segments(time_s, values, TOLERANCE))


def points(curve: Curve) -> int:
    return 1 + sum(len(segment.points) for segment in curve.segments)


@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 200),
    roughness=st.sampled_from([0.0, 0.005, 0.02, 1.0]),
    steady=st.booleans(),
)
def test_every_sample_is_met_and_time_never_runs_back(
    seed: int, length: int, roughness: float, steady: bool
) -> None:
    rng = np.random.default_rng(seed)
    steps_s = np.full(length, 1 / 30) if steady else rng.uniform(0.001, 0.2, length)
    time_s = np.cumsum(steps_s)
    values = np.sin(3 * time_s + rng.uniform(0, 6)) / 2 + roughness * rng.uniform(-1, 1, length)
    curve = fitted(time_s, values)
    found = np.asarray([curve.at(t) for t in time_s])
    assert np.abs(found - values).max() <= TOLERANCE + 1e-9
    times_s = [curve.start[0], *(point[0] for segment in curve.segments for point in segment.points)]
    assert all(before < after for before, after in pairwise(times_s))
    assert times_s[-1] == time_s[-1]
    assert points(curve) <= max(length, 2)


@pytest.mark.parametrize("wobble", [0.0, 0.9 * TOLERANCE])
def test_a_still_curve_is_one_line(wobble: float) -> None:
    values = 0.3 + wobble * np.where(np.arange(5000) % 2, 1.0, 0.0)
    assert points(fitted(np.arange(5000) / 30, values)) == 2


def test_a_smooth_curve_takes_beziers_at_thirds_of_the_time() -> None:
    time_s = np.arange(300) / 30
    curve = fitted(time_s, np.sin(time_s * 2))
    assert points(curve) < 0.15 * 300
    start_s = curve.start[0]
    beziers = 0
    for segment in curve.segments:
        if segment.kind is Kind.BEZIER:
            beziers += 1
            wanted = np.linspace(start_s, segment.points[-1][0], 4)[1:]
            assert [t for t, _ in segment.points] == pytest.approx(wanted)
        start_s = segment.points[-1][0]
    assert beziers


def test_a_line_ends_where_the_next_one_reaches_furthest() -> None:
    walk = np.cumsum(np.random.default_rng(3).normal(0, 2 * TOLERANCE, 400))
    assert points(fitted(np.arange(400) / 30, walk)) < 160  # The longest lines alone: 170.


def test_a_step_is_a_line_of_one_frame() -> None:
    values = np.where(np.arange(100) < 50, 0.0, 1.0)
    curve = fitted(np.arange(100) / 30, values)
    assert points(curve) == 4
    assert [segment.kind for segment in curve.segments] == [Kind.LINEAR] * 3
