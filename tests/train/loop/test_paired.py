"""Two networks on the same faces: McNemar's test by hand, and the interval of their difference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis_train.loop.paired import Paired, difference_interval, mcnemar_p


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [(0, 0, 1.0), (5, 5, 1.0), (1, 9, 22 / 1024), (0, 3, 0.25), (6, 5, 1.0)],
)
def test_mcnemar_by_hand(only_first: int, only_second: int, p_value: float) -> None:
    assert mcnemar_p(only_first, only_second) == p_value
    assert mcnemar_p(only_second, only_first) == p_value


def test_mcnemar_on_thousands_of_faces() -> None:
    # The normal approximation, 2 * (1 - Phi(100 / sqrt(2100))), says .0291.
    assert mcnemar_p(1000, 1100) == pytest.approx(0.0308, abs=5e-4)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_pairs_turn_round(answers: list[tuple[bool, bool]]) -> None:
    one, two = np.asarray(answers, np.bool_).T
    pair, turned = Paired.of("a", "b", one, two), Paired.of("b", "a", two, one)
    assert pair.difference == pytest.approx(one.mean() - two.mean())
    assert pair.difference == -turned.difference
    assert pair.p_value == turned.p_value
    low, high = pair.interval_95
    assert low <= pair.difference <= high
    assert Paired.of("a", "a", one, one).interval_95 == (0.0, 0.0)


def test_more_faces_say_more() -> None:
    few, many = (difference_interval(3 * k, k, 20 * k) for k in (5, 500))
    assert few[0] < 0.1 < few[1]
    assert 0.09 < many[0] < 0.1 < many[1] < 0.11
    # Normal approximation: .1 +- 1.96 * sqrt((.2 - .01) / 10000).
    assert many == pytest.approx((0.1 - 0.00854, 0.1 + 0.00854), abs=4e-4)
