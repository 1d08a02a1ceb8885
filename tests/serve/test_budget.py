"""Budgets: a burst at once, then a rate; texts that come too fast end the conversation."""

from __future__ import annotations

import pytest

from visavis.base.clock import ManualClock
from visavis.serve.budget import BYTES_PER_S, FRAMES_PER_S, TEXTS_AT_ONCE, TEXTS_PER_S, Budget, Intake
from visavis.serve.protocol import Close, HangupError


def test_a_budget_gives_its_burst_then_its_rate() -> None:
    clock = ManualClock()
    budget = Budget(10.0, 3.0, clock)
    assert [budget.pay(1.0) for _ in range(3)] == [0.0] * 3
    assert budget.pay(1.0) == pytest.approx(0.1)
    clock.sleep_s(0.1)
    assert budget.pay(1.0) == 0.0
    clock.sleep_s(100.0)
    assert [bool(budget.pay(1.0)) for _ in range(4)] == [False, False, False, True]


def test_texts_that_come_too_fast_end_the_conversation() -> None:
    clock = ManualClock()
    intake = Intake(clock)
    for _ in range(int(TEXTS_AT_ONCE)):
        intake.text()
    with pytest.raises(HangupError, match=f"more than {TEXTS_PER_S:g} texts a second") as caught:
        intake.text()
    assert caught.value.close is Close.TOO_FAST
    clock.sleep_s(1.0)
    intake.text()


@pytest.mark.parametrize(("size", "count"), [(1000, int(FRAMES_PER_S)), (1_000_000, int(BYTES_PER_S / 1e6))])
def test_pictures_are_limited_by_number_and_bytes(size: int, count: int) -> None:
    intake = Intake(ManualClock())
    assert [intake.frame(size) for _ in range(count)] == [0.0] * count
    assert 0 < intake.frame(size) < 1.0
