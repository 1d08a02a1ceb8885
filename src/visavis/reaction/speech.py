"""44 speech features at 25 Hz: 40 log-mel bands, energy, pitch, voicing and voice activity.

Row ``i`` describes the sound up to ``(i + 1) / 25`` s of its stream and nothing later. A stream in chunks of
any size gives the same rows as the whole clip. docs/reference/speech.md states each channel's unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from visavis.base.waveform import SPEECH_RATE_HZ, mono
from visavis.errors import InputError
from visavis.reaction.resample import FRAME_RATE_HZ
from visavis.reaction.sound_stream import SoundStream
from visavis.reaction.spectrum import HISTORY, spectra
from visavis.reaction.voice import SPEECH_CHANNELS, VoiceTracker
from visavis.types import AudioChunk, FloatArray

__all__ = [
    "FRAME_RATE_HZ",
    "SPEECH_CHANNELS",
    "SPEECH_RATE_HZ",
    "LogMelFeatures",
    "SpeechFeatures",
    "SpeechReader",
    "speech_features",
    "speech_samples",
]


class SpeechFeatures(Protocol):
    """The interface of all kinds of speech features of a whole clip.

    Attributes:
        channels: D names.
        causal: whether no row depends on later sound; only causal features can run live.
        frame_rate_hz: rows per second.
    """

    @property
    def channels(self) -> tuple[str, ...]: ...  # noqa: D102 - described above
    @property
    def causal(self) -> bool: ...  # noqa: D102 - described above
    @property
    def frame_rate_hz(self) -> int: ...  # noqa: D102 - described above

    def features(self, samples: ArrayLike, sample_rate_hz: int) -> FloatArray:
        """Features (T, D) of (N,) or (N, channels) samples; T counts the frames that the clip touches."""
        ...


class SpeechReader:
    """The state of one stream of sound.

    Args:
        start_s: the time at which row 0 starts, on the clock of the chunks' ``time_s``. Sound before this
            time is dropped, and missing sound after it is silence.

    Raises:
        InputError: the start is not finite.
    """

    def __init__(self, start_s: float = 0.0) -> None:
        if not math.isfinite(start_s):
            raise InputError(f"a stream must start at a finite time; found {start_s}")
        self._stream, self._voice = SoundStream(start_s), VoiceTracker()
        self._history: FloatArray = np.zeros(HISTORY, np.float32)

    def push(self, chunk: AudioChunk) -> FloatArray:
        """Take the next sound.

        Holes and NaN become silence, repeated sound is dropped, a new rate continues where the last one
        stopped; each kind of fault is logged once.

        Returns:
            (n, 44) the completed rows, in the order of :data:`SPEECH_CHANNELS`; n may be 0.

        Raises:
            InputError: the rate is outside 8 to 192 kHz, or the time is more than an hour after the last
                sound. The stream is unchanged.
        """
        return self._rows(self._stream.push(chunk))

    def flush(self) -> FloatArray:
        """The last incomplete row (n, 44), filled with silence; n is 0 or 1."""
        return self._rows(self._stream.flush())

    def reset(self) -> None:
        """Forget the stream and its speaker; the next row is row 0."""
        self._stream.reset()
        self._voice.reset()
        self._history = np.zeros(HISTORY, np.float32)

    def _rows(self, pieces: Iterable[FloatArray]) -> FloatArray:
        rows = [np.zeros((0, len(SPEECH_CHANNELS)), np.float32)]
        for blocks in pieces:
            if len(blocks):
                sound = np.concatenate([self._history, blocks.ravel()])
                self._history = sound[-HISTORY:]
                rows.append(self._voice.update(spectra(sound)))
        return np.concatenate(rows)


def speech_features(samples: ArrayLike, sample_rate_hz: int) -> FloatArray:
    """Features of a whole clip; a stream gives the same.

    Args:
        samples: (N,), or (N, C) for C channels; see :func:`~visavis.base.waveform.mono`.
        sample_rate_hz: 8 to 192 kHz.

    Returns:
        (T, 44) float32; T counts the frames that the clip touches.

    Raises:
        InputError: the samples have another shape, or the rate is out of range.
    """
    reader = SpeechReader()
    rows = reader.push(AudioChunk(mono(samples), sample_rate_hz, 0.0))
    return np.concatenate([rows, reader.flush()])


def speech_samples(samples: ArrayLike, sample_rate_hz: int) -> FloatArray:
    """A whole clip at 16 kHz, the input of all features here: mono, NaN as silence, 2 ms late.

    Args:
        samples: (N,), or (N, C) for C channels.
        sample_rate_hz: 8 to 192 kHz.

    Returns:
        (640 T,) float32 in about -1..1; T counts the frames of 1/25 s that the clip touches.

    Raises:
        InputError: the samples have another shape, or the rate is out of range.
    """
    stream = SoundStream()
    blocks = [*stream.push(AudioChunk(mono(samples), sample_rate_hz, 0.0)), *stream.flush()]
    return np.concatenate([np.zeros(0, np.float32), *(block.ravel() for block in blocks)])


class LogMelFeatures:
    """This module's features with the common interface."""

    channels = SPEECH_CHANNELS
    causal = True
    frame_rate_hz = FRAME_RATE_HZ

    def features(self, samples: ArrayLike, sample_rate_hz: int) -> FloatArray:
        """See :func:`speech_features`."""
        return speech_features(samples, sample_rate_hz)
