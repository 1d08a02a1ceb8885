"""Speech features: causal, equal in streaming and offline, independent of the sound's level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import sounds
from visavis.errors import InputError
from visavis.reaction.speech import (
    FRAME_RATE_HZ,
    SPEECH_CHANNELS,
    LogMelFeatures,
    SpeechFeatures,
    SpeechReader,
    speech_features,
    speech_samples,
)
from visavis.types import AudioChunk, FloatArray

RATES_HZ = [8_000, 11_025, 12_345, 16_000, 44_100, 48_000, 192_000]


def streamed(reader: SpeechReader, samples: FloatArray, rate_hz: int, sizes: list[int]) -> FloatArray:
    """Rows of samples that come in chunks of these sizes, over and over."""
    rows, start = [], 0
    while start < len(samples):
        size = sizes[len(rows) % len(sizes)]
        rows.append(reader.push(AudioChunk(samples[start : start + size], rate_hz, start / rate_hz)))
        start += size
    return np.concatenate([*rows, reader.flush()])


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("change_s", [0.4, 0.617])
def test_no_row_knows_what_comes_later(rate_hz: int, change_s: float) -> None:
    sound = sounds.talk(1.0, rate_hz)
    changed_at = int(np.ceil(change_s * rate_hz))
    other = sound.copy()
    other[changed_at:] = np.random.default_rng(1).normal(0, 0.3, len(sound) - changed_at)
    before, after = speech_features(sound, rate_hz), speech_features(other, rate_hz)
    unchanged = int(change_s * FRAME_RATE_HZ + 1e-9)
    np.testing.assert_array_equal(before[:unchanged], after[:unchanged])
    assert (before[unchanged + 1] != after[unchanged + 1]).any()


@given(
    rate_hz=st.sampled_from(RATES_HZ),
    sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=8).filter(lambda sizes: sum(sizes) > 200),
    seconds=st.floats(0.05, 1.2),
)
@settings(deadline=None, max_examples=25)
def test_a_stream_gives_the_rows_of_the_clip(rate_hz: int, sizes: list[int], seconds: float) -> None:
    sound = sounds.talk(seconds, rate_hz)
    clip = speech_features(sound, rate_hz)
    np.testing.assert_array_equal(streamed(SpeechReader(), sound, rate_hz, sizes), clip)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_a_row_is_there_as_soon_as_its_sound_is(rate_hz: int) -> None:
    reader, size = SpeechReader(), rate_hz // FRAME_RATE_HZ
    sound = sounds.talk(0.4, rate_hz)
    for index in range(10):
        chunk = sound[index * size : (index + 1) * size]
        assert len(reader.push(AudioChunk(chunk[:-1], rate_hz, index / FRAME_RATE_HZ))) == 0
        last_s = (index + 1) / FRAME_RATE_HZ - 1 / rate_hz
        assert len(reader.push(AudioChunk(chunk[-1:], rate_hz, last_s))) == 1
    assert len(reader.flush()) == 0


@pytest.mark.parametrize(("count", "rows"), [(0, 0), (1, 1), (640, 1), (641, 2), (16_000, 25)])
def test_a_clip_has_a_row_for_each_frame_that_it_touches(count: int, rows: int) -> None:
    assert speech_features(np.zeros(count), 16_000).shape == (rows, len(SPEECH_CHANNELS))
    assert speech_samples(np.zeros(count), 16_000).shape == (640 * rows,)


@pytest.mark.parametrize("gain", [0.02, 0.2, 3.0])
def test_a_quiet_microphone_reads_as_a_loud_one(gain: float) -> None:
    sound = sounds.talk(14.0, 16_000)
    loud, quiet = speech_features(sound, 16_000), speech_features(gain * sound, 16_000)
    assert np.abs(loud[:25] - quiet[:25]).max() > 0.3  # Before the level is known they differ.
    np.testing.assert_allclose(quiet[-100:], loud[-100:], atol=0.12)


def test_a_reset_reader_is_a_new_one() -> None:
    sound = sounds.talk(1.0, 16_000)
    reader = SpeechReader()
    first = streamed(reader, sound, 16_000, [700])
    again = streamed(reader, sound[:0], 16_000, [700])
    assert len(again) == 0
    reader.reset()
    np.testing.assert_array_equal(streamed(reader, sound, 16_000, [333]), first)


def test_rows_count_from_the_start_that_was_given() -> None:
    sound = sounds.talk(1.0, 16_000)
    late = SpeechReader(start_s=100.0)
    np.testing.assert_array_equal(late.push(AudioChunk(sound, 16_000, 100.0)), speech_features(sound, 16_000))
    waited = SpeechReader().push(AudioChunk(sound, 16_000, 0.4))
    np.testing.assert_array_equal(waited[10:], speech_features(sound, 16_000))
    cut = SpeechReader(start_s=0.2).push(AudioChunk(sound, 16_000, 0.0))
    np.testing.assert_array_equal(cut, speech_features(sound[3200:], 16_000))
    with pytest.raises(InputError, match="finite"):
        SpeechReader(start_s=np.nan)


@pytest.mark.parametrize("size", [160, 480, 3500])
def test_sound_before_the_start_is_dropped_however_it_is_cut(
    size: int, caplog: pytest.LogCaptureFixture
) -> None:
    sound = sounds.talk(1.0, 16_000)
    reader = SpeechReader(start_s=0.2)
    chunks = (AudioChunk(sound[k : k + size], 16_000, k / 16_000) for k in range(0, len(sound), size))
    rows = np.concatenate([reader.push(chunk) for chunk in chunks])
    np.testing.assert_array_equal(rows, speech_features(sound[3200:], 16_000))
    assert not caplog.records


def test_the_interface_of_all_features() -> None:
    features: SpeechFeatures = LogMelFeatures()
    sound = sounds.talk(0.5, 16_000)
    assert (features.channels, features.causal, features.frame_rate_hz) == (SPEECH_CHANNELS, True, 25)
    np.testing.assert_array_equal(features.features(sound, 16_000), speech_features(sound, 16_000))
