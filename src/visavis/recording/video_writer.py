"""Writing videos as H.264, VP9 or ProRes, with the sound of another file if wanted."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from visavis.base.closing import Closing
from visavis.base.files import partial_of, put_in_place
from visavis.base.words import reason
from visavis.errors import InputError
from visavis.recording.video_sound import open_sound
from visavis.types import ImageArray

# File name endings and FFmpeg's names of the containers.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
# What the system says of a full disk.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# MPEG's own clock, fine enough for every common frame rate.
TIME_BASE = Fraction(1, 90_000)


@dataclass(frozen=True, slots=True)
class Coding:
    """How FFmpeg encodes the pictures.

    Attributes:
        codec: name of the encoder.
        pixels: name of the pixel format.
        options: the encoder's own options.
        colorspace: the matrix between RGB and YUV.
    """

    codec: str
    pixels: str
    options: Mapping[str, str]
    colorspace: Colorspace = Colorspace.ITU601


# Without frames ahead, times stay as they are; FFmpeg's VP9 refuses alpha together with alternate references.
VP9 = {"crf": "24", "deadline": "realtime", "cpu-used": "6", "lag-in-frames": "0", "auto-alt-ref": "0"}
# The numbers behind these choices: benchmarks/encoder.py.
H264 = {
    "preset": "veryfast",
    "crf": "21.8",
    "x264-params": "partitions=i4x4,i8x8:subme=1:me=dia:aq-strength=0.6",
}
FAST_H264 = {"preset": "ultrafast", "crf": "26", "x264-params": "deblock=0,0"}
CODINGS = {
    **dict.fromkeys(CONTAINERS, Coding("libx264", "yuv420p", H264)),
    ".webm": Coding("libvpx-vp9", "yuv420p", VP9),
}
FAST_CODINGS = {
    **dict.fromkeys(CONTAINERS, Coding("libx264", "yuv420p", FAST_H264)),
    ".webm": Coding("libvpx-vp9", "yuv420p", VP9 | {"cpu-used": "8"}),
}
ALPHA_CODINGS = {
    ".webm": Coding("libvpx-vp9", "yuva420p", VP9),
    ".mov": Coding("prores_ks", "yuva444p10le", {"profile": "4444"}, Colorspace.ITU709),
}


def require_alpha(path: Path) -> None:
    """Find out from a file's name whether its video can be transparent.

    Raises:
        InputError: it cannot.
    """
    if path.suffix.lower() not in ALPHA_CODINGS:
        raise InputError(f"{path}: only .webm (VP9) and .mov (ProRes 4444) can be transparent; name it so")


class VideoWriter(Closing):
    """Writes one video: VP9 as .webm, else H.264; use inside ``with``.

    The complete file appears when the block ends. After an error or Ctrl-C it has the frames so far. Without
    frames, no file appears.

    Args:
        path: the file to write: .mp4, .m4v, .mov, .mkv or .webm.
        size: width and height of the pictures in pixels, both even.
        fps: nominal frames per second; the true times come with the frames.
        sound: a file whose first audio track is heard (as AAC, or Opus in .webm) up to the end of the
            pictures; AAC is copied where possible. A file without sound, or None, gives a silent video.
        sound_start_s: the time in that file that belongs to time 0 of the pictures.
        transparent: whether pictures have alpha: VP9 as .webm, or ProRes 4444 as .mov.
        fast: encode faster, into a larger file; without effect on transparent pictures.

    Attributes:
        frame_count: pictures written so far.
        finished: whether the file is complete and has its final name.

    Raises:
        InputError: the ending is unknown or cannot be transparent, a size is odd, or the file cannot be
            written.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: float,
        sound: Path | None = None,
        sound_start_s: float = 0.0,
        *,
        transparent: bool = False,
        fast: bool = False,
    ) -> None:
        container = CONTAINERS.get(path.suffix.lower())
        if container is None:
            raise InputError(f"{path}: a video is written as {', '.join(CONTAINERS)}; name it so")
        if min(size) < 2 or size[0] % 2 or size[1] % 2:
            raise InputError(f"{path}: a video needs an even width and height; found {size[0]}x{size[1]}")
        if transparent:
            require_alpha(path)
        codings = ALPHA_CODINGS if transparent else FAST_CODINGS if fast else CODINGS
        self._coding = codings[path.suffix.lower()]
        self._channels = 4 if transparent else 3
        self.path = path
        self.size = size
        self.frame_count = 0
        self.finished = False
        self._target = Path(os.path.realpath(path))  # A link stays a link.
        self._last_pts = -1
        self._held = ExitStack()  # PyAV opens the file at the first picture: too late to complain.
        try:
            self._partial = self._held.enter_context(partial_of(self._target))
            options = {"movflags": "+faststart"} if container in ("mp4", "mov") else {}
            self._output = av.open(str(self._partial), "w", format=container, options=options)
        except (av.FFmpegError, OSError) as error:
            raise _refused(path, error) from error
        self._video = self._add_video(fps)
        self._planes = np.empty((size[1] * 3 // 2, size[0]), np.uint8)
        self._sound = None if sound is None else open_sound(sound, sound_start_s, self._output)

    def write(self, image: ImageArray, time_s: float) -> None:
        """Append a picture.

        Args:
            image: (H, W, 3) uint8 RGB of the writer's size, or for a transparent video (H, W, 4) RGBA, not
                multiplied by alpha; the caller may change it afterwards.
            time_s: time of the picture, later than the one before (else it is shown a moment after that).

        Raises:
            InputError: the picture has another size or other channels, or the file can no longer be written
                (disk full).
        """
        height, width, channels = image.shape
        if (width, height, channels) != (*self.size, self._channels):
            raise InputError(
                f"{self.path}: a picture of {width}x{height}x{channels} in a video of "
                f"{self.size[0]}x{self.size[1]}x{self._channels}"
            )
        if channels == 4:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgba").reformat(
                format=self._coding.pixels,
                dst_colorspace=self._coding.colorspace,
                dst_color_range=ColorRange.MPEG,
            )
            self._append(frame, time_s)
        else:
            self.write_planes(planes_of(image, self._planes), time_s)

    def write_planes(self, planes: ImageArray, time_s: float) -> None:
        """Append a picture that :func:`planes_of` made; arguments and errors are otherwise those of write."""
        self._append(av.VideoFrame.from_numpy_buffer(planes, format="yuv420p"), time_s)

    def _append(self, frame: av.VideoFrame, time_s: float) -> None:
        frame.pts = self._last_pts = max(round(time_s / TIME_BASE), self._last_pts + 1)
        frame.time_base = TIME_BASE
        try:
            if not self.frame_count:
                self._output.start_encoding()  # A full disk is told here, before the first packet.
            self._output.mux(self._video.encode(frame))  # The encoder copies the picture.
            if self._sound is not None:
                self._sound.write_until(time_s)
        except av.FFmpegError as error:
            raise _refused(self.path, error) from error
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
                put_in_place(self._partial, self._target)
                self.finished = True
        except (av.FFmpegError, OSError) as error:
            raise _refused(self.path, error) from error
        finally:
            if self._sound is not None:
                self._sound.close()
            if self._partial.exists():
                # FFmpeg may still have the file open; emptying it first makes room on a full disk.
                os.truncate(self._partial, 0)
                self._partial.unlink()
            self._held.close()

    def _add_video(self, fps: float) -> VideoStream:
        coding = self._coding
        rate = Fraction(fps).limit_denominator(1001)
        stream = cast(VideoStream, self._output.add_stream(coding.codec, rate=rate))
        stream.width, stream.height = self.size
        stream.pix_fmt = coding.pixels
        stream.codec_context.time_base = TIME_BASE
        stream.codec_context.thread_count = 1
        stream.codec_context.colorspace = coding.colorspace
        stream.codec_context.color_range = ColorRange.MPEG
        # Without B-frames decoding times equal presentation times, so that irregular ones stay as they are.
        stream.codec_context.max_b_frames = 0
        stream.codec_context.options = dict(coding.options)
        return stream


def _refused(path: Path, error: av.FFmpegError | OSError) -> InputError:
    """What the system, or FFmpeg, refused, with what helps against it."""
    if error.errno in FULL:
        advice = "make room or choose another place"
    elif isinstance(error, OSError):
        advice = "choose another place"
    else:
        advice = "FFmpeg refuses what it is given; another ending, such as .mkv, may take it"
    return InputError(f"{path}: cannot be written: {reason(error)}; {advice}")


def planes_of(image: ImageArray, planes: ImageArray) -> ImageArray:
    """A picture as the encoders take it: Y, then U and V at half the size, by BT.601, as the stream says.

    OpenCV converts several times faster than FFmpeg.

    Args:
        image: (H, W, 3) uint8 RGB; both sides are even.
        planes: (H * 3 / 2, W) uint8 to draw over, which saves new memory for each picture.
    """
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420, dst=planes), np.uint8)
