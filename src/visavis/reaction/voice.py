"""Speech features that do not depend on the microphone's level and the voice's usual pitch.

The memory of a speaker has the noise in each band, the level of the voice and its usual pitch. It only
depends on earlier frames. Frames of digital silence do not change it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque

import numpy as np

from visavis.reaction.resample import FRAME_RATE_HZ
from visavis.reaction.spectrum import MEL_BANDS, DoubleArray, Spectra
from visavis.types import FloatArray

SPEECH_CHANNELS: tuple[str, ...] = (
    *(f"mel{band:02d}" for band in range(MEL_BANDS)),
    "energy",
    "pitch",
    "voiced",
    "speech",
)
# The channel that tells whether somebody speaks.
SPEAKING = SPEECH_CHANNELS.index("speech")
# Level of speech that is assumed before any speech: the usual level of telephony, -26 dB.
FIRST_LEVEL_DB = -26.0
LEVEL_TIME_S = 10.0
# The assumed level counts as much as this many frames of voice.
_FIRST_WEIGHT = 5
_SILENT_DB = -100.0
# Noise is the level to which a band keeps falling back: it follows down within 0.3 s, up within 8 s.
_NOISE_FALL, _NOISE_RISE = -math.expm1(-1 / (0.3 * FRAME_RATE_HZ)), -math.expm1(-1 / (8.0 * FRAME_RATE_HZ))
_NOISE_STEP_DB = 24.0
# Bands this far below the voice are never speech, even in a quiet room: echoes, breath, clothes.
_DEPTH_DB = 50.0
_ABOVE_MOST_DB = 15.0
# The voice's level and pitch are learned from clearly voiced frames.
_SURE_PERIODICITY, _SURE_ABOVE_DB = 0.7, 3.0
_PITCH_MEMORY = 250
# Logistic regression on GRID's clips, quiet and in noise: see docs/reference/speech.md.
_SPEECH_WEIGHTS, _SPEECH_BIAS = (2.71, 2.10), -7.14
_RELEASE = 0.25
# They scale bands and energy of speech to about mean 0 and spread 1 on RAVDESS and GRID.
_MEL_MEAN_DB, _MEL_SPREAD_DB = np.linspace(-18.0, -46.0, MEL_BANDS), 13.0
_ENERGY_MEAN_DB, _ENERGY_SPREAD_DB = -3.0, 11.0
_LIMIT = 4.0


class VoiceTracker:
    """The memory of one speaker's sound."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the speaker."""
        self._noise_db: DoubleArray | None = None
        self._level_db, self._voiced_frames = FIRST_LEVEL_DB, 0
        self._above_db = self._speech = 0.0
        self._pitches: deque[float] = deque()
        self._sorted_pitches: list[float] = []

    def update(self, spectra: Spectra) -> FloatArray:
        """Features (B, 44) of the next B frames, in the order of :data:`SPEECH_CHANNELS`."""
        energies, periodicities = spectra.energy_db.tolist(), spectra.periodicity.tolist()
        pitches = np.log2(spectra.f0_hz).tolist()
        heard = []
        for mel_db, energy_db, periodicity, pitch in zip(
            spectra.mel_db, energies, periodicities, pitches, strict=True
        ):
            voiced = self._hear(mel_db, energy_db, periodicity, pitch)
            octaves = self._pitch(pitch) if voiced > 0.5 else 0.0
            heard.append((self._level_db, octaves, voiced, self._speech))
        levels_db, *others = np.asarray(heard).T
        mel = (spectra.mel_db - levels_db[:, None] - _MEL_MEAN_DB) / _MEL_SPREAD_DB
        energy = (spectra.energy_db - levels_db - _ENERGY_MEAN_DB) / _ENERGY_SPREAD_DB
        rows = np.column_stack([mel, energy, *others]).astype(np.float32)
        return np.asarray(rows.clip(-_LIMIT, _LIMIT), np.float32)

    def _hear(self, mel_db: DoubleArray, energy_db: float, periodicity: float, pitch: float) -> float:
        """Update the memory by one frame; returns the probability that it is voiced, 0..1."""
        if energy_db < _SILENT_DB:
            above_db = periodicity = 0.0
        else:
            above_noise_db, above_db = self._above(mel_db)
            if periodicity > _SURE_PERIODICITY and above_noise_db > _SURE_ABOVE_DB:
                self._learn(energy_db, pitch)
        # Half of the value of the frame before: noise alone rarely rises twice.
        self._above_db += (above_db - self._above_db) / 2
        weighed = _SPEECH_WEIGHTS[0] * self._above_db + _SPEECH_WEIGHTS[1] * periodicity + _SPEECH_BIAS
        self._speech = max(1 / (1 + math.exp(-weighed)), self._speech - _RELEASE)
        # A hum is periodic too, but it is part of the noise.
        return min(max((periodicity - 0.3) / 0.6, 0.0), min(above_db / 3, 1.0), 1.0)

    def _above(self, mel_db: DoubleArray) -> tuple[float, float]:
        """Follow the noise; returns dB above it, and the mean over bands of dB above it or the depth."""
        noise_db = mel_db if self._noise_db is None else self._noise_db
        rise = np.minimum(mel_db - noise_db, _NOISE_STEP_DB)
        noise_db = noise_db + rise * np.where(rise > 0, _NOISE_RISE, _NOISE_FALL)
        self._noise_db = noise_db
        floor_db = np.maximum(noise_db, self._level_db - _DEPTH_DB)
        above = np.minimum(np.maximum(mel_db - np.stack([noise_db, floor_db]), 0), _ABOVE_MOST_DB)
        above_noise_db, above_floor_db = np.add.reduce(above, axis=1).tolist()
        return above_noise_db / MEL_BANDS, above_floor_db / MEL_BANDS

    def _learn(self, energy_db: float, pitch: float) -> None:
        self._voiced_frames += 1
        slow = -math.expm1(-1 / (LEVEL_TIME_S * FRAME_RATE_HZ))
        self._level_db += (energy_db - self._level_db) * max(1 / (self._voiced_frames + _FIRST_WEIGHT), slow)
        self._pitches.append(pitch)
        insort(self._sorted_pitches, pitch)
        if len(self._pitches) > _PITCH_MEMORY:
            del self._sorted_pitches[bisect_left(self._sorted_pitches, self._pitches.popleft())]

    def _pitch(self, pitch: float) -> float:
        """Octaves above the speaker's median."""
        known = self._sorted_pitches
        return pitch - known[len(known) // 2] if known else 0.0
