"""Signals and tokens: one to one on the levels, with evenly used levels if the signals allow it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.errors import InputError
from visavis.reaction.signals import HEARD_CHANNELS, SIGNALS, SignalCodec, as_heard
from visavis.types import FloatArray


def some_signals(seed: int = 0, length: int = 2000) -> FloatArray:
    rng = np.random.default_rng(seed)
    units = rng.gamma(1.0, 1.0, (length, 2)).clip(0, 5)
    motion = rng.gamma(0.5, 2000.0, (length, 1))
    gaze = rng.integers(0, 4, (length, 1))
    return np.concatenate([units, motion, gaze], axis=1).astype(np.float32)


def codec(levels: tuple[int, int, int] = (8, 8, 5)) -> SignalCodec:
    return SignalCodec.fitted(some_signals(), levels)


@given(st.data())
def test_tokens_are_one_to_one_with_levels(data: st.DataObject) -> None:
    kind = codec()
    tokens = np.asarray(data.draw(st.lists(st.integers(0, int(np.prod(kind.levels)) - 1), max_size=20)), int)
    np.testing.assert_array_equal(kind.encode(kind.decode(tokens)), tokens)


def test_the_first_signal_is_the_least_significant_digit() -> None:
    kind = codec()
    low, high = kind.decode([0, 1])
    assert high[0] > low[0]
    np.testing.assert_array_equal(low[1:], high[1:])


def test_levels_are_equally_used() -> None:
    kind, signals = codec(), some_signals()
    for place, cuts in enumerate(kind.edges):
        counts = np.bincount(np.searchsorted(cuts, signals[:, place], side="right"))
        assert counts.min() > 0.9 * counts.max()


def test_a_value_that_is_found_often_has_a_level_of_its_own() -> None:
    signals = some_signals()
    signals[:1000, 0] = 0.0
    kind = SignalCodec.fitted(signals, (8, 8, 5))
    assert kind.levels[0] == 5  # Of eight eighths four are zeros: one level for them, four for the rest.
    assert kind.centers[0][0] == 0.0


def test_decoding_gives_the_mean_of_the_level() -> None:
    kind, signals = codec(), some_signals()
    decoded = kind.decode(kind.encode(signals))
    for place in range(len(SIGNALS)):
        assert decoded[:, place].mean() == pytest.approx(signals[:, place].mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("signals", "said"),
    [
        (np.zeros((3, 5)), r"shape \(3, 5\)"),
        (np.full((3, 4), np.nan), "not finite"),
        (np.asarray([[0, 0, 0, 4.0]]), "gaze regions are 0 to 3; found 4"),
        (np.asarray([[0, 0, 0, 0.5]]), "gaze regions"),
    ],
)
def test_bad_signals_are_named(signals: FloatArray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        codec().encode(signals)


@pytest.mark.parametrize("tokens", [[-1], [8 * 8 * 5 * 4], [0.5]])
def test_bad_tokens_are_named(tokens: list[float]) -> None:
    with pytest.raises(InputError, match="integers from 0 to 1279"):
        codec().decode(tokens)


def flat(*values: float) -> FloatArray:
    return np.asarray(values, np.float32)


def test_levels_must_increase() -> None:
    with pytest.raises(InputError, match="must increase"):
        SignalCodec((flat(1, 1), flat(), flat()), (flat(0, 1, 2), flat(0), flat(0)))
    with pytest.raises(InputError, match="AU06, AU12, motion"):
        SignalCodec((), ())


def test_a_speaker_is_heard_without_the_future() -> None:
    signals = some_signals(length=60)
    before = as_heard(signals, 1.0)
    assert before.shape == (60, HEARD_CHANNELS)
    signals[40:] = 0
    after = as_heard(signals, 1.0)
    np.testing.assert_array_equal(before[:40], after[:40])
    assert (before[40] != after[40]).all()


def test_running_means_forget_by_their_time() -> None:
    step = np.concatenate([np.ones((10, 4)), np.zeros((31, 4))]).astype(np.float32)
    smile = as_heard(step, 10.0)[:, [1, 4]]
    np.testing.assert_array_equal(smile[9], 0)
    short, long = np.exp(-30 / 30), np.exp(-30 / 150)
    np.testing.assert_allclose(smile[10 + 29], [-long, short - long], rtol=1e-4)
