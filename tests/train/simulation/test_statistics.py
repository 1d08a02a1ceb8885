"""Counts on faces: known events are found, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from visavis.channels import FACE_INDEX
from visavis_train.simulation.movements import BLINK, add, bump, nod
from visavis_train.simulation.statistics import count_blinks, count_nods, look_share, numbers

FRAMES = 1500


def still() -> np.ndarray:
    return np.full((FRAMES, 58), 0.1, np.float32)


@pytest.mark.parametrize("cycles", [1, 2, 3])
def test_nods_are_counted_once_whatever_their_length(cycles: int) -> None:
    pitch = 0.05 * np.sin(np.arange(FRAMES) / 60).astype(np.float32)
    assert count_nods(pitch, 25) == 0
    starts = range(60, FRAMES - 60, 90)
    for start in starts:
        add(pitch, start, -nod(cycles, 3.5, 0.09))
    assert count_nods(pitch, 25) == pytest.approx(len(starts), abs=1)


def test_slow_looks_down_are_no_nods() -> None:
    pitch = np.zeros(FRAMES, np.float32)
    add(pitch, 200, -bump(120, 0.2))
    assert count_nods(pitch, 25) == 0


def test_blinks_and_looks_aside_are_counted() -> None:
    face = still()
    for start in (50, 300, 900):
        for name in ("eyeBlinkLeft", "eyeBlinkRight"):
            add(face[:, FACE_INDEX[name]], start, 0.6 * BLINK)
    assert count_blinks(face) == 3
    assert look_share(face) == 1
    face[:300, [FACE_INDEX["eyeLookOutLeft"], FACE_INDEX["eyeLookInRight"]]] = 0.6
    assert look_share(face) == pytest.approx(0.8)


def test_a_face_that_stands_still_has_no_jitter() -> None:
    found = numbers(still(), 25.0)
    assert (found.head_jitter_deg, found.weight_jitter, found.smiles_per_minute) == (0, 0, 0)
    assert found.smile == pytest.approx(0.1)
