"""Drawing tokens: the kept ones are the likeliest, with the right shares, separately for each row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.reaction.sampling import Sampling


def log_probs(rows: int, tokens: int, seed: int) -> NDArray[np.float32]:
    logits = np.random.default_rng(seed).normal(size=(rows, tokens)) * 2
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


EVEN = (np.arange(4000) + 0.5) / 4000


def test_drawn_in_the_predicted_shares() -> None:
    row = log_probs(1, 7, 0)
    drawn = Sampling().draw(np.repeat(row, len(EVEN), axis=0), EVEN)
    shares = np.bincount(drawn, minlength=7) / len(EVEN)
    np.testing.assert_allclose(shares, np.exp(row[0]), atol=1e-3)


def test_temperature_sharpens() -> None:
    row = log_probs(1, 7, 0)
    drawn = Sampling(temperature=0.5).draw(np.repeat(row, len(EVEN), axis=0), EVEN)
    squared = np.exp(row[0]) ** 2
    np.testing.assert_allclose(
        np.bincount(drawn, minlength=7) / len(EVEN), squared / squared.sum(), atol=1e-3
    )


def test_temperature_zero_takes_the_likeliest() -> None:
    rows = log_probs(20, 9, 1)
    np.testing.assert_array_equal(Sampling(temperature=0).draw(rows, np.full(20, 0.99)), rows.argmax(axis=1))


def test_next_to_temperature_zero_is_the_likeliest_too() -> None:
    rows = log_probs(20, 9, 1)
    drawn = Sampling(temperature=1e-320).draw(rows, np.linspace(0, 0.99, 20))
    np.testing.assert_array_equal(drawn, rows.argmax(axis=1))


@given(k=st.integers(1, 12), seed=st.integers(0, 99))
def test_top_k_keeps_the_k_likeliest(k: int, seed: int) -> None:
    row = log_probs(1, 9, seed)
    drawn = Sampling(top_k=k).draw(np.repeat(row, len(EVEN), axis=0), EVEN)
    assert set(drawn) <= set(np.argsort(-row[0])[:k])


@given(p=st.floats(0.01, 1.0), seed=st.integers(0, 99))
def test_top_p_keeps_the_least_set_that_reaches_p(p: float, seed: int) -> None:
    row = log_probs(1, 9, seed)
    order = np.argsort(-row[0])
    reached = np.cumsum(np.exp(row[0][order].astype(np.float64)))
    kept = int(np.searchsorted(reached, p * (1 + 1e-9))) + 1
    drawn = Sampling(top_p=p).draw(np.repeat(row, len(EVEN), axis=0), EVEN)
    assert set(drawn) <= set(order[:kept])


@given(seed=st.integers(0, 99), chance=st.sampled_from([0.0, 1.0 - 2**-53]))
def test_the_ends_of_the_chance_draw_kept_tokens(seed: int, chance: float) -> None:
    rows = log_probs(3, 9, seed)
    drawn = Sampling(top_k=2).draw(rows, np.full(3, chance))
    for row, token in zip(rows, drawn, strict=True):
        assert token in np.argsort(-row)[:2]


def test_a_row_depends_on_itself_alone() -> None:
    rows, chances = log_probs(6, 9, 3), np.random.default_rng(0).random(6)
    sampling = Sampling(temperature=0.8, top_k=4, top_p=0.9)
    together = sampling.draw(rows, chances)
    alone = [int(sampling.draw(rows[k : k + 1], chances[k : k + 1])[0]) for k in range(6)]
    assert together.tolist() == alone


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"temperature": -1.0}, "temperature must be 0 or more"),
        ({"temperature": float("nan")}, "temperature must be a finite number; found nan"),
        ({"guidance": "3"}, "guidance must be a finite number; found '3'"),
        ({"top_k": 0}, "top_k must be 1 or more"),
        ({"top_p": 0.0}, "top_p must lie above 0"),
        ({"top_p": 1.5}, "top_p must lie above 0"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Sampling(**settings)
