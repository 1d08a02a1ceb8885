"""The sound of a file, in step with its pictures: as a WAV file, or chunk by chunk."""

from __future__ import annotations

import wave
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from visavis.base.closing import Closing
from visavis.base.files import PathText, as_path
from visavis.base.limits import LEAST_RATE_HZ, SAMPLING_RATE
from visavis.base.waveform import SPEECH_RATE_HZ, mono
from visavis.base.words import reason
from visavis.capture.media import FileClock, first_choice, open_media, why_unreadable
from visavis.capture.video import VideoFile
from visavis.errors import InputError
from visavis.types import AudioChunk, FloatArray

# Timestamps of sound are rounded, in some containers to several milliseconds; only a larger jump is a hole.
LARGEST_ROUNDING_S = 0.1
# Silence is given in pieces of at most this length.
_SILENCE_S = 1.0
NO_SOUND = "cannot be opened for its sound"
Samples = NDArray[Any]


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """How samples are given.

    Attributes:
        rate_hz: samples per second.
        layout: FFmpeg's name of the channels.
        sample: ``s16`` for int16, all channels in turn; ``s16p`` for int16, one row for each channel.
    """

    rate_hz: int = SPEECH_RATE_HZ
    layout: str = "mono"
    sample: str = "s16"


def write_wav(source: Path, target: Path, start_s: float, duration_s: float) -> bool:
    """Write the audio track that players choose as mono 16-bit PCM at 16 kHz, one chunk in memory at a time.

    Holes and missing sound at both ends are silent, so sample ``n`` is always ``n / 16000`` seconds after
    the first picture. Damaged packets count as holes.

    Args:
        source: a file with sound or without.
        target: the .wav file.
        start_s: time of the first picture in the source.
        duration_s: length of the result.

    Returns:
        Whether the source has sound; if not, nothing is written.

    Raises:
        InputError: the source cannot be opened, or the target cannot be written.
    """
    with open_media(source, NO_SOUND) as container:
        if _heard(container) is None:
            return False
        total = round(duration_s * SPEECH_RATE_HZ)
        try:
            with target.open("wb") as raw, wave.open(raw, "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(SPEECH_RATE_HZ)
                for samples in _fitted(_placed(container, start_s, SoundFormat()), total):
                    file.writeframesraw(samples.tobytes())
        except OSError as error:
            raise InputError(f"{target}: cannot be written: {reason(error)}") from error
    return True


class Soundtrack(Closing):
    """The audio track of a file that players choose, in step with pictures; use it inside ``with``.

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
            found = "a folder" if path.is_dir() else "no such file"
            raise InputError(f"{path}: {found}; expected a file with sound")
        self.path = path
        self._container = open_media(path, NO_SOUND)
        try:
            self.has_sound = _heard(self._container) is not None
        except InputError:
            self._container.close()
            raise
        self.end_s: float | None = None
        self._written = 0  # Number of samples given so far.
        self.start_s = _first_picture_s(path, self._container)
        self._samples: Iterator[Samples] = iter(())
        if self.has_sound:
            self._samples = sound_of(self._container, self.start_s, SoundFormat())

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def until(self, time_s: float) -> Generator[AudioChunk, None, None]:
        """The next chunks at 16 kHz, up to this time or a little more; none if there is no sound.

        After the end of the file's own sound, they are silent.
        """
        while self.has_sound and self._written < time_s * SPEECH_RATE_HZ:
            samples = next(self._samples, None) if self.end_s is None else None
            if samples is None:
                self.end_s = self._written / SPEECH_RATE_HZ if self.end_s is None else self.end_s
                samples = next(
                    _silent(round(time_s * SPEECH_RATE_HZ) - self._written + 1, np.zeros((1, 0), "<i2"))
                )
            start_s = self._written / SPEECH_RATE_HZ
            self._written += samples.shape[1]
            if samples.shape[1]:
                yield AudioChunk(mono(samples[0]), SPEECH_RATE_HZ, start_s)

    def rest(self) -> FloatArray:
        """The file's own sound at 16 kHz (N,) from here to its end; empty if there is none."""
        parts = [np.zeros((1, 0), "<i2"), *self._samples]
        rest = mono(np.concatenate(parts, axis=1)[0])
        self._written += len(rest)
        self.end_s = self._written / SPEECH_RATE_HZ
        return rest


def sound_of(container: InputContainer, start_s: float, wanted: SoundFormat) -> Iterator[Samples]:
    """The sound of an open file from a time on, without holes or overlaps, as (channels, N) or (1, N).

    Args:
        container: a file with sound; its packets are read here.
        start_s: the time in the file of the first sample, on the clock of
            :class:`~visavis.capture.media.FileClock`.
        wanted: how the samples are given.
    """
    return _fitted(_placed(container, start_s, wanted), None)


def _first_picture_s(path: Path, container: InputContainer) -> float:
    """The time in the file that is time 0 of its sound."""
    try:
        with VideoFile(path) as video:
            return video.start_s
    except InputError:  # No readable pictures.
        return (container.start_time or 0) / av.time_base


def _heard(container: InputContainer) -> AudioStream | None:
    """The stream that is heard; None without sound.

    Raises:
        InputError: there is sound, and it cannot be read.
    """
    streams = container.streams.audio
    stream = first_choice(streams)
    if stream is None and streams and (why := why_unreadable(streams[0])):
        raise InputError(f"{container.name.removeprefix('file:')}: the sound cannot be read: {why}")
    return stream


def _fitted(placed: Iterator[tuple[int, Samples]], total: int | None) -> Iterator[Samples]:
    """Samples without holes or overlaps: ``total`` samples, or all if it is None."""
    written = 0
    samples = np.zeros((1, 0), "<i2")
    for position, samples in placed:
        for silence in _silent((position if total is None else min(position, total)) - written, samples):
            yield silence
            written += silence.shape[1]
        samples = samples[:, max(written - position, 0) :]
        samples = samples if total is None else samples[:, : total - written]
        yield samples
        written += samples.shape[1]
        if total is not None and written >= total:
            return
    if total is not None:
        yield from _silent(total - written, samples)


def _silent(count: int, like: Samples) -> Iterator[Samples]:
    """This many samples of silence in pieces, because times in a file may be absurd."""
    piece = round(_SILENCE_S * SPEECH_RATE_HZ)
    for start in range(0, count, piece):
        yield np.zeros((len(like), min(piece, count - start)), like.dtype)


def _placed(container: InputContainer, start_s: float, wanted: SoundFormat) -> Iterator[tuple[int, Samples]]:
    """Chunks of sound with the place of their first sample, which may lie before 0."""
    rate_hz = wanted.rate_hz
    resampler = _resampler(wanted)
    kind: tuple[str, str, int] | None = None
    position = 0
    fed: float | None = None  # The place of the next decoded sample.
    for frame in _decoded(container):
        before, kind = kind, (frame.format.name, frame.layout.name, frame.sample_rate)
        if before not in (None, kind):  # Recorded broadcasts change the format; a resampler accepts only one.
            for part in resampler.resample(None):
                yield position, part.to_ndarray()
                position += part.samples
            resampler = _resampler(wanted)
        if frame.time is not None:
            there = (frame.time - start_s) * rate_hz
            if fed is None or abs(there - fed) > LARGEST_ROUNDING_S * rate_hz:
                position += round(there - (fed or 0.0))
                fed = there
        frame.pts = None  # The samples are counted; a resampler would fill or drop some by itself.
        fed = (fed or 0.0) + frame.samples * rate_hz / frame.sample_rate
        try:
            parts = resampler.resample(frame)
        except av.FFmpegError:  # A damaged frame of an impossible format: a hole.
            resampler, kind = _resampler(wanted), None
            position += round(frame.samples * rate_hz / frame.sample_rate)
            continue
        for part in parts:
            yield position, part.to_ndarray()
            position += part.samples
    if kind is not None:
        for part in resampler.resample(None):
            yield position, part.to_ndarray()
            position += part.samples


def _resampler(wanted: SoundFormat) -> av.AudioResampler:
    return av.AudioResampler(format=wanted.sample, layout=wanted.layout, rate=wanted.rate_hz)


def _decoded(container: InputContainer) -> Iterator[av.AudioFrame]:
    """The frames of the sound, on the clock of the file; damaged packets are left out."""
    stream = _heard(container)
    if stream is None:
        return
    picture = first_choice(container.streams.video)
    clock = FileClock()
    packets = container.demux(*(each for each in (picture, stream) if each is not None))
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            clock.repair(packet)
            if packet.stream is stream:
                highest_hz = SAMPLING_RATE.value  # A damaged packet can state any rate.
                for frame in stream.decode(packet):
                    if LEAST_RATE_HZ <= frame.sample_rate <= highest_hz:
                        yield frame
        except av.FFmpegError:
            continue
