"""Gestures: each known gesture is found once, at its start, and no other is found."""

from __future__ import annotations

import numpy as np
import pytest

from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.errors import InputError
from visavis.reaction.gestures import BROWS, NOD, SMILE, find_gestures
from visavis.types import FloatArray

FRAMES = 150


def dip(frames: int, depth: float) -> FloatArray:
    """Up and down again, smoothly."""
    phase = np.arange(1, frames + 1) / (frames + 1)
    return np.asarray(depth * (1 - np.cos(2 * np.pi * phase)) / 2, np.float32)


def plateau(rise: int, hold: int, fall: int, height: float) -> FloatArray:
    """Up in ``rise`` frames, there for ``hold``, and down in ``fall``."""
    up, down = ((1 - np.cos(np.pi * np.arange(1, n + 1) / n)) / 2 for n in (rise, fall))
    return np.asarray(height * np.concatenate([up, np.ones(hold), 1 - down]), np.float32)


def face_with(start: int, course: FloatArray, *channels: str) -> FloatArray:
    """(T, 58) of a face at rest that makes one movement from the frame after ``start`` on."""
    face = np.full((FRAMES, len(FACE_CHANNELS)), 0.05, np.float32)
    for channel in channels:
        face[start + 1 : start + 1 + len(course), FACE_INDEX[channel]] += course[: FRAMES - start - 1]
    return face


@pytest.mark.parametrize("frames", [7, 10, 14])
def test_a_dip_of_the_head_is_one_nod(frames: int) -> None:
    (found,) = find_gestures(face_with(30, -dip(frames, 0.09), "pitch"))
    assert found.kind == NOD
    assert abs(found.start - 30) <= 3
    assert found.size == pytest.approx(0.09, rel=0.4)


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
    slow = face_with(40, -dip(50, 0.1), "pitch")
    stays = face_with(40, -np.full(200, 0.1, np.float32), "pitch")
    up = face_with(40, dip(83, 0.1), "pitch")
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
