"""Peak correlation and the sign-flip test, compared with their definitions."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from visavis.metrics.pairing import peak_r, sign_flip_p

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shift", [-7, 0, 4])
def test_a_shifted_signal_is_found(shift: int) -> None:
    base = RNG.normal(size=220)
    first, second = base[20:200], base[20 + shift : 200 + shift]
    assert peak_r(first, second, 8) == pytest.approx(1.0)
    assert peak_r(first, second, abs(shift) - 1) < 0.5 if shift else True


def test_it_is_the_largest_of_numpys_correlations() -> None:
    a, b = RNG.normal(size=(2, 60))
    shifts = [np.corrcoef(a[k:], b[: 60 - k])[0, 1] for k in range(4)]
    shifts += [np.corrcoef(a[: 60 - k], b[k:])[0, 1] for k in range(1, 4)]
    assert peak_r(a, b, 3) == pytest.approx(max(shifts))


def test_a_signal_that_stands_still_goes_with_nothing() -> None:
    assert peak_r(np.ones(50), RNG.normal(size=50), 5) == 0.0
    # The mean of a hundred times .1 is not .1.
    assert peak_r(np.full(100, 0.1), np.full(100, 0.3), 5) == 0.0


def test_sign_flips_by_enumeration() -> None:
    differences = RNG.normal(0.4, 1.0, 9)
    every = np.asarray([np.dot(signs, differences) for signs in product((-1, 1), repeat=9)])
    exact = np.mean(np.abs(every) >= abs(differences.sum()) - 1e-12)
    assert sign_flip_p(differences) == pytest.approx(exact, abs=0.01)


def test_differences_of_one_sign_are_as_unlikely_as_they_can_be() -> None:
    assert sign_flip_p(np.linspace(1, 2, 12)) == pytest.approx(2 / 2**12, rel=0.3)
    assert sign_flip_p(np.ones(40)) == pytest.approx(1e-5, rel=0.01)


def test_no_difference_is_no_evidence() -> None:
    assert sign_flip_p(np.zeros(10)) == 1.0
