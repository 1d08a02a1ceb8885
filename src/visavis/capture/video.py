"""Frames of a video file: upright, with true times, and every good frame of a damaged file."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Self, cast

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from visavis.base.files import PathText, as_path
from visavis.errors import InputError
from visavis.types import Frame, ImageArray

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".flv", ".mpg", ".mpeg", ".3gp"}
)
DEFAULT_FPS = 25.0
# Times must increase; broken files repeat them.
MIN_STEP_S = 1e-3
# Repetitions go back at most this far; a longer step back means joined files, whose clocks start again.
LONGEST_STEP_BACK_S = 0.5
# A file is truncated if its packets end this long before the end in its header: the larger of both values,
# because some muxers round the duration up.
SHORTFALL_S = 0.5
SHORTFALL_SHARE = 0.01
# FFmpeg "plays" text files on an emulated terminal.
NOT_VIDEO_FORMATS = frozenset({"tty"})
# Pixels this near to square (a rounding of the encoder) are not resampled.
SQUARE = 0.02
TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


class VideoFile:
    """A video file; iterate over it once, inside ``with``.

    Rotation and pixel shape in the file (phones, camcorders) are applied. The decoder uses one thread,
    because with several, FFmpeg loses frames next to damaged ones.

    Attributes:
        path: the file.
        fps: average frames per second according to the file.
        size: width and height of the first frame, upright, in pixels.
        frame_count_hint: estimated number of frames; None if the file does not say.
        duration_s: duration according to the file; None if it does not say.
        start_s: time of the first frame in the file, which is time 0 of this object's frames.

    Raises:
        InputError: the file is missing, not a video, or has no frame that can be decoded.
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
        try:
            self._stream = self._find_stream()
            self._decoded = self._decode()
            self._first: av.VideoFrame | None = next(self._decoded, None)
            if self._first is None:
                raise InputError(f"{path}: a video without frames: none could be decoded")
        except InputError:
            self._container.close()
            raise
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = float(rate) if rate and 0.1 <= rate <= 1000 else DEFAULT_FPS
        self.start_s = self._own_time_s(self._first) or 0.0
        height, width = self._upright(self._first).shape[:2]
        self.size = (width, height)
        duration = self._container.duration
        self.duration_s = duration / av.time_base if duration and duration > 0 else None
        # The stated count is not the first choice, because it includes frames that an edit list hides.
        self.frame_count_hint = (
            round(self.duration_s * self.fps) if self.duration_s else self._stream.frames
        ) or None

    def __iter__(self) -> Generator[Frame, None, None]:
        """The frames in order of presentation; times start at 0 and strictly increase.

        Raises:
            InputError: after the last good frame, if frames were damaged or the file is cut off.
        """
        index = 0
        time_s = -1.0
        start_s = self.start_s
        frame, self._first = self._first, None
        while frame is not None:
            own_s = self._own_time_s(frame)
            own_s = time_s + 1 / self.fps if own_s is None else own_s - start_s
            if own_s < time_s - LONGEST_STEP_BACK_S:  # Another recording begins; its clock continues.
                start_s += own_s - (time_s + 1 / self.fps)
                own_s = time_s + 1 / self.fps
            time_s = max(own_s, time_s + MIN_STEP_S) if index else 0.0
            yield Frame(self._upright(frame), time_s, index)
            index += 1
            frame = next(self._decoded, None)
        self._check_end(index)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _find_stream(self) -> VideoStream:
        container = self._container
        videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not videos or container.format.name in NOT_VIDEO_FORMATS:
            raise InputError(f"{self.path}: no video in this file; expected one such as an .mp4")
        videos[0].thread_type = "NONE"
        return videos[0]

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
                if packet.stream is self._stream and packet.size:
                    self._packet_count += 1
                    yield cast("av.Packet[VideoStream]", packet)
        except av.FFmpegError:
            self._damaged += 1
        yield None

    def _check_end(self, count: int) -> None:
        if missing := self._missing():
            raise InputError(f"{self.path}: a truncated video: {count} frames were read, {missing}")
        if self._damaged:
            raise InputError(
                f"{self.path}: a damaged video: {count} good frames were read; places where damaged ones "
                f"were left out: {self._damaged}"
            )

    def _missing(self) -> str:
        """A description of the missing part according to the header; empty if the file is complete."""
        stated, counts_frames = (
            self._stream.frames,
            {"avi", "mp4"} & set(self._container.format.name.split(",")),
        )
        if counts_frames and stated - self._packet_count > max(2, SHORTFALL_SHARE * stated):
            return f"{stated - self._packet_count} of {stated} are missing"
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
        """RGB (H, W, 3) uint8, with square pixels, turned as the file says."""
        aspect = float(self._stream.sample_aspect_ratio or 1)
        width = frame.width if abs(aspect - 1) < SQUARE else max(round(frame.width * aspect), 1)
        image = frame.to_ndarray(format="rgb24", width=width, height=frame.height)
        turn = TURNS.get(round(frame.rotation / 90) * 90 % 360)
        return np.asarray(image if turn is None else cv2.rotate(image, turn), np.uint8)


def _open(path: Path) -> InputContainer:
    try:
        if not path.exists():
            raise InputError(f"{path}: no such file")
        if not path.is_file():
            raise InputError(f"{path}: not a file; expected a video")
        if not path.stat().st_size:
            raise InputError(f"{path}: the file is empty; expected a video")
        # An untrusted file must not make FFmpeg open addresses that it contains.
        return av.open(f"file:{path}", container_options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: not a video, or damaged, or not copied to its end ({reason})") from error
