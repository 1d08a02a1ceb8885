"""Faces moved to one face at rest: the person makes no difference, the movement does."""

from __future__ import annotations

import numpy as np
import pytest

from visavis.channels import FACE_CHANNELS
from visavis.reaction.neutral_face import MEMORY_FRAMES, RunningNeutralFace, resting
from visavis.types import FloatArray

WIDTH = len(FACE_CHANNELS)
REST = np.linspace(0, 1, WIDTH, dtype=np.float32)


def faces(frames: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).random((frames, WIDTH)).astype(np.float32)


def moved(clip: FloatArray) -> FloatArray:
    person = RunningNeutralFace(REST)
    return np.stack([person.moved(frame) for frame in clip])


def test_the_usual_is_the_mean_up_to_now() -> None:
    clip = faces(20)
    means = np.cumsum(clip, axis=0, dtype=np.float64) / np.arange(1, 21)[:, None]
    np.testing.assert_allclose(moved(clip), clip - means + REST, atol=1e-5)


def test_a_face_that_stays_becomes_usual() -> None:
    clip = np.repeat(faces(2), [MEMORY_FRAMES, 5 * MEMORY_FRAMES], axis=0)
    assert np.abs(moved(clip)[-1] - REST).max() < 0.01


def test_what_is_not_known_stays_so_and_changes_nothing() -> None:
    clip = faces(10)
    gaps = np.insert(clip, 4, np.nan, axis=0)
    gaps[7, 3] = np.nan
    found = moved(gaps)
    assert np.isnan(found[4]).all()
    assert np.isnan(found[7, 3])
    others = np.arange(WIDTH) != 3
    np.testing.assert_array_equal(np.delete(found, 4, axis=0)[:, others], moved(clip)[:, others])


def test_a_forgotten_person_is_a_new_one() -> None:
    person = RunningNeutralFace(REST)
    person.moved(faces(1)[0])
    person.reset()
    np.testing.assert_allclose(person.moved(faces(1, seed=1)[0]), REST, atol=1e-6)


def test_the_rest_of_a_clip_is_its_median() -> None:
    clip = faces(5)
    clip[0, 0] = clip[:, 1] = np.nan
    rest = resting(clip)
    assert rest[0] == pytest.approx(np.median(clip[1:, 0]))
    assert np.isnan(rest[1])
