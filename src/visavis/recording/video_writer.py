"""Writing H.264 videos, with the sound of another file if wanted."""

from __future__ import annotations

import os
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from visavis.errors import InputError
from visavis.types import ImageArray

# File name endings and FFmpeg's names of the containers.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
# MPEG's own clock, fine enough for every common frame rate.
TIME_BASE = Fraction(1, 90_000)
# The sampling rates of AAC; ISO/IEC 14496-3, table 1.18.
AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
DEFAULT_RATE_HZ = 48000


class VideoWriter:
    """Writes one H.264 video; use inside ``with``.

    The complete file appears when the block ends. After an error or Ctrl-C it has the frames so far. Without
    frames, no file appears.

    Args:
        path: the file to write: .mp4, .m4v, .mov or .mkv.
        size: width and height of the pictures in pixels, both even.
        fps: nominal frames per second; the true times come with the frames.
        sound: a file whose first audio track is copied (as AAC) up to the end of the pictures; a file without
            sound, or None, gives a silent video.
        sound_start_s: the time in that file that belongs to time 0 of the pictures.

    Attributes:
        frame_count: pictures written so far.
        finished: whether the file is complete and has its final name.

    Raises:
        InputError: the ending is unknown, a size is odd, or the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: float,
        sound: Path | None = None,
        sound_start_s: float = 0.0,
    ) -> None:
        container = CONTAINERS.get(path.suffix.lower())
        if container is None:
            raise InputError(f"{path}: a video is written as {', '.join(CONTAINERS)}; name it so")
        if min(size) < 2 or size[0] % 2 or size[1] % 2:
            raise InputError(f"{path}: H.264 needs an even width and height; found {size[0]}x{size[1]}")
        self.path = path
        self.size = size
        self.frame_count = 0
        self.finished = False
        self._target = Path(os.path.realpath(path))  # A link stays a link.
        self._partial = self._target.with_name(self._target.name + ".partial")
        self._last_pts = -1
        try:
            self._partial.touch()  # PyAV opens it at the first picture: too late to complain.
            options = {} if container == "matroska" else {"movflags": "+faststart"}
            self._output = av.open(str(self._partial), "w", format=container, options=options)
        except (av.FFmpegError, OSError) as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}; choose another place") from error
        self._video = self._add_video(fps)
        self._sound = None if sound is None else Soundtrack.open(sound, sound_start_s, self._output)

    def write(self, image_rgb: ImageArray, time_s: float) -> None:
        """Append a picture.

        Args:
            image_rgb: (H, W, 3) uint8 of the writer's size; the caller may change it afterwards.
            time_s: time of the picture, later than the one before (else it is shown a moment after that).

        Raises:
            InputError: the picture has another size, or the file can no longer be written (disk full).
        """
        height, width = image_rgb.shape[:2]
        if (width, height) != self.size:
            raise InputError(
                f"{self.path}: a picture of {width}x{height} in a video of {self.size[0]}x{self.size[1]}"
            )
        # OpenCV converts several times faster than FFmpeg; both by BT.601, as the stream says.
        planes = np.asarray(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2YUV_I420), np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = self._last_pts = max(round(time_s / TIME_BASE), self._last_pts + 1)
        frame.time_base = TIME_BASE
        try:
            self._output.mux(self._video.encode(frame))
            if self._sound is not None:
                self._sound.write_until(time_s)
        except av.FFmpegError as error:
            raise InputError(
                f"{self.path}: cannot be written any more: {error.strerror}; make room or choose another "
                "place"
            ) from error
        self.frame_count += 1

    def close(self) -> None:
        """Finish the file and give it its final name; without frames, no file is left.

        Raises:
            InputError: the rest could not be written.
        """
        try:
            if self.frame_count:
                self._output.mux(self._video.encode(None))
                if self._sound is not None:
                    self._sound.finish()
            self._output.close()
            if self.frame_count:
                self._partial.replace(self._target)
                self.finished = True
        except (av.FFmpegError, OSError) as error:
            raise InputError(
                f"{self.path}: cannot be written: {error.strerror}; make room or choose another place"
            ) from error
        finally:
            if self._sound is not None:
                self._sound.close()
            if self._partial.exists():
                # FFmpeg may still have the file open; emptying it first makes room on a full disk.
                os.truncate(self._partial, 0)
                self._partial.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _add_video(self, fps: float) -> VideoStream:
        stream = self._output.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height = self.size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = TIME_BASE
        stream.codec_context.thread_count = 1
        stream.codec_context.colorspace = Colorspace.ITU601
        stream.codec_context.color_range = ColorRange.MPEG
        # Without B-frames decoding times equal presentation times, so that irregular ones stay as they are.
        stream.codec_context.max_b_frames = 0
        stream.codec_context.options = {"preset": "veryfast", "crf": "21"}
        return stream


class Soundtrack:
    """The audio of a file, re-encoded as AAC into another, from one time to another.

    Args:
        source: the open file.
        output: the file to write to.
        start_s: the time in ``source`` that becomes 0.
    """

    def __init__(
        self, source: av.container.InputContainer, output: av.container.OutputContainer, start_s: float
    ) -> None:
        self._source = source
        self._output = output
        self._start_s = start_s
        stream = source.streams.audio[0]
        self._rate_hz = stream.rate if stream.rate in AAC_RATES_HZ else DEFAULT_RATE_HZ
        self._layout = "mono" if stream.channels == 1 else "stereo"
        self._stream: AudioStream = output.add_stream("aac", rate=self._rate_hz, layout=self._layout)
        self._frames = self._resampled()
        self._next: av.AudioFrame | None = next(self._frames, None)

    @classmethod
    def open(cls, path: Path, start_s: float, output: av.container.OutputContainer) -> Self | None:
        """The sound of ``path``; None if it has no readable sound."""
        try:
            source = av.open(f"file:{path}", container_options={"protocol_whitelist": "file"})
        except (av.FFmpegError, OSError):
            return None
        if not source.streams.audio or not source.streams.audio[0].rate:
            source.close()
            return None
        return cls(source, output, start_s)

    def write_until(self, end_s: float) -> None:
        """Encode and write the sound before ``end_s``."""
        while self._next is not None and (self._next.time or 0.0) < end_s:
            self._output.mux(self._stream.encode(self._next))
            self._next = next(self._frames, None)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._output.mux(self._stream.encode(None))

    def close(self) -> None:
        """Close the file that the sound came from."""
        self._frames.close()
        self._source.close()

    def _resampled(self) -> Generator[av.AudioFrame, None, None]:
        """Frames in the encoder's format from time 0 on."""
        resampler, taken = None, None
        for frame in self._decoded():
            if frame.pts is not None and frame.time_base is not None:
                start = round(self._start_s / frame.time_base)
                if frame.pts < start:
                    continue
                frame.pts -= start
            given = (frame.format.name, frame.layout.name, frame.sample_rate)
            if resampler is None or given != taken:  # A stream may change from mono to stereo midway.
                resampler, taken = av.AudioResampler("fltp", self._layout, self._rate_hz), given
            yield from resampler.resample(frame)

    def _decoded(self) -> Generator[av.AudioFrame, None, None]:
        """Frames of the sound; damaged ones are skipped, and the sound ends where the file breaks off."""
        stream = self._source.streams.audio[0]
        try:
            for packet in self._source.demux(stream):
                try:
                    frames = stream.decode(packet)
                except av.FFmpegError:
                    continue
                yield from frames
        except av.FFmpegError:
            return
