"""Tracks at one rest: people with equal movements get equal clips."""

from __future__ import annotations

import numpy as np
import pytest

from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.errors import InputError
from visavis_train.data.track_pack import Clip
from visavis_train.tokenizer.neutral_faces import at_one_rest, mean_rest


def clip(name: str, source: str, rest: float, unknown: int | None = None) -> Clip:
    steps = np.random.default_rng(0).normal(size=(21, len(FACE_CHANNELS))) / 10
    face = (steps + rest).astype(np.float32)
    if unknown is not None:
        face[:, unknown] = np.nan
    return Clip(name, source, 25.0, face, np.zeros((21, len(EXPRESSION_CHANNELS)), np.float32))


def test_people_who_do_the_same_become_the_same() -> None:
    one, other = clip("a", "video", 0.2), clip("b", "video", 0.7)
    rest = mean_rest([one, other], {"video": 1.0})
    np.testing.assert_allclose(rest, (np.median(one.face, 0) + np.median(other.face, 0)) / 2, atol=1e-6)
    first, second = at_one_rest([one, other], rest)
    np.testing.assert_allclose(first.face, second.face, atol=1e-6)
    np.testing.assert_allclose(np.median(first.face, axis=0), rest, atol=1e-6)


def test_sources_weigh_as_their_shares() -> None:
    clips = [clip("a", "video", 0.0), clip("b", "grid", 1.0), clip("c", "grid", 1.0), clip("d", "other", 9.0)]
    shift = mean_rest(clips, {"video": 3.0, "grid": 1.0}) - np.median(clips[0].face, axis=0)
    np.testing.assert_allclose(shift, 0.25, atol=1e-6)


def test_channels_that_only_some_know() -> None:
    clips = [clip("a", "video", 0.5), clip("b", "grid", 0.1, unknown=4)]
    rest = mean_rest(clips, {"video": 1.0, "grid": 1.0})
    assert rest[4] == pytest.approx(np.median(clips[0].face[:, 4]))
    with pytest.raises(InputError, match=f"no training clip knows the channel {FACE_CHANNELS[4]}"):
        mean_rest(clips[1:], {"grid": 1.0})
