"""Resampling to blocks of 640 samples at 16 kHz, one block for each frame of 1/25 s.

A block is a fixed linear map of samples that end where its frame ends. So later samples and the stream's
division into chunks have no effect. libswresample, which comes with PyAV, does not guarantee this: it mirrors
a stream's start and does not report its delay.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.types import FloatArray

FRAME_RATE_HZ = 25
BLOCK = SPEECH_RATE_HZ // FRAME_RATE_HZ
# Delay of a block: half the filter's length; without the delay, the filter would look ahead.
DELAY_S = 0.002
# Parameter of Kaiser's window; 5 damps aliasing over the band's edge by about 55 dB.
_KAISER_BETA = 5.0
# The band's edge divided by half of the lower rate: with a filter of 4 ms, the slope is about 750 Hz wide.
_EDGE = 0.96
# Number of parts of a block that are mapped separately: short parts need a small matrix.
_MOST_PARTS = 16


class Resampler:
    """The map from one sampling rate to blocks; it keeps no state.

    Args:
        rate_hz: samples per second; the map is made for the nearest multiple of 25 Hz.

    Attributes:
        span: samples that a block depends on; they end with its frame's last sample.
    """

    def __init__(self, rate_hz: int) -> None:
        per_frame = round(rate_hz / FRAME_RATE_HZ)
        common = math.gcd(per_frame, BLOCK)
        self._parts = max(n for n in range(1, _MOST_PARTS + 1) if common % n == 0)
        self._step = per_frame // self._parts
        self._taps = _taps(per_frame, self._parts)
        self.span = per_frame + len(self._taps) - self._step

    def blocks(self, samples: FloatArray, ends: NDArray[np.int64]) -> FloatArray:
        """Resample the frames that end before these places.

        Args:
            samples: (N,) float32.
            ends: (B,) places in ``samples``, each at least ``span``.

        Returns:
            (B, 640) float32.
        """
        starts = (ends - self.span)[:, None] + self._step * np.arange(self._parts)
        parts = samples[starts[..., None] + np.arange(len(self._taps))]
        # One product for each block, so that a block has the same bits alone and among others.
        blocks: FloatArray = np.matmul(parts, self._taps).reshape(len(ends), BLOCK)
        return blocks


@lru_cache(maxsize=8)
def _taps(per_frame: int, parts: int) -> FloatArray:
    """(inputs, outputs) weights of one part: a windowed sinc for each output, of gain 1 at 0 Hz."""
    rate_hz = per_frame * FRAME_RATE_HZ
    history = round(2 * DELAY_S * rate_hz)
    input_s = (np.arange(history + per_frame // parts) - history) / rate_hz
    output_s = np.arange(BLOCK // parts) / SPEECH_RATE_HZ - DELAY_S
    apart_s = output_s[None] - input_s[:, None]
    inside = np.sqrt(np.clip(1 - (apart_s / DELAY_S) ** 2, 0, None))
    window = np.where(np.abs(apart_s) < DELAY_S, np.i0(_KAISER_BETA * inside), 0.0)
    taps = window * np.sinc(_EDGE * min(rate_hz, SPEECH_RATE_HZ) * apart_s)
    weights: FloatArray = (taps / taps.sum(axis=0)).astype(np.float32)
    weights.setflags(write=False)
    return weights
