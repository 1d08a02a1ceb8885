"""The sound of one video in another: copied where possible, else encoded again."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Self, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from visavis.capture.media import first_choice, open_media
from visavis.capture.sound import NO_SOUND, SoundFormat, sound_of
from visavis.errors import InputError

# The sampling rates of AAC; ISO/IEC 14496-3, table 1.18.
AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
DEFAULT_RATE_HZ = 48000
# Containers whose sound has its settings outside the packets, and those that take it so.
SOURCES = {"mov", "matroska"}
TARGETS = {"mp4", "mov", "matroska"}
# A larger hole in the sound is filled with silence, and a larger one between pictures may be left out: then
# the sound is encoded.
LARGEST_HOLE_S, LONGEST_PICTURE_S = 0.1, 1.0


def open_sound(path: Path, start_s: float, output: OutputContainer) -> CopiedSound | EncodedSound | None:
    """The sound of ``path`` for ``output``, from ``start_s`` on; None if it has no readable sound."""
    return CopiedSound.open(path, start_s, output) or EncodedSound.open(path, start_s, output)


class CopiedSound:
    """The packets of a file's AAC sound, copied into another file, from one time to another.

    Args:
        source: the open file.
        output: the file to write to.
        start_s: the time in ``source`` that becomes 0.
    """

    def __init__(self, source: InputContainer, output: OutputContainer, start_s: float) -> None:
        self._source = source
        self._output = output
        stream = first_choice(source.streams.audio)
        if stream is None:
            raise InputError(f"{source.name}: {NO_SOUND}")
        self._stream = output.add_stream_from_template(stream)
        self._packets = self._moved(stream, start_s, output.format.name != "matroska")
        self._next = next(self._packets, None)

    @classmethod
    def open(cls, path: Path, start_s: float, output: OutputContainer) -> Self | None:
        """The sound of ``path``; None if it cannot be copied, or not into this container."""
        if output.format.name not in TARGETS:
            return None
        try:
            with open_media(path, NO_SOUND) as source:
                if not can_be_copied(source):
                    return None
        except (InputError, av.FFmpegError):
            return None
        return cls(open_media(path, NO_SOUND), output, start_s)  # Seeking back can lose the first packet.

    def write_until(self, end_s: float) -> None:
        """Write the sound before ``end_s``."""
        while self._next is not None:
            packet = self._next
            if float((packet.pts or 0) * (packet.time_base or 0)) >= end_s:
                return
            packet.stream = self._stream
            self._output.mux(packet)
            self._next = next(self._packets, None)

    def finish(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Close the file that the sound came from."""
        self._packets.close()
        self._source.close()

    def _moved(
        self, stream: AudioStream, start_s: float, primed: bool
    ) -> Generator[av.Packet[AudioStream], None, None]:
        """The packets on the clock of the pictures; one before time 0 is there for the decoder alone."""
        for packet in self._source.demux(stream):
            if packet.pts is None or packet.dts is None or packet.time_base is None or not packet.size:
                continue
            packet.pts -= (shift := round(start_s / packet.time_base))
            packet.dts -= shift
            # A packet of AAC is decoded from itself and the one before it.
            if packet.pts >= (-(packet.duration or 0) if primed else 0):
                yield packet


def can_be_copied(source: InputContainer) -> bool:
    """Whether a file's sound is AAC whose times go on without steps, beside pictures that do, too.

    All packets are read, and none is decoded. A file that breaks off raises FFmpeg's error.
    """
    sound, pictures = first_choice(source.streams.audio), first_choice(source.streams.video)
    if sound is None or not SOURCES & set(source.format.name.split(",")):
        return False
    context = sound.codec_context
    if context.name != "aac" or not context.extradata or not sound.rate:
        return False
    ends_s: dict[int, float] = {}
    last: int | None = None
    for packet in source.demux(*([] if pictures is None else [pictures]), sound):
        if packet.dts is None or packet.time_base is None:
            continue
        start_s, heard = float(packet.dts * packet.time_base), packet.stream is sound
        hole_s = start_s - ends_s.get(packet.stream_index, start_s)
        low_s, high_s = (-LARGEST_HOLE_S, LARGEST_HOLE_S) if heard else (0.0, LONGEST_PICTURE_S)
        repeated = heard and last is not None and packet.dts <= last  # MP4 refuses it.
        if packet.is_corrupt or repeated or not low_s <= hole_s <= high_s:
            return False
        last = packet.dts if heard else last
        length_s = float((packet.duration or 0) * packet.time_base) if heard else 0.0
        ends_s[packet.stream_index] = start_s + length_s
    return sound.index in ends_s


class EncodedSound:
    """The audio of a file, re-encoded as AAC (Opus in WebM) into another, from one time to another.

    Args:
        source: the open file.
        stream: its audio.
        output: the file to write to.
        start_s: the time in ``source`` that becomes 0.
    """

    def __init__(
        self, source: InputContainer, stream: AudioStream, output: OutputContainer, start_s: float
    ) -> None:
        self._source = source
        self._output = output
        codec = "libopus" if output.format.name == "webm" else "aac"
        kept = codec == "aac" and stream.rate in AAC_RATES_HZ  # Opus is decoded at 48 kHz anyway.
        rate_hz = stream.rate if kept else DEFAULT_RATE_HZ
        # As floats, several channels that are mixed go beyond full scale: findings/ffmpeg-mono-louder.sh.
        self._format = SoundFormat(rate_hz, "mono" if stream.channels == 1 else "stereo", "s16p")
        added = output.add_stream(codec, rate=rate_hz, layout=self._format.layout)
        self._stream = cast(AudioStream, added)
        self._samples = sound_of(source, start_s, self._format)
        self._written = 0

    @classmethod
    def open(cls, path: Path, start_s: float, output: OutputContainer) -> Self | None:
        """The sound of ``path``; None if it has no readable sound."""
        try:
            source = open_media(path, NO_SOUND)
        except InputError:
            return None
        stream = first_choice(source.streams.audio)
        if stream is None or not stream.rate:
            source.close()
            return None
        return cls(source, stream, output, start_s)

    def write_until(self, end_s: float) -> None:
        """Encode and write the sound before ``end_s``; its times are the count of the samples."""
        while self._written < end_s * self._format.rate_hz:
            samples = next(self._samples, None)
            if samples is None:
                return
            if not samples.shape[1]:
                continue
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples), self._format.sample, self._format.layout
            )
            frame.sample_rate, frame.pts = self._format.rate_hz, self._written
            frame.time_base = Fraction(1, self._format.rate_hz)
            self._output.mux(self._stream.encode(frame))
            self._written += samples.shape[1]

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._output.mux(self._stream.encode(None))

    def close(self) -> None:
        """Close the file that the sound came from."""
        self._source.close()
