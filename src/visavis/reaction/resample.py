"""Resampling to blocks of 640 samples at 16 kHz, one block for each frame of 1/25 s.

A block is a fixed linear map of the samples that end where its frame ends, so nothing later can reach it and
nothing depends on how the stream was cut. libswresample, which PyAV brings, gives no such promise: it mirrors
a stream's start and keeps its delay to itself.
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
# A block is this late: half the filter's length, without which the filter would look ahead.
DELAY_S = 0.002
# Kaiser's window; 5 keeps what folds over the band's edge about 55 dB down.
_KAISER_BETA = 5.0
# The band's edge over half of the lower rate: with 4 ms of filter the slope is about 750 Hz wide.
_EDGE = 0.96
# Parts of a block that are mapped on their own: short parts make a small matrix.
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
        # One product a block, so that a block has the same bits alone and among others.
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
