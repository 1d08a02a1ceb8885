"""The last layer of a listener: its shares are a distribution, and draws follow it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from visavis.errors import WeightsError
from visavis.reaction.head import TokenHead
from visavis.reaction.sampling import Sampling

LEVELS, WIDTH = (3, 2, 4), 5
COUNT = 24


def head(seed: int = 0) -> TokenHead:
    weights = np.random.default_rng(seed).normal(size=TokenHead.size(LEVELS, WIDTH))
    return TokenHead(LEVELS, WIDTH, weights.astype(np.float32))


def shares_of(net: TokenHead, hidden: NDArray[np.float32]) -> NDArray[np.float32]:
    every = np.arange(COUNT)
    return np.exp(-net.nats(np.repeat(hidden[None], COUNT, axis=0), every))


def hidden_state(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=WIDTH).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_all_tokens_together_are_certain(seed: int) -> None:
    assert shares_of(head(), hidden_state(seed)).sum() == pytest.approx(1, abs=1e-5)


def test_tokens_are_drawn_in_these_shares() -> None:
    net, hidden = head(), hidden_state(1)
    chances = np.random.default_rng(0).random((40_000, len(LEVELS)))
    drawn = net.draw(np.repeat(hidden[None], len(chances), axis=0), chances, Sampling())
    found = np.bincount(drawn, minlength=COUNT) / len(drawn)
    np.testing.assert_allclose(found, shares_of(net, hidden), atol=0.01)


def test_digits_depend_on_those_before_them() -> None:
    net = head()
    # Shares that were products of the digits' own would have rank 1.
    table = shares_of(net, hidden_state(2)).reshape(8, 3)
    assert np.linalg.matrix_rank(table, tol=1e-4) > 1


def test_a_state_is_drawn_for_itself_alone() -> None:
    net, chances = head(), np.random.default_rng(1).random((6, len(LEVELS)))
    states = np.stack([hidden_state(seed) for seed in range(6)])
    together = net.draw(states, chances, Sampling(top_p=0.8))
    alone = [int(net.draw(states[k : k + 1], chances[k : k + 1], Sampling(top_p=0.8))[0]) for k in range(6)]
    assert together.tolist() == alone


@pytest.mark.parametrize("damage", ["short", "nan"])
def test_other_weights_are_refused(damage: str) -> None:
    weights = np.zeros(TokenHead.size(LEVELS, WIDTH), np.float32)
    if damage == "nan":
        weights[3] = np.nan
    with pytest.raises(WeightsError, match="the listener's last layer has shape"):
        TokenHead(LEVELS, WIDTH, weights[1:] if damage == "short" else weights)


def test_guidance_goes_on_from_nobody_through_the_speaker() -> None:
    net, beside, alone = head(), hidden_state(3), hidden_state(4)
    chances = np.random.default_rng(2).random((40_000, len(LEVELS)))

    def found(guidance: float) -> NDArray[np.float64]:
        states = (np.repeat(state[None], len(chances), axis=0) for state in (beside, alone))
        drawn = net.draw(next(states), chances, Sampling(guidance=guidance), next(states))
        return np.bincount(drawn, minlength=COUNT) / len(drawn)

    np.testing.assert_allclose(found(0.0), shares_of(net, alone), atol=0.01)
    np.testing.assert_allclose(found(1.0), shares_of(net, beside), atol=0.01)
    # The first digit's shares are those of alone * (beside / alone)^2, made to sum to 1.
    first = [shares_of(net, state).reshape(8, 3).sum(axis=0) for state in (beside, alone)]
    squared = first[0] ** 2 / first[1]
    np.testing.assert_allclose(found(2.0).reshape(8, 3).sum(axis=0), squared / squared.sum(), atol=0.01)
