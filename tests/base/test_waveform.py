"""Mono float samples from the formats of devices and files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from visavis.base.waveform import mono
from visavis.errors import InputError


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([-32768, 0, 16384], np.int16), [-1, 0, 0.5]),
        (np.array([0, 128, 192], np.uint8), [-1, 0, 0.5]),
        (np.array([-(2**31), 2**30], np.int32), [-1, 0.5]),
        (np.array([0.25, -2.0], np.float64), [0.25, -2]),
        ([[1.0, 0.0], [0.5, 0.5]], [0.5, 0.5]),
        (np.array([[32767, -32767]], np.int16), [0]),
        (np.zeros((0, 2)), []),
        ([np.inf, -np.inf, np.nan, 1e39, 0.0], [np.nan, np.nan, np.nan, np.nan, 0]),
    ],
)
def test_samples_of_any_kind(samples: Any, expected: list[float]) -> None:
    found = mono(samples)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.asarray(expected, np.float32))


@pytest.mark.parametrize(
    "samples", [np.zeros((2, 3, 4)), np.zeros((5, 0)), ["a"], [1j], [[1.0], [1.0, 2.0]], 3.0]
)
def test_what_is_no_sound_is_refused(samples: Any) -> None:
    with pytest.raises(InputError, match="sound is"):
        mono(samples)
