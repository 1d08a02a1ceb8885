"""Sound like speech from seeds: syllables of a gliding voice, pauses, and a quiet room."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.types import FloatArray

ENERGY, PITCH, VOICED, SPEECH = (
    SPEECH_CHANNELS.index(name) for name in ("energy", "pitch", "voiced", "speech")
)


def write_wav(path: Path, samples: bytes, rate_hz: int = 16_000, channels: int = 1) -> None:
    """A WAV file of 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples)


def tone(hz: float, seconds: float, rate_hz: int = 16_000, amplitude: float = 0.3) -> FloatArray:
    """A sine."""
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(
        np.float32
    )


def voice(f0_hz: NDArray[np.float64], rate_hz: int, amplitude: float = 0.1) -> FloatArray:
    """A voice whose pitch is given for each sample: harmonics up to 3.5 kHz that fall by 6 dB an octave."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / rate_hz
    count = int(3500 / f0_hz.max())
    return (amplitude * sum(np.sin(k * phase) / k for k in range(1, count + 1))).astype(np.float32)


def talk(seconds: float, rate_hz: int, seed: int = 0) -> FloatArray:
    """Syllables of .2 s, every fifth a pause, in noise 40 dB below them."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    sound = voice(120 * 2 ** (0.3 * np.sin(3 * time_s)), rate_hz)
    loud = np.sin(np.pi * time_s / 0.2) ** 2 * ((time_s / 0.2).astype(int) % 5 != 4)
    return (sound * loud + 0.001 * rng.normal(size=len(time_s))).astype(np.float32)
