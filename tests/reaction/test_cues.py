"""Cues, moments that invite a reaction: found by the rules, causal, and reported by their age."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.reaction.cues import (
    CUES,
    HEARD_CHANNELS,
    LOW_PITCH,
    PAUSE,
    REMEMBERED_FRAMES,
    STEP_FRAMES,
    STEPS,
    STRESS,
    CuedSpeech,
    Level,
    VoiceCues,
)
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.types import FloatArray

ROW = len(SPEECH_CHANNELS)


def rows(count: int, **channels: float) -> FloatArray:
    result = np.zeros((count, ROW), np.float32)
    for name, value in channels.items():
        result[:, SPEECH_CHANNELS.index(name)] = value
    return result


def voice(count: int, pitch: float = 0.0, energy: float = 0.0) -> FloatArray:
    return rows(count, speech=1.0, voiced=1.0, pitch=pitch, energy=energy)


def talk(count: int, seed: int = 0) -> FloatArray:
    """Speech of any pitch and loudness, with pauses."""
    rng = np.random.default_rng(seed)
    result = rng.normal(size=(count, ROW)).astype(np.float32)
    speaks = np.repeat(rng.random(count // 8 + 1) < 0.7, 8)[:count]
    result[:, SPEECH_CHANNELS.index("speech")] = speaks
    result[:, SPEECH_CHANNELS.index("voiced")] = speaks & (rng.random(count) < 0.8)
    return result


def starts(heard: FloatArray, cue: str) -> list[int]:
    """Frames in which a cue begins to be heard."""
    first = heard[:, HEARD_CHANNELS.index(f"{cue}0")]
    return np.flatnonzero(np.diff(first, prepend=0) > 0).tolist()


def test_a_pause_after_talk_is_told_for_a_second() -> None:
    heard = CuedSpeech().updated(np.concatenate([voice(30), rows(60), voice(5), rows(30)]))
    # The second stretch of talk is too short to invite anything.
    assert starts(heard, PAUSE) == [34]
    steps = heard[34 : 34 + STEPS * STEP_FRAMES, HEARD_CHANNELS.index("pause0") :][:, :STEPS]
    np.testing.assert_array_equal(steps, np.repeat(np.eye(STEPS), STEP_FRAMES, axis=0))
    assert not heard[34 + STEPS * STEP_FRAMES :, ROW:].any()
    np.testing.assert_array_equal(heard[:30, :ROW], voice(30))


def test_a_low_end_is_a_cue_at_its_third_frame() -> None:
    assert starts(CuedSpeech().updated(np.concatenate([voice(40), voice(6, pitch=-0.4)])), LOW_PITCH) == [42]


def test_a_loud_high_syllable_is_a_cue_and_not_again_at_once() -> None:
    loud = voice(3, pitch=0.5, energy=2.0)
    speech = np.concatenate([voice(40), loud, voice(10), loud, voice(30), loud])
    assert starts(CuedSpeech().updated(speech), STRESS) == [40, 86]


def test_frames_that_are_not_known_are_no_pause() -> None:
    gap = np.full((20, ROW), np.nan, np.float32)
    heard = CuedSpeech().updated(np.concatenate([voice(30), gap, voice(5), rows(10)]))
    assert np.isnan(heard[30:50]).all()
    assert np.isfinite(heard[:30]).all()
    assert starts(heard[50:], PAUSE) == [9]


@given(st.integers(1, 199), st.integers(0, 3))
def test_no_cue_depends_on_later_sound(frame: int, seed: int) -> None:
    speech = talk(200, seed)
    other = np.concatenate([speech[:frame], talk(200, seed + 7)[frame:]])
    np.testing.assert_array_equal(CuedSpeech().updated(speech)[:frame], CuedSpeech().updated(other)[:frame])


def test_a_stream_is_the_clip_and_a_reset_forgets() -> None:
    speech = talk(300)
    whole = CuedSpeech().updated(speech)
    assert all(starts(whole, cue) for cue in CUES)
    stream = CuedSpeech()
    np.testing.assert_array_equal(
        np.concatenate([stream.updated(part) for part in np.split(speech, 12)]), whole
    )
    stream.reset()
    np.testing.assert_array_equal(stream.updated(speech), whole)


def test_a_fork_goes_on_by_itself() -> None:
    speech, stream = talk(300), CuedSpeech()
    stream.updated(speech[:100])
    stream.fork().updated(talk(300, seed=9))
    np.testing.assert_array_equal(stream.updated(speech[100:]), CuedSpeech().updated(speech)[100:])


def test_levels_are_of_the_newest_values() -> None:
    level = Level()
    for value in range(3 * REMEMBERED_FRAMES):
        level.add(float(value))
    assert len(level) == REMEMBERED_FRAMES
    assert (level.at(0), level.at(1)) == (2 * REMEMBERED_FRAMES, 3 * REMEMBERED_FRAMES - 1)


def test_a_voice_that_rose_for_good_is_no_longer_high() -> None:
    cues = VoiceCues()

    def stressed(pitch: float) -> int:
        return sum(
            STRESS in cues.update(speech=True, voiced=True, pitch=pitch + 0.001 * n, energy=0.001 * n)
            for n in range(REMEMBERED_FRAMES)
        )

    stressed(0.0)
    assert stressed(1.0) > 0  # Higher than it ever was.
    assert (
        cues.update(speech=True, voiced=True, pitch=1.0, energy=9.0) == ()
    )  # As low as this voice goes now.


@pytest.mark.parametrize("channel", ["speech", "pitch"])
def test_a_number_that_is_not_known_makes_the_frame_unknown(channel: str) -> None:
    speech = np.concatenate([voice(30), rows(10)])
    speech[5, SPEECH_CHANNELS.index(channel)] = np.nan
    heard = CuedSpeech().updated(speech)
    assert np.isnan(heard[5, ROW:]).all()
    assert starts(heard[6:], PAUSE) == [28]
