import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.channels import EXPRESSIONS
from visavis.errors import InputError
from visavis.expression.smoothing import LabelHold, ProbabilitySmoother

HAPPY, SAD = EXPRESSIONS.index("happy"), EXPRESSIONS.index("sad")


def sure(index: int, probability: float = 1.0) -> np.ndarray:
    rest = (1 - probability) / 7
    values = np.full(8, rest, np.float32)
    values[index] = probability
    return values


def two(happy: float, sad: float) -> np.ndarray:
    values = np.full(8, (1 - happy - sad) / 6, np.float32)
    values[HAPPY], values[SAD] = happy, sad
    return values


def test_the_past_falls_by_e_in_one_time_constant() -> None:
    smoother = ProbabilitySmoother(0.3)
    smoother.update(sure(HAPPY), 1.0)
    assert smoother.update(sure(SAD), 1.3)[HAPPY] == pytest.approx(math.exp(-1), abs=1e-6)


@given(st.lists(st.floats(0.001, 0.5), min_size=1, max_size=20))
def test_frame_rate_does_not_matter(steps_s: list[float]) -> None:
    fine, coarse = ProbabilitySmoother(0.3), ProbabilitySmoother(0.3)
    fine.update(sure(HAPPY), 0.0)
    coarse.update(sure(HAPPY), 0.0)
    for time_s in np.cumsum(steps_s):
        found = fine.update(sure(SAD), float(time_s))
    np.testing.assert_allclose(found, coarse.update(sure(SAD), float(sum(steps_s))), atol=1e-5)


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 7)), min_size=1, max_size=20))
def test_results_stay_distributions_whatever_the_times(steps: list[tuple[float, int]]) -> None:
    smoother = ProbabilitySmoother(0.2)
    for time_s, index in steps:
        found = smoother.update(sure(index, 0.9), time_s)
        assert found.sum() == pytest.approx(1, abs=1e-4)
        assert (found >= 0).all()


def test_a_repeated_time_changes_nothing() -> None:
    smoother = ProbabilitySmoother(0.3)
    first = smoother.update(sure(HAPPY), 1.0)
    np.testing.assert_array_equal(smoother.update(sure(SAD), 1.0), first)


def test_reset_forgets() -> None:
    smoother = ProbabilitySmoother(10.0)
    smoother.update(sure(HAPPY), 0.0)
    smoother.reset()
    assert smoother.update(sure(SAD), 0.1)[SAD] == 1


def test_zero_time_constant_smooths_nothing() -> None:
    smoother = ProbabilitySmoother(0.0)
    smoother.update(sure(HAPPY), 0.0)
    assert smoother.update(sure(SAD), 0.0)[SAD] == 1


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_bad_time_constants_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="time constant"):
        ProbabilitySmoother(bad)


def test_a_flicker_does_not_change_the_label() -> None:
    hold = LabelHold(margin=0.1, dwell_s=0.2)
    shown = [
        hold.update(two(*((0.5, 0.45) if frame % 2 else (0.45, 0.5))), frame / 30) for frame in range(60)
    ]
    assert set(shown) == {"sad"}


def test_a_clear_change_shows_after_the_dwell() -> None:
    hold = LabelHold(margin=0.1, dwell_s=0.2)
    hold.update(sure(SAD, 0.9), 0.0)
    shown = {round(ms / 1000, 3): hold.update(sure(HAPPY, 0.9), ms / 1000) for ms in range(50, 400, 50)}
    assert shown[0.2] == "sad"
    assert shown[0.25] == "happy"


def test_a_broken_lead_starts_again() -> None:
    hold = LabelHold(margin=0.1, dwell_s=0.2)
    hold.update(sure(SAD, 0.9), 0.0)
    hold.update(sure(HAPPY, 0.9), 0.1)
    hold.update(two(0.45, 0.45), 0.25)
    assert hold.update(sure(HAPPY, 0.9), 0.35) == "sad"
    assert hold.update(sure(HAPPY, 0.9), 0.56) == "happy"


def test_label_is_none_before_the_first_reading_and_after_reset() -> None:
    hold = LabelHold()
    assert hold.label is None
    hold.update(sure(SAD), 0.0)
    assert hold.label == "sad"
    hold.reset()
    assert hold.label is None
