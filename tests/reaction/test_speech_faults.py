"""Faults of live sound: the reader goes on, reports each fault once, and recovers."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from support import sounds
from visavis.base.waveform import mono
from visavis.errors import InputError
from visavis.reaction.resample import DELAY_S
from visavis.reaction.sound_stream import SoundStream
from visavis.reaction.speech import SPEECH_CHANNELS, SpeechReader, speech_features
from visavis.types import AudioChunk, FloatArray

RATE_HZ = 16_000


def chunk(samples: FloatArray, time_s: float, rate_hz: int = RATE_HZ) -> AudioChunk:
    return AudioChunk(samples, rate_hz, time_s)


def pushed(*chunks: AudioChunk) -> FloatArray:
    reader = SpeechReader()
    return np.concatenate([reader.push(one) for one in chunks])


def test_a_hole_is_silence_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    sound = sounds.talk(6.0, RATE_HZ)
    holed = sound.copy()
    parts = []
    for second in range(0, 6, 2):
        parts.append(chunk(sound[second * RATE_HZ : (second + 1) * RATE_HZ], float(second)))
        holed[(second + 1) * RATE_HZ : (second + 2) * RATE_HZ] = 0
    with caplog.at_level(logging.WARNING):
        rows = pushed(*parts)
    np.testing.assert_array_equal(rows, speech_features(holed, RATE_HZ)[:125])
    assert [record.getMessage() for record in caplog.records] == [
        "1.00 s of sound missing at 1.00 s: taken as silence; more of the kind are not logged"
    ]


def test_what_comes_twice_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    sound = sounds.talk(2.0, RATE_HZ)
    with caplog.at_level(logging.WARNING):
        rows = pushed(
            chunk(sound[:16_000], 0.0),
            chunk(sound[12_000:20_000], 0.75),
            chunk(sound[:8_000], 0.0),
            chunk(sound[20_000:], 1.25),
        )
    np.testing.assert_array_equal(rows, speech_features(sound, RATE_HZ))
    assert len(caplog.records) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_unknown_samples_are_silence(bad: float, caplog: pytest.LogCaptureFixture) -> None:
    sound = sounds.talk(2.0, RATE_HZ)
    silent, spoilt = sound.copy(), sound.copy()
    silent[5_000:6_000], spoilt[5_000:6_000] = 0, bad
    with caplog.at_level(logging.WARNING):
        rows = pushed(*(chunk(mono(spoilt[i : i + 500]), i / RATE_HZ) for i in range(0, 32_000, 500)))
    np.testing.assert_array_equal(rows, speech_features(silent, RATE_HZ))
    assert len(caplog.records) == 1


@pytest.mark.parametrize(("first_hz", "second_hz"), [(48_000, 16_000), (8_000, 44_100), (16_000, 12_345)])
def test_another_rate_goes_on_where_the_last_one_stopped(first_hz: int, second_hz: int) -> None:
    # The change comes in the middle of frame 25.
    first = chunk(sounds.tone(300, 1.015, first_hz), 0.0, first_hz)
    second = chunk(sounds.tone(300, 2.5, second_hz)[round(1.015 * second_hz) :], 1.015, second_hz)
    stream = SoundStream()
    heard = np.concatenate([blocks for part in (first, second) for blocks in stream.push(part)])
    assert heard.shape == (62, 640)
    time_s = np.arange(heard.size).reshape(heard.shape) / RATE_HZ - DELAY_S
    error = np.abs(heard - 0.3 * np.sin(2 * np.pi * 300 * time_s)).max(axis=1)
    assert error[1:25].max() < 0.003
    assert error[25:27].max() < 0.1
    # A rate that is no multiple of 25 Hz is off by a sample or so.
    assert error[27:].max() < (0.003 if second_hz % 25 == 0 else 1.5 * 0.3 * 2 * np.pi * 300 / second_hz)


@pytest.mark.parametrize(
    "fault",
    [
        np.zeros(RATE_HZ),
        np.full(RATE_HZ, 0.7),
        np.where(np.arange(RATE_HZ) % 160 < 80, 1e30, -1e30),
        np.random.default_rng(0).choice([-1.0, 1.0], RATE_HZ),
    ],
    ids=["silence", "constant", "far beyond full scale", "full-scale noise"],
)
def test_a_second_of_anything_spoils_nothing(fault: FloatArray) -> None:
    sound = sounds.talk(20.0, RATE_HZ)
    broken = sound.copy()
    broken[5 * RATE_HZ : 6 * RATE_HZ] = fault
    good, rows = speech_features(sound, RATE_HZ), speech_features(broken, RATE_HZ)
    assert np.isfinite(rows).all()
    assert np.abs(rows).max() <= 4
    np.testing.assert_allclose(rows[-75:], good[-75:], atol=0.5)
    active = good[-75:, sounds.SPEECH] > 0.5
    assert (active == (rows[-75:, sounds.SPEECH] > 0.5)).mean() > 0.95


def test_digital_silence_changes_no_memory() -> None:
    sound, rest = sounds.talk(4.0, RATE_HZ), sounds.talk(2.0, RATE_HZ, seed=1)
    short, long = SpeechReader(), SpeechReader()
    for reader in (short, long):
        reader.push(chunk(sound, 0.0))
    short_rows = short.push(chunk(rest, 5.0))
    long_rows = long.push(chunk(rest, 35.0))
    np.testing.assert_array_equal(short_rows[25:], long_rows[25 + 30 * 25 :])


@pytest.mark.parametrize("drift_ppm", [-300, 300])
@pytest.mark.slow
def test_an_hour_of_drift_stays_within_a_frame(drift_ppm: int) -> None:
    """The sound card's clock runs wrong against the clock of ``time_s``: 1.1 s in an hour."""
    rate_hz, seconds = 8_000, 20
    stream, rows, clicks_s = SoundStream(), 0, []
    heard = []
    for index in range(3600 // seconds):
        samples = np.zeros(seconds * rate_hz, np.float32)
        samples[rate_hz] = 1
        time_s = index * seconds * (1 + drift_ppm * 1e-6)
        clicks_s.append(time_s + 1)
        for blocks in stream.push(AudioChunk(samples, rate_hz, time_s)):
            loud = np.flatnonzero(np.abs(blocks).max(axis=1) > 0.2)
            heard += [rows + int(loud[0])] if len(loud) else []
            rows += len(blocks)
    assert len(heard) == len(clicks_s)
    off = np.asarray(heard) - np.asarray(clicks_s) * 25
    assert np.abs(off + 0.5).max() <= 1.0
    assert abs(rows - 3600 * (1 + drift_ppm * 1e-6) * 25) <= 1


def test_times_that_jitter_change_nothing() -> None:
    sound = sounds.talk(4.0, RATE_HZ)
    jitter_s = np.random.default_rng(0).uniform(-0.004, 0.004, 100)
    rows = pushed(*(chunk(sound[i * 640 :][:640], i / 25 + jitter_s[i] * (i > 0)) for i in range(100)))
    np.testing.assert_array_equal(rows, speech_features(sound, RATE_HZ))


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (AudioChunk(np.zeros(100, np.float32), 7_999, 0.4), "7999 Hz"),
        (AudioChunk(np.zeros(100, np.float32), 200_000, 0.4), "200000 Hz"),
        (AudioChunk(np.zeros(100, np.float32), RATE_HZ, 1.7e9), "start_s"),
    ],
)
def test_what_is_refused_changes_nothing(bad: AudioChunk, found: str) -> None:
    sound = sounds.talk(1.0, RATE_HZ)
    reader = SpeechReader()
    first = reader.push(chunk(sound[:6_400], 0.0))
    with pytest.raises(InputError, match=found):
        reader.push(bad)
    rows = np.concatenate([first, reader.push(chunk(sound[6_400:], 0.4))])
    np.testing.assert_array_equal(rows, speech_features(sound, RATE_HZ))


def test_the_memory_of_a_stream_is_flat() -> None:
    reader = SpeechReader()
    sizes = set()
    for index in range(200):
        reader.push(chunk(sounds.tone(200, 0.1), index / 10))
        state = (vars(reader._stream), vars(reader._voice), vars(reader))
        arrays = [value for part in state for value in part.values() if isinstance(value, np.ndarray)]
        sizes.add(sum(array.nbytes if array.base is None else array.base.nbytes for array in arrays))
    assert max(sizes) < 60_000


def test_channels_are_named_once() -> None:
    assert len(SPEECH_CHANNELS) == len(set(SPEECH_CHANNELS)) == 44
    assert SPEECH_CHANNELS[39:] == ("mel39", "energy", "pitch", "voiced", "speech")
