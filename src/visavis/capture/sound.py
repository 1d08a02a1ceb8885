"""The sound of a file, in step with its pictures: as a WAV file, or chunk by chunk."""

from __future__ import annotations

import wave
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from visavis.base.files import PathText, as_path
from visavis.base.waveform import SPEECH_RATE_HZ, mono
from visavis.capture.video import VideoFile
from visavis.errors import InputError
from visavis.types import AudioChunk

# Timestamps of sound are rounded, in some containers to several milliseconds; only a larger jump is a hole.
LARGEST_ROUNDING_S = 0.1
# Silence is given in pieces of at most this length.
_SILENCE_S = 1.0


def write_wav(
    source: Path, target: Path, start_s: float, duration_s: float, rate_hz: int = SPEECH_RATE_HZ
) -> bool:
    """Write the first audio track as mono 16-bit PCM, one chunk in memory at a time.

    Holes and missing sound at both ends are silent, so sample ``n`` is always ``n / rate_hz`` seconds after
    the first picture. Damaged packets count as holes.

    Args:
        source: a file with sound or without.
        target: the .wav file.
        start_s: time of the first picture in the source.
        duration_s: length of the result.
        rate_hz: sampling rate of the result.

    Returns:
        Whether the source has sound; if not, nothing is written.

    Raises:
        InputError: the source cannot be opened, or the target cannot be written.
    """
    with _opened(source) as container:
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


class Soundtrack:
    """The first audio track of a file, in step with pictures; use it inside ``with``.

    Time 0 is the first picture's time, as in :class:`~visavis.capture.video.VideoFile`; for a file without
    pictures, it is the start of the sound. Holes and missing sound at both ends are silent. Damaged
    packets count as holes.

    Args:
        path: a file with sound or without.

    Attributes:
        has_sound: whether there is an audio track.
        start_s: the time in the file that is time 0.
        end_s: end of the file's own sound; None while not known.

    Raises:
        InputError: the file is missing or cannot be opened.
    """

    def __init__(self, path: PathText) -> None:
        path = as_path(path)
        if not path.is_file():
            raise InputError(f"{path}: no such file; expected one with sound")
        self.path = path
        self._container = _opened(path)
        self.has_sound = bool(self._container.streams.audio)
        self.end_s: float | None = None
        self._written = 0  # Number of samples given so far.
        self.start_s = _first_picture_s(path, self._container)
        self._samples: Iterator[NDArray[np.int16]] = iter(())
        if self.has_sound:
            self._samples = _fitted(_placed(self._container, self.start_s, SPEECH_RATE_HZ), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._container.close()

    def until(self, time_s: float) -> Generator[AudioChunk, None, None]:
        """The next chunks at 16 kHz, up to this time or a little more; none if there is no sound.

        After the end of the file's own sound, they are silent.
        """
        while self.has_sound and self._written < time_s * SPEECH_RATE_HZ:
            samples = next(self._samples, None) if self.end_s is None else None
            if samples is None:
                self.end_s = self._written / SPEECH_RATE_HZ if self.end_s is None else self.end_s
                samples = next(_silent(round(time_s * SPEECH_RATE_HZ) - self._written + 1))
            start_s = self._written / SPEECH_RATE_HZ
            self._written += len(samples)
            if len(samples):
                yield AudioChunk(mono(samples), SPEECH_RATE_HZ, start_s)


def _opened(source: Path) -> InputContainer:
    try:
        return av.open(f"file:{source}", container_options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{source}: cannot be opened for its sound: {error}") from error


def _first_picture_s(path: Path, container: InputContainer) -> float:
    """The time in the file that is time 0 of its sound."""
    try:
        with VideoFile(path) as video:
            return video.start_s
    except InputError:  # No readable pictures.
        return (container.start_time or 0) / av.time_base


def _fitted(
    placed: Iterator[tuple[int, NDArray[np.int16]]], total: int | None
) -> Iterator[NDArray[np.int16]]:
    """Samples without holes or overlaps: ``total`` samples, or all if it is None."""
    written = 0
    for position, samples in placed:
        for silence in _silent((position if total is None else min(position, total)) - written):
            yield silence
            written += len(silence)
        samples = samples[max(written - position, 0) :][: None if total is None else total - written]
        yield samples
        written += len(samples)
        if total is not None and written >= total:
            return
    if total is not None:
        yield from _silent(total - written)


def _silent(count: int) -> Iterator[NDArray[np.int16]]:
    """This many samples of silence in pieces, because times in a file may be absurd."""
    piece = round(_SILENCE_S * SPEECH_RATE_HZ)
    for start in range(0, count, piece):
        yield np.zeros(min(piece, count - start), "<i2")


def _placed(
    container: InputContainer, start_s: float, rate_hz: int
) -> Iterator[tuple[int, NDArray[np.int16]]]:
    """Chunks of mono sound with the place of their first sample, which may lie before 0."""
    resampler = _resampler(rate_hz)
    kind: tuple[str, str, int] | None = None
    position = 0
    fed: float | None = None  # The place of the next decoded sample.
    for frame in _decoded(container):
        before, kind = kind, (frame.format.name, frame.layout.name, frame.sample_rate)
        if before not in (None, kind):  # Recorded broadcasts change the format; a resampler accepts only one.
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
