"""Gestures of simulated listeners: a known nod is found once, at its start."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.reaction.gestures import NOD, find_gestures
from visavis_train.simulation.movements import add, nod
from visavis_train.simulation.nods import DEPTH, FREQUENCY_HZ

FRAMES = 150


@given(
    st.integers(1, 4), st.floats(*FREQUENCY_HZ), st.floats(*DEPTH), st.integers(0, 60), st.integers(0, 2**32)
)
def test_a_simulated_nod_is_one_nod(
    cycles: int, frequency_hz: float, depth: float, start: int, seed: int
) -> None:
    face = np.full((FRAMES, len(FACE_CHANNELS)), 0.05, np.float32)
    add(face[:, FACE_INDEX["pitch"]], start + 1, -nod(cycles, frequency_hz, depth))
    face += np.random.default_rng(seed).normal(0, 0.002, face.shape).astype(np.float32)
    (found,) = find_gestures(face)
    assert found.kind == NOD
    assert abs(found.start - start) <= 3
    assert start < found.peak <= start + 16
    assert 0.6 * depth < found.size < 1.6 * depth
