"""Mel bands, loudness, period and periodicity of each frame of 1/25 s of sound at 16 kHz.

Nothing here has a memory: a frame depends on its own block of 640 samples and the 192 before it. Each frame
is computed by the same operations alone or among others, so a stream and a clip give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.reaction.resample import BLOCK
from visavis.types import FloatArray

DoubleArray = NDArray[np.float64]
MEL_BANDS = 40
BAND_HZ = (60.0, 7600.0)
PITCH_HZ = (70.0, 400.0)
# Number of samples before a frame that the frame also reads.
HISTORY = 192
# Far below the resolution of 16 bits; keeps the logarithm finite.
SILENCE_DB = -140.0
# Two windows of 32 ms, whose ends differ by 20 ms, cover a frame and a little of the one before.
_WINDOW = 512
_HOP = BLOCK // 2
_SHORTEST, _LONGEST = int(SPEECH_RATE_HZ / PITCH_HZ[1]), int(np.ceil(SPEECH_RATE_HZ / PITCH_HZ[0]))
_PITCH_SPAN = _WINDOW + _LONGEST + 1
_PITCH_FFT = 1024
# Multiples of a period are periods too; the shortest one that is nearly as good is the voice's.
_NEARLY = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """Spectra of B frames.

    Attributes:
        mel_db: (B, 40) power of each band in dB; a full-scale sine is about 0.
        energy_db: (B,) power from 60 to 7600 Hz in dB; a full-scale sine is 0.
        f0_hz: (B,) the best fundamental frequency, 70 to 400 Hz, whether voiced or not.
        periodicity: (B,) 0..1, correlation of the sound with itself one period earlier.
    """

    mel_db: DoubleArray
    energy_db: DoubleArray
    f0_hz: DoubleArray
    periodicity: DoubleArray


def spectra(samples: FloatArray) -> Spectra:
    """Measure frames.

    Args:
        samples: (192 + 640 B,) float32, the history of the first frame and then the frames.
    """
    count = (len(samples) - HISTORY) // BLOCK
    sound = samples.astype(np.float64)
    windows = _cut(sound, HISTORY + _HOP - _WINDOW, _HOP, 2 * count, _WINDOW)
    spectrum = np.fft.rfft(windows * _hann(), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).reshape(count, 2, -1)
    power = (power[:, 0] + power[:, 1]) / 2
    bands = np.matmul(power[:, None], _filters())[:, 0]
    decibels = 10 * np.log10(bands + 10 ** (SILENCE_DB / 10))
    f0_hz, periodicity = _periods(_cut(sound, HISTORY + BLOCK - _PITCH_SPAN, BLOCK, count, _PITCH_SPAN))
    return Spectra(decibels[:, :-1], decibels[:, -1], f0_hz, periodicity)


def _cut(sound: DoubleArray, start: int, step: int, count: int, length: int) -> DoubleArray:
    """Stretches (count, length), each without its mean, because devices add a constant."""
    stretches: DoubleArray = sound[start + step * np.arange(count)[:, None] + np.arange(length)]
    stretches -= np.add.reduce(stretches, axis=1, keepdims=True) / length
    return stretches


@lru_cache(maxsize=1)
def _hann() -> DoubleArray:
    window = np.hanning(_WINDOW + 1)[:-1]
    window.setflags(write=False)
    return window


@lru_cache(maxsize=1)
def _filters() -> DoubleArray:
    """Filters (257, 41): triangles of equal width in mel, and last the whole band."""
    bins_hz = np.arange(_WINDOW // 2 + 1) * SPEECH_RATE_HZ / _WINDOW
    # The mel scale of O'Shaughnessy 1987, as in HTK.
    low, high = 2595 * np.log10(1 + np.asarray(BAND_HZ) / 700)
    edges_hz = 700 * (10 ** (np.linspace(low, high, MEL_BANDS + 2) / 2595) - 1)
    rise = (bins_hz[:, None] - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    fall = (edges_hz[2:] - bins_hz[:, None]) / (edges_hz[2:] - edges_hz[1:-1])
    triangles = np.clip(np.minimum(rise, fall), 0, None)
    whole = (bins_hz >= BAND_HZ[0]) & (bins_hz <= BAND_HZ[1])
    # A sine of amplitude 1 has the power sum (window^2) * N / 4 in the half spectrum; call that 0 dB.
    unit = (_hann() ** 2).sum() * _WINDOW / 4
    filters: DoubleArray = np.concatenate([triangles, whole[:, None]], axis=1) / unit
    filters.setflags(write=False)
    return filters


def _periods(segments: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Fundamental frequency and periodicity of (B, 742) samples: normalised cross-correlation.

    Talkin 1995, "A robust algorithm for pitch tracking (RAPT)", equation for phi, looking back: the newest
    512 samples against the 512 that lie a lag before them.
    """
    both = np.zeros((2, len(segments), _PITCH_FFT))
    both[0, :, :_PITCH_SPAN], both[1, :, :_WINDOW] = segments, segments[:, -_WINDOW:]
    whole, newest = np.fft.rfft(both)
    # Index s compares the newest samples with those that start at s, so the lag is span - 512 - s.
    # Written out, since numpy's complex product rounds differently from one memory layout to another.
    cross = np.empty_like(whole)
    cross.real = whole.real * newest.real + whole.imag * newest.imag
    cross.imag = whole.imag * newest.real - whole.real * newest.imag
    products = np.fft.irfft(cross, _PITCH_FFT, axis=1)[:, : _LONGEST + 2]
    sums = np.zeros((len(segments), _PITCH_SPAN + 1))
    np.cumsum(segments**2, axis=1, out=sums[:, 1:])
    energies = sums[:, _WINDOW:] - sums[:, :-_WINDOW]
    scale = np.sqrt(np.maximum(energies[:, -1:] * energies, 0)) + _WINDOW * 10 ** (SILENCE_DB / 10)
    by_lag = (products / scale)[:, ::-1]  # Lags from 0 to the longest plus one.
    inner = by_lag[:, _SHORTEST : _LONGEST + 1]
    peaks = (inner >= by_lag[:, _SHORTEST - 1 : _LONGEST]) & (inner > by_lag[:, _SHORTEST + 1 : _LONGEST + 2])
    heights = np.where(peaks, inner, 0.0)
    best = heights.max(axis=1)
    first = (heights >= np.maximum(_NEARLY * best, 1e-9)[:, None]).argmax(axis=1)
    row, lag = np.arange(len(segments)), _SHORTEST + first
    before, here, after = by_lag[row, lag - 1], by_lag[row, lag], by_lag[row, lag + 1]
    # The maximum of the parabola through three points is between samples.
    bend = np.minimum(before - 2 * here + after, -1e-9)
    shift = np.clip((before - after) / (2 * bend), -0.5, 0.5)
    return SPEECH_RATE_HZ / (lag + shift), np.minimum(best, 1.0)
