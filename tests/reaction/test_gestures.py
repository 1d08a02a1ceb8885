"""Gestures: what was put in is found, once, where it begins; everything else is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.errors import InputError
from visavis.reaction.gestures import BROWS, NOD, SMILE, find_gestures
from visavis.types import FloatArray
from visavis_train.data.simulation.movements import nod, plateau
from visavis_train.data.simulation.nods import DEPTH, FREQUENCY_HZ

FRAMES = 150


def face_with(start: int, course: FloatArray, *channels: str) -> FloatArray:
    """(T, 58) of a face at rest that makes one movement from the frame after ``start`` on."""
    face = np.full((FRAMES, len(FACE_CHANNELS)), 0.05, np.float32)
    for channel in channels:
        face[start + 1 : start + 1 + len(course), FACE_INDEX[channel]] += course[: FRAMES - start - 1]
    return face


@given(
    st.integers(1, 4), st.floats(*FREQUENCY_HZ), st.floats(*DEPTH), st.integers(0, 60), st.integers(0, 2**32)
)
def test_a_simulated_nod_is_one_nod(
    cycles: int, frequency_hz: float, depth: float, start: int, seed: int
) -> None:
    face = face_with(start, -nod(cycles, frequency_hz, depth), "pitch")
    face += np.random.default_rng(seed).normal(0, 0.002, face.shape).astype(np.float32)
    (found,) = find_gestures(face)
    assert found.kind == NOD
    assert abs(found.start - start) <= 3
    assert start < found.peak <= start + 16
    assert 0.6 * depth < found.size < 1.6 * depth


@pytest.mark.parametrize(
    ("kind", "channels"),
    [
        (SMILE, ("mouthSmileLeft", "mouthSmileRight")),
        (BROWS, ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")),
    ],
)
def test_a_rise_is_found_with_its_size(kind: str, channels: tuple[str, ...]) -> None:
    (found,) = find_gestures(face_with(40, plateau(10, 20, 15, 0.5), *channels))
    assert found.kind == kind
    assert abs(found.start - 40) <= 2
    assert 48 <= found.peak <= 60
    assert found.size == pytest.approx(0.5, abs=0.02)


def test_what_is_small_or_slow_is_none() -> None:
    smile = face_with(40, plateau(10, 20, 15, 0.08), "mouthSmileLeft", "mouthSmileRight")
    slow = face_with(40, -nod(1, 0.5, 0.1), "pitch")
    stays = face_with(40, -np.full(200, 0.1, np.float32), "pitch")
    up = face_with(40, nod(1, 0.3, 0.1), "pitch")
    for face in (smile, slow, stays, up):
        assert find_gestures(face) == []


def test_where_a_face_is_at_rest_does_not_matter() -> None:
    face = face_with(30, plateau(8, 10, 8, 0.3), "mouthSmileLeft", "mouthSmileRight")
    assert [(g.start, g.peak) for g in find_gestures(face)] == [
        (g.start, g.peak) for g in find_gestures(face + 0.2)
    ]


def test_a_smile_that_comes_twice_is_two() -> None:
    course = np.tile(plateau(8, 10, 8, 0.4), 2)
    first, second = find_gestures(face_with(10, course, "mouthSmileLeft", "mouthSmileRight"))
    assert first.start < first.peak < second.start < second.peak


def test_where_nobody_is_the_last_face_goes_on() -> None:
    face = face_with(40, plateau(10, 20, 15, 0.5), "mouthSmileLeft", "mouthSmileRight")
    whole = find_gestures(face)
    face[:20], face[100:120] = np.nan, np.nan
    assert find_gestures(face) == whole
    assert find_gestures(np.full((9, 58), np.nan, np.float32)) == []
    assert find_gestures(face[:0]) == []


def test_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="faces has shape"):
        find_gestures(np.zeros((4, 52), np.float32))
