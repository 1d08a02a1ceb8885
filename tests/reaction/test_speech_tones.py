"""Speech features of sounds with known pitch, band and loudness."""

from __future__ import annotations

import numpy as np
import pytest

from support import sounds
from visavis.reaction.resample import DELAY_S
from visavis.reaction.spectrum import HISTORY, spectra
from visavis.reaction.speech import speech_features, speech_samples

RATES_HZ = [8_000, 16_000, 22_050, 44_100, 96_000]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("hz", [100.0, 440.0, 3_000.0])
def test_another_rate_keeps_a_tone(rate_hz: int, hz: float) -> None:
    ours = speech_samples(sounds.tone(hz, 1.0, rate_hz), rate_hz)
    expected = 0.3 * np.sin(2 * np.pi * hz * (np.arange(len(ours)) / 16_000 - DELAY_S))
    np.testing.assert_allclose(ours[200:-200], expected[200:-200], atol=0.003)


@pytest.mark.parametrize("hz", [8_600.0, 12_000.0, 20_000.0])
def test_what_16_khz_cannot_hold_is_taken_away(hz: float) -> None:
    left = speech_samples(sounds.tone(hz, 1.0, 48_000), 48_000)[200:-200]
    assert np.sqrt(2 * np.mean(left**2)) < 0.3 * 10 ** (-45 / 20)


@pytest.mark.parametrize("hz", [71.0, 100.0, 155.5, 233.3, 395.0])
def test_pitch_of_a_voice(hz: float) -> None:
    found = spectra(sounds.voice(np.full(16_000, hz), 16_000)[: HISTORY + 640 * 20])
    np.testing.assert_allclose(found.f0_hz[2:], hz, rtol=0.003)
    assert found.periodicity[2:].min() > 0.98


def test_noise_has_no_period() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, HISTORY + 640 * 100).astype(np.float32)
    assert np.percentile(spectra(noise).periodicity, 95) < 0.3


def test_loudness_is_that_of_a_full_scale_sine() -> None:
    found = spectra(sounds.tone(1_000, 1.0, amplitude=1.0))
    np.testing.assert_allclose(found.energy_db[2:], 0, atol=0.01)
    quiet = spectra(sounds.tone(1_000, 1.0, amplitude=0.01) + np.float32(0.4))
    np.testing.assert_allclose(quiet.energy_db[2:], -40, atol=0.05)  # And a constant is not heard.


def test_bands_are_equally_wide_in_mel() -> None:
    low, high = 2595 * np.log10(1 + np.asarray([60, 7600]) / 700)
    centers_hz = 700 * (10 ** (np.linspace(low, high, 42)[1:-1] / 2595) - 1)
    for band in (2, 10, 20, 39):
        found = spectra(sounds.tone(centers_hz[band], 0.4))
        assert (found.mel_db[2:-1].argmax(axis=1) == band).all()


def test_pitch_counts_octaves_from_the_speakers_median() -> None:
    steps = np.repeat([120.0, 120.0, 120.0, 180.0, 90.0], 16_000)
    room = np.random.default_rng(0).normal(0, 0.001, 16_000)
    rows = speech_features(np.concatenate([room, sounds.voice(steps, 16_000)]), 16_000)
    pitch = rows[25:, sounds.PITCH].reshape(5, 25)[:, 3:-3]
    np.testing.assert_allclose(pitch[2], 0, atol=0.01)
    np.testing.assert_allclose(pitch[3], np.log2(1.5), atol=0.01)
    np.testing.assert_allclose(pitch[4], np.log2(0.75), atol=0.01)
    assert (rows[25:, sounds.VOICED].reshape(5, 25)[:, 3:-3] > 0.9).all()
    assert (rows[:24, [sounds.PITCH, sounds.VOICED]] < 0.3).all()


def test_a_glide_is_followed_without_a_jump() -> None:
    glide = 100 * 2 ** (np.arange(HISTORY + 640 * 75) / 32_000)  # Half an octave a second.
    octaves = np.log2(spectra(sounds.voice(glide, 16_000)).f0_hz / 100)
    ends_s = (HISTORY + 640 * np.arange(1, 76)) / 16_000
    # The pitch is that of the window's middle, some 20 ms before the row's end.
    np.testing.assert_allclose(octaves[2:], (ends_s[2:] - 0.02) / 2, atol=0.005)


def test_speech_rises_with_the_voice_and_is_held_for_a_moment() -> None:
    room = np.random.default_rng(0).normal(0, 0.001, 48_000)
    sound = room.copy()
    sound[16_000:32_000] += sounds.voice(np.full(16_000, 130.0), 16_000)
    speech = speech_features(sound, 16_000)[:, sounds.SPEECH]
    assert speech[:25].max() < 0.3
    assert speech[26] > 0.5  # Within 80 ms of the first sound.
    assert speech[27:50].min() > 0.9
    assert speech[51] > 0.3
    assert speech[56:].max() < 0.3
