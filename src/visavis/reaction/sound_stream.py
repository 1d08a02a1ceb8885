"""A live stream of sound as blocks of 640 samples at 16 kHz, one for each frame of 1/25 s.

This module repairs the faults of live sound: holes and unknown samples become silence, repeated sound is
dropped, a new rate continues where the last one stopped, and a clock with another speed is followed.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator

import numpy as np

from visavis.errors import InputError
from visavis.reaction.resample import FRAME_RATE_HZ, Resampler
from visavis.types import AudioChunk, FloatArray

RATES_HZ = (8_000, 192_000)
# A chunk that is off by more than a frame is a hole or a repetition; less is rounding or drift.
LARGEST_ROUNDING_S = 1 / FRAME_RATE_HZ
LONGEST_GAP_S = 3600.0
# Drift is the lasting part of the chunks' errors over this time; it is corrected when it reaches this size.
_DRIFT_TIME_S = 2.0
_SLACK_S = 0.005
# A frame repeats or skips at most this much of the sound: 1.25% of its length.
_MOST_SLIP_S = 0.0005
# Sound is processed in pieces, so that a chunk of an hour needs little additional memory.
_PIECE_S = 10

_log = logging.getLogger(__name__)


class SoundStream:
    """The state of one stream of sound.

    Args:
        start_s: the time at which frame 0 starts, on the clock of the chunks' ``time_s``.
    """

    def __init__(self, start_s: float = 0.0) -> None:
        self._start_s = start_s
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next frame is frame 0."""
        self._frames = 0  # Frames given so far.
        self._heard = False
        self._said: set[str] = set()
        self._rate_hz = 0
        self._samples: FloatArray = np.zeros(0, np.float32)
        self._next = 0  # Where in the samples the next frame starts.
        self._late_s = 0.0
        self._slip = 0  # Samples that frames to come repeat (or skip, if negative).

    def push(self, chunk: AudioChunk) -> Iterator[FloatArray]:
        """Take a chunk; returns an iterator over the completed blocks (B, 640). The caller must exhaust it.

        Raises:
            InputError: the rate is outside 8 to 192 kHz, or the time is more than an hour after the last
                sound. The stream is unchanged.
        """
        rate_hz, known = chunk.sample_rate_hz, np.isfinite(chunk.samples)
        if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
            raise InputError(
                f"sound at {rate_hz} Hz; expected {RATES_HZ[0]} to {RATES_HZ[1]} Hz: resample it first"
            )
        error_s = chunk.time_s - self._end_s()
        if not error_s <= LONGEST_GAP_S:
            raise InputError(
                f"sound at {chunk.time_s:.3f} s, {error_s:.0f} s after the last; expected at most "
                f"{LONGEST_GAP_S:.0f} s: give start_s, or reset"
            )
        if rate_hz != self._rate_hz:
            self._change_rate(rate_hz)
        if not known.all():
            self._say("unknown", f"sound at {chunk.time_s:.2f} s holds NaN: taken as silence")
        samples = np.where(known, chunk.samples, np.float32(0)).clip(-1, 1)
        hole = self._follow(error_s, len(samples))
        return self._placed(samples[max(-hole, 0) :], max(hole, 0))

    def flush(self) -> Iterator[FloatArray]:
        """The incomplete frame, padded with silence, if it has any sound."""
        if len(self._samples) > self._next:
            yield self._take(np.zeros(self._length() - (len(self._samples) - self._next), np.float32))

    def _end_s(self) -> float:
        """The end time of the sound so far."""
        here = (len(self._samples) - self._next + self._slip) / self._rate_hz if self._rate_hz else 0.0
        return self._start_s + self._frames / FRAME_RATE_HZ + here

    def _follow(self, error_s: float, count: int) -> int:
        """Number of samples to insert before the next ones or, if negative, to drop from them."""
        first = not self._heard
        # A chunk that ends before frame 0 is not part of the stream: the next chunk is the first one.
        self._heard = not first or round(error_s * self._rate_hz) + count > 0
        if abs(error_s) <= LARGEST_ROUNDING_S and not first:
            # Times of single chunks are rounded and jitter; a lasting error is drift.
            self._late_s += (error_s - self._late_s) * -math.expm1(-count / self._rate_hz / _DRIFT_TIME_S)
            if abs(self._late_s) > _SLACK_S:
                self._slip += round(self._late_s * self._rate_hz)
                self._late_s = 0.0
            return 0
        self._late_s = 0.0
        if not first and error_s > 0:
            self._say("hole", f"{error_s:.2f} s of sound missing at {self._end_s():.2f} s: taken as silence")
        elif not first:
            self._say("twice", f"{-error_s:.2f} s of sound before {self._end_s():.2f} s came twice: dropped")
        return round(error_s * self._rate_hz)

    def _placed(self, samples: FloatArray, hole: int) -> Iterator[FloatArray]:
        size = _PIECE_S * self._rate_hz
        for start in range(0, hole, size):
            yield self._take(np.zeros(min(size, hole - start), np.float32))
        for start in range(0, len(samples), size):
            yield self._take(samples[start : start + size])

    def _take(self, samples: FloatArray) -> FloatArray:
        """Append samples; returns the blocks that became complete."""
        self._samples = np.concatenate([self._samples, samples])
        ends = []
        while (end := self._next + self._length()) <= len(self._samples):
            ends.append(end)
            self._slip -= self._frame_slip()
            self._next = end
            self._frames += 1
        blocks = self._resampler.blocks(self._samples, np.asarray(ends, np.int64))
        surplus = self._next - self._resampler.span
        self._samples, self._next = self._samples[surplus:].copy(), self._next - surplus
        return blocks

    def _frame_slip(self) -> int:
        most = round(_MOST_SLIP_S * self._rate_hz)
        return max(-most, min(most, self._slip))

    def _length(self) -> int:
        """Number of samples of the next frame; it varies by one if the rate is no multiple of 25 Hz."""
        whole = (
            self._frames + 1
        ) * self._rate_hz // FRAME_RATE_HZ - self._frames * self._rate_hz // FRAME_RATE_HZ
        return whole - self._frame_slip()

    def _change_rate(self, rate_hz: int) -> None:
        """Convert the kept samples to another rate; linear interpolation is enough for one frame."""
        before_hz, kept = self._rate_hz, self._samples
        self._rate_hz, self._resampler = rate_hz, Resampler(rate_hz)
        if before_hz:
            self._say("rate", f"sound changes from {before_hz} to {rate_hz} Hz at {self._end_s():.2f} s")
        else:
            before_hz = rate_hz
        waiting = (len(kept) - self._next) * rate_hz // before_hz
        places = np.arange(-self._resampler.span, waiting) * (before_hz / rate_hz) + self._next
        line = np.interp(places, np.arange(len(kept)), kept, left=0.0) if len(kept) else np.zeros(len(places))
        self._samples, self._next = line.astype(np.float32), self._resampler.span
        self._slip = round(self._slip * rate_hz / before_hz)

    def _say(self, kind: str, what: str) -> None:
        """Log only the first fault of each kind: a bad stream has thousands."""
        if kind not in self._said:
            self._said.add(kind)
            _log.warning("%s; more of the kind are not logged", what)
