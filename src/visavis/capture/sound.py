"""A file with sound in, a WAV file that runs beside its pictures out."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.waveform import SPEECH_RATE_HZ

# Timestamps of sound are rounded, in some containers to several milliseconds; only a larger jump is a hole.
LARGEST_ROUNDING_S = 0.1


def write_wav(
    source: Path, target: Path, start_s: float, duration_s: float, rate_hz: int = SPEECH_RATE_HZ
) -> bool:
    """Write the first audio track as mono 16-bit PCM, one chunk in memory at a time.

    Holes, and what the sound lacks at either end, are silent, so that sample ``n`` is always heard
    ``n / rate_hz`` seconds after the first picture. Damaged packets count as holes.

    Args:
        source: a file with sound or without.
        target: the .wav file.
        start_s: the source's own time of the first picture.
        duration_s: length of the result.
        rate_hz: its sampling rate.

    Returns:
        Whether the source has sound; without, nothing is written.

    Raises:
        InputError: the source cannot be opened, or the target not be written.
    """
    try:
        container = av.open(f"file:{source}", container_options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{source}: cannot be opened for its sound: {error}") from error
    with container:
        if not container.streams.audio:
            return False
        total = round(duration_s * rate_hz)
        try:
            with target.open("wb") as raw, wave.open(raw, "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(rate_hz)
                for samples in _fitted(_placed(container, start_s, rate_hz), total):
                    file.writeframesraw(samples.tobytes())
        except OSError as error:
            raise InputError(f"{target}: cannot be written: {error.strerror or error}") from error
    return True


def _fitted(placed: Iterator[tuple[int, NDArray[np.int16]]], total: int) -> Iterator[NDArray[np.int16]]:
    """Samples without holes or overlaps: ``total`` in all."""
    written = 0
    for position, samples in placed:
        if position > written:
            hole = min(position, total) - written
            yield np.zeros(hole, "<i2")
            written += hole
        samples = samples[max(written - position, 0) :][: total - written]
        yield samples
        written += len(samples)
        if written >= total:
            return
    yield np.zeros(total - written, "<i2")


def _placed(
    container: InputContainer, start_s: float, rate_hz: int
) -> Iterator[tuple[int, NDArray[np.int16]]]:
    """Chunks of mono sound with the place of their first sample, which may lie before 0."""
    resampler = _resampler(rate_hz)
    kind: tuple[str, str, int] | None = None
    position = 0
    fed: float | None = None  # Where the next sample to be decoded belongs.
    for frame in _decoded(container):
        before, kind = kind, (frame.format.name, frame.layout.name, frame.sample_rate)
        if before not in (None, kind):  # Recorded broadcasts change it; a resampler takes one kind.
            for part in resampler.resample(None):
                yield position, part.to_ndarray()[0]
                position += part.samples
            resampler = _resampler(rate_hz)
        if frame.time is not None:
            there = (frame.time - start_s) * rate_hz
            if fed is None or abs(there - fed) > LARGEST_ROUNDING_S * rate_hz:
                position += round(there - (fed or 0.0))
                fed = there
        fed = (fed or 0.0) + frame.samples * rate_hz / frame.sample_rate
        for part in resampler.resample(frame):
            yield position, part.to_ndarray()[0]
            position += part.samples
    if fed is not None:
        for part in resampler.resample(None):
            yield position, part.to_ndarray()[0]
            position += part.samples


def _resampler(rate_hz: int) -> av.AudioResampler:
    return av.AudioResampler(format="s16", layout="mono", rate=rate_hz)


def _decoded(container: InputContainer) -> Iterator[av.AudioFrame]:
    stream = container.streams.audio[0]
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            yield from packet.decode()
        except av.FFmpegError:
            continue
