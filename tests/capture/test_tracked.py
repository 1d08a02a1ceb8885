from __future__ import annotations

import math

import numpy as np
import pytest

from visavis.capture.tracked import state_of
from visavis.errors import InputError


def test_weights_are_named_and_cut() -> None:
    state = state_of({"jawOpen": 0.25, "mouthLeft": -1, "cheekPuff": 7, "yaw": 3, "hapihapi": 1})
    assert (state["jawOpen"], state["mouthLeft"], state["cheekPuff"]) == (0.25, 0, 1)
    assert np.count_nonzero(state.values) == 2


def test_angles_come_into_a_half_turn_and_places_near() -> None:
    state = state_of({}, (math.radians(350), math.radians(-190), 0.1), (3, -2e9, -60))
    assert np.degrees(state.head_rad).tolist() == pytest.approx([-10, 170, math.degrees(0.1)], abs=1e-4)
    assert state.translation_cm.tolist() == [3, -1000, -60]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    for arguments in (({"jawOpen": bad},), ({}, (bad, 0, 0)), ({}, (0, 0, 0), (0, 0, bad))):
        with pytest.raises(InputError, match="not finite"):
            state_of(*arguments)
