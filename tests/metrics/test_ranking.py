"""The area under the ROC curve: laws, then a comparison with counted pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.errors import InputError
from visavis.metrics.ranking import area_interval, area_under_curve

# Few different scores, so that ties are common.
ROWS = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=20).filter(
    lambda rows: 0 < sum(positive for _, positive in rows) < len(rows)
)


def split(rows: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    scores, positive = zip(*rows, strict=True)
    return np.asarray(scores, np.float64), np.asarray(positive, np.bool_)


@given(ROWS)
def test_it_counts_the_pairs_in_the_right_order(rows: list[tuple[int, bool]]) -> None:
    scores, positive = split(rows)
    pairs = [(high > low) + (high == low) / 2 for high in scores[positive] for low in scores[~positive]]
    assert area_under_curve(scores, positive) == pytest.approx(np.mean(pairs))


@given(ROWS)
def test_only_the_order_of_the_scores_matters(rows: list[tuple[int, bool]]) -> None:
    scores, positive = split(rows)
    area = area_under_curve(scores, positive)
    assert area_under_curve(np.exp(scores), positive) == pytest.approx(area)
    assert area_under_curve(-scores, positive) == pytest.approx(1 - area)
    assert area_under_curve(scores, ~positive) == pytest.approx(1 - area)


def test_an_interval_holds_the_area_repeats_with_its_seed_and_narrows_with_more_data() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(400) % 3 == 0
    scores = rng.normal(size=400) + positive
    area, interval = area_under_curve(scores, positive), area_interval(scores, positive)
    assert interval[0] < area < interval[1]
    assert interval == area_interval(scores, positive)
    assert interval != area_interval(scores, positive, seed=1)
    few = area_interval(scores[:60], positive[:60])
    assert few[1] - few[0] > interval[1] - interval[0]
    inner = area_interval(scores, positive, level=0.5)
    assert interval[0] < inner[0] < inner[1] < interval[1]


def test_an_interval_is_about_as_wide_as_theory_says() -> None:
    # Hanley and McNeil 1982, Eq. 1: the standard error of an area.
    rng = np.random.default_rng(1)
    positive = np.arange(600) < 200
    scores = rng.exponential(size=600) * np.where(positive, 3.0, 1.0)
    area = area_under_curve(scores, positive)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + 199 * (q1 - area**2) + 399 * (q2 - area**2)
    low, high = area_interval(scores, positive)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(variance / (200 * 400)), rel=0.25)


@pytest.mark.parametrize(
    ("scores", "positive"),
    [
        ([1.0, 2.0], [True]),
        ([1.0, np.nan], [True, False]),
        ([1.0, 2.0], [True, True]),
        ([1.0, 2.0], [False, False]),
        ([[1.0, 2.0]], [[True, False]]),
    ],
)
def test_other_data_are_refused(scores: list[float], positive: list[bool]) -> None:
    for figure in (area_under_curve, area_interval):
        with pytest.raises(InputError):
            figure(np.asarray(scores), np.asarray(positive, np.bool_))


def test_numbers_are_no_truth_and_levels_lie_between_0_and_1() -> None:
    with pytest.raises(InputError, match="boolean each"):
        area_under_curve(np.asarray([1.0, 2.0]), np.asarray([0, 1]))  # type: ignore[arg-type]
    for level in (0.0, 1.0):
        with pytest.raises(InputError, match="between 0 and 1"):
            area_interval(np.asarray([1.0, 2.0]), np.asarray([False, True]), level=level)
