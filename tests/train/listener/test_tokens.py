"""Listeners' tokens: steady ones change with the face, and stay within the tolerance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support import tiny_tokenizer
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.reaction.tokenizer import FaceTokenizer
from visavis.types import FloatArray
from visavis_train.listener.tokens import mfcc, steady_tokens


@pytest.fixture
def tokenizer(tmp_path: Path) -> FaceTokenizer:
    """Its token is the first channel in sixteenths."""
    return FaceTokenizer.load(*tiny_tokenizer.write(tmp_path))


def track(first: FloatArray) -> FloatArray:
    face = np.zeros((len(first), 58), np.float32)
    face[:, 0] = first
    return face


def test_trembling_between_two_tokens_changes_nothing(tokenizer: FaceTokenizer) -> None:
    edge = 5 / 16
    trembling = track(np.asarray([edge - 0.01, edge + 0.01] * 6 + [0.8] * 3 + [0.1] * 9, np.float32))
    plain, steady = (steady_tokens(tokenizer, trembling, tolerance) for tolerance in (None, 0.01))
    assert len(set(plain[:12].tolist())) == 2
    assert steady.tolist() == [4] * 12 + [12] * 3 + [1] * 9


@pytest.mark.parametrize("tolerance", [0.0, 0.02, 1.0])
def test_a_token_is_one_that_was_heard_and_not_farther_than_tolerated(
    tokenizer: FaceTokenizer, tolerance: float
) -> None:
    face = track(np.random.default_rng(0).random(200).astype(np.float32))
    plain, steady = tokenizer.encode(face), steady_tokens(tokenizer, face, tolerance)
    for frame, token in enumerate(steady):
        assert token in plain[: frame + 1]
    # One of five channels of one of thirteen groups, of which rotation counts eight times; spread .3.
    weight = 1 / 5 / 20 / face[:, 0].std()
    farther = (
        np.abs(face - tokenizer.decode(steady))[:, 0] - np.abs(face - tokenizer.decode(plain))[:, 0]
    ) * weight
    assert farther.max() <= tolerance + 1e-6
    assert (np.diff(steady) != 0).sum() <= (np.diff(plain) != 0).sum()


def test_a_gap_is_a_gap(tokenizer: FaceTokenizer) -> None:
    face = track(np.full(7, 0.4, np.float32))
    face[2:4] = np.nan
    assert steady_tokens(tokenizer, face, 0.5).tolist() == [6, 6, -1, -1, 6, 6, 6]


def test_mfcc_are_cosines_of_the_bands() -> None:
    """Computed by hand: 40 equal bands are the first coefficient, a cosine over the bands is its own one."""
    rows = np.zeros((4, len(SPEECH_CHANNELS)), np.float32)
    band = np.arange(40) + 0.5
    rows[0, :40] = 1.5
    rows[1, :40] = np.cos(np.pi * 11 * band / 40)  # A norm of sqrt(40 / 2); the lifter of 11 is 1 + 22 / 2.
    rows[2, :40] = np.cos(np.pi * 20 * band / 40)  # Beyond the 13 that are kept.
    rows[3, 7] = np.nan
    rows[:, 40:] = 9.0  # Energy, pitch and voice are not used.
    found = mfcc(rows)
    expected = np.zeros((3, 13))
    expected[0, 0], expected[1, 11] = 1.5, 12 / np.sqrt(2)
    np.testing.assert_allclose(found[:3], expected, atol=1e-5)
    assert np.isnan(found[3]).all()
