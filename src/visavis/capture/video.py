"""Frames of a video file: upright, with true times, and every good frame of a damaged file."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from visavis.base.closing import Closing
from visavis.base.files import PathText, as_path
from visavis.base.limits import DURATION, PICTURE
from visavis.base.words import reason
from visavis.capture.media import (
    CONVERTS_HDR,
    HDR_CURVES,
    FileClock,
    describe_choice,
    display_matrix,
    first_choice,
    open_media,
    oriented,
    rgb,
    why_unreadable,
)
from visavis.errors import InputError
from visavis.types import Frame, ImageArray

VIDEO_SUFFIXES = frozenset(
    """.mp4 .m4v .mov .mkv .webm .avi .ts .mts .m2ts .flv .mpg .mpeg .3gp .3g2 .wmv .ogv""".split()
)
DEFAULT_FPS = 25.0
# Times must increase; broken files repeat them.
MIN_STEP_S = 1e-3
# A file is truncated if its packets end this long before the end in its header: the larger of both values,
# because some muxers round the duration up.
SHORTFALL_S = 0.5
SHORTFALL_SHARE = 0.01
# FFmpeg "plays" text files on an emulated terminal.
NOT_VIDEO_FORMATS = frozenset({"tty"})
# Pixels this near to square (a rounding of the encoder) are not resampled.
SQUARE = 0.02
# No camera has pixels that are more oblong; a larger ratio is a mistake in the file.
MOST_OBLONG = 8.0


class VideoFile(Closing):
    """A video file; iterate over it once, inside ``with``.

    Rotation, mirroring, pixel shape and HDR of the file (phones, camcorders) are applied. Of several video
    streams, the one marked as default is read. The decoder uses one thread, because with several, FFmpeg
    loses frames next to damaged ones.

    Attributes:
        path: the file.
        fps: average frames per second according to the file.
        size: width and height of the first frame, upright, in pixels.
        frame_count_hint: estimated number of frames; None if the file does not say.
        duration_s: duration according to the file; None if it does not say.
        pictures_s: the same of the pictures alone, without the sound.
        start_s: time of the first frame in the file, which is time 0 of this object's frames.
        notes: what a user should know of the file, in words: several streams, jumps of its clock. It grows
            while the file is read.

    Raises:
        InputError: the file is missing, not a video, or has no frame that can be decoded, or its pictures
            have more pixels than :data:`visavis.base.limits.PICTURE`.
    """

    live = False

    def __init__(self, path: PathText) -> None:
        path = as_path(path)
        self.path = path
        self.name = str(path)
        self._container = _open(path)
        self._reached_s = 0.0
        self._damaged = 0
        self._packet_count = 0
        self._clock = FileClock()
        self.notes = self._clock.notes
        try:
            self._stream = self._find_stream()
            self._sound = first_choice(self._container.streams.audio)
            self.notes += describe_choice(self._container, "audio", self._sound)
            self._aspect = self._pixel_aspect()
            self._decoded = self._decode()
            self._first: av.VideoFrame | None = next(self._decoded, None)
            if self._first is None:
                if self._container.format.name == "webp_pipe":
                    raise InputError(f"{path}: an animated WebP is not read as a video; save it as MP4")
                raise InputError(f"{path}: a video without frames: none could be decoded")
        except InputError:
            self._container.close()
            raise
        if self._stream.codec_context.color_trc in HDR_CURVES and not CONVERTS_HDR:
            self.notes.append("HDR, whose colours are pale with this PyAV; get version 18 or newer")
        # Only of the first frame: a frame whose side data was read stays in memory until Python's garbage
        # collection.
        self._matrix = display_matrix(self._first)
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = float(rate) if rate and 0.1 <= rate <= 1000 else DEFAULT_FPS
        self.start_s = self._own_time_s(self._first) or 0.0
        height, width = self._upright(self._first).shape[:2]
        self.size = (width, height)
        duration = self._container.duration
        self.duration_s = duration / av.time_base if duration and duration > 0 else None
        stated, base = self._stream.duration, self._stream.time_base
        self.pictures_s = float(stated * base) if stated and stated > 0 and base else None
        # The stated count is not the first choice, because it includes frames that an edit list hides.
        self.frame_count_hint = (
            round(self.duration_s * self.fps) if self.duration_s else self._stream.frames
        ) or None

    def __iter__(self) -> Generator[Frame, None, None]:
        """The frames in order of presentation; times start at 0 and strictly increase.

        Raises:
            InputError: after the last good frame, if frames were damaged, the file is cut off, or the video
                is longer than :data:`visavis.base.limits.DURATION`.
        """
        index = 0
        time_s = -1.0
        longest_s = 3600 * DURATION.value
        frame, self._first = self._first, None
        while frame is not None:
            own_s = self._own_time_s(frame)
            own_s = max(time_s + 1 / self.fps, 0.0) if own_s is None else own_s - self.start_s
            time_s = max(own_s, time_s + MIN_STEP_S)
            if time_s > longest_s:
                raise InputError(
                    f"{self.path}: the video is longer than {DURATION}; frames that were read: {index}"
                )
            yield Frame(self._upright(frame), time_s, index)
            index += 1
            frame = next(self._decoded, None)
        self._check_end(index)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _find_stream(self) -> VideoStream:
        container = self._container
        stream = first_choice(container.streams.video)
        if stream is None or container.format.name in NOT_VIDEO_FORMATS:
            bad = [why for each in container.streams.video if (why := why_unreadable(each))]
            found = f"its video cannot be read: {bad[0]}" if bad else "no video in this file"
            raise InputError(f"{self.path}: {found}; expected one such as an .mp4")
        self.notes += describe_choice(container, "video", stream)
        stream.thread_type = "NONE"
        return stream

    def _pixel_aspect(self) -> float:
        """Width of a pixel divided by its height, if the picture is not too large with it."""
        stream = self._stream
        aspect = float(stream.sample_aspect_ratio or 1)
        if not 1 / MOST_OBLONG <= aspect <= MOST_OBLONG:
            self.notes.append(f"pixels {aspect:g} times as wide as high cannot be; they are taken as square")
            aspect = 1.0
        pixels = stream.width * max(aspect, 1.0) * stream.height
        if pixels > 1e6 * PICTURE.value:
            raise InputError(
                f"{self.path}: pictures of {stream.width}x{stream.height} pixels"
                + (f", {aspect:g} times as wide as high," if aspect > 1 + SQUARE else "")
                + f" are {pixels / 1e6:.15g} megapixels; at most {PICTURE}"
            )
        return 1.0 if abs(aspect - 1) < SQUARE else aspect

    def _decode(self) -> Generator[av.VideoFrame, None, None]:
        """Good frames; the damaged ones are counted."""
        for packet in self._packets():
            try:
                frames = self._stream.decode(packet)
            except av.FFmpegError:
                self._damaged += 1
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self._damaged += 1
                else:
                    yield frame

    def _packets(self) -> Generator[av.Packet[VideoStream] | None, None, None]:
        """The video's packets and a last None; records how far any stream of the file reached."""
        try:
            for packet in self._container.demux():
                if packet.pts is not None and packet.time_base is not None:
                    end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    self._reached_s = max(self._reached_s, end_s)
                if packet.stream in (self._stream, self._sound):
                    self._clock.repair(packet)
                if packet.stream is self._stream and packet.size:
                    self._packet_count += 1
                    yield cast("av.Packet[VideoStream]", packet)
        except av.FFmpegError:
            self._damaged += 1
        yield None

    def _check_end(self, count: int) -> None:
        if missing := self._missing():
            raise InputError(f"{self.path}: a truncated video: {missing}; frames that were read: {count}")
        check_damage(self.path, count, self._damaged)

    def _missing(self) -> str:
        """A description of the missing part according to the header; empty if the file is complete."""
        stated, counts_frames = (
            self._stream.frames,
            {"avi", "mp4"} & set(self._container.format.name.split(",")),
        )
        if counts_frames and stated - self._packet_count > max(2, SHORTFALL_SHARE * stated):
            return f"it should have {stated} frames"
        # FFmpeg guesses a cut AVI's duration from its size.
        if self.duration_s is None or self._container.format.name == "avi":
            return ""
        end_s = self.duration_s + (self._container.start_time or 0) / av.time_base
        missing_s = end_s - self._reached_s
        if missing_s > max(SHORTFALL_S, SHORTFALL_SHARE * self.duration_s):
            return f"the last {missing_s:.1f} of {self.duration_s:.1f} s are missing"
        return ""

    def _own_time_s(self, frame: av.VideoFrame) -> float | None:
        base = self._stream.time_base
        return None if frame.pts is None or base is None else float(frame.pts * base)

    def _upright(self, frame: av.VideoFrame) -> ImageArray:
        """RGB (H, W, 3) uint8, with square pixels, turned and mirrored as the file says."""
        image = rgb(frame, max(round(frame.width * self._aspect), 1))
        return image if self._matrix is None else oriented(image, self._matrix)


def check_damage(path: Path, count: int, damaged: int) -> None:
    """Tell of damaged frames after the good ones of a video were read.

    Args:
        path: the video.
        count: number of good frames.
        damaged: number of places with damaged frames.

    Raises:
        InputError: frames were damaged.
    """
    if damaged:
        raise InputError(
            f"{path}: a damaged video; good frames that were read: {count}; places where damaged ones were "
            f"left out: {damaged}"
        )


def _open(path: Path) -> InputContainer:
    try:
        if not path.exists():
            raise InputError(f"{path}: no such file")
        if not path.is_file():
            raise InputError(f"{path}: not a file; expected a video")
        if not path.stat().st_size:
            raise InputError(f"{path}: the file is empty; expected a video")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {reason(error)}") from error
    return open_media(path, "not a video, or damaged, or not copied to its end")
