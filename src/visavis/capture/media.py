"""An open media file: which of its streams are read, and one clock for its pictures and its sound.

The times of a file can start again (joined recordings), jump by days (a clock that was set), or go back.
:class:`FileClock` reads the packets in the order of the file and moves pictures and sound by the same amount,
so that every reader of a file finds the same times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from visavis.base.limits import GAP, LEAST_RATE_HZ, PICTURE, SAMPLING_RATE
from visavis.base.words import counted, reason
from visavis.errors import InputError
from visavis.types import ImageArray

# Times may go back this far within a recording: repeated packets, and rounding.
LONGEST_STEP_BACK_S = 0.5
# Pictures and sound of one moment are at most this far apart in a file.
LARGEST_SKEW_S = 2.0
# Numbers of channels that FFmpeg mixes without being told which they are.
MIXABLE = {*range(1, 9), 10, 12, 14, 16, 24}
# A damaged file can jump at each packet.
MOST_NOTES = 5
# Curves of HDR, PQ and HLG, and what every other picture here has, sRGB: ITU-T H.273, tables 2 and 3.
HDR_CURVES = frozenset({16, 18})
SRGB_CURVE, SRGB_PRIMARIES = 13, 1
# Before, PyAV gives HDR as it is stored, which looks pale.
CONVERTS_HDR = int(av.__version__.split(".")[0]) >= 18

S = TypeVar("S", VideoStream, AudioStream)


def open_media(path: Path, failure: str) -> InputContainer:
    """Open a media file; an untrusted file makes FFmpeg open no address and decode no huge picture.

    Args:
        path: the file.
        failure: what to say before FFmpeg's reason if it cannot be opened.

    Raises:
        InputError: FFmpeg cannot open it.
    """
    pixels = round(PICTURE.value * 1e6)
    try:
        container = _open(path, {"max_pixels": str(pixels)})
        if any(not stream.width for stream in _decodable(container.streams.video)):
            # FFmpeg forgets the size of a picture that is too large; this time it is only read.
            container.close()
            container = _open(path, {})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path}: {failure} ({reason(error)})") from error
    for stream in _decodable(container.streams.video):
        stream.codec_context.options = {"max_pixels": str(pixels)}
    return container


def _open(path: Path, options: dict[str, str]) -> InputContainer:
    return av.open(f"file:{path}", options=options, container_options={"protocol_whitelist": "file"})


def first_choice(streams: Iterable[S]) -> S | None:
    """The stream that players choose: the first one marked as default, else the first; None without streams.

    A cover picture is no stream, and :func:`why_unreadable` tells which others are left out.
    """
    real = _readable(streams)
    return next(
        (stream for stream in real if stream.disposition & Disposition.default), next(iter(real), None)
    )


def why_unreadable(stream: VideoStream | AudioStream) -> str:
    """Why a stream is not read; empty if it is."""
    if stream.codec_context is None:  # Then PyAV knows no width and no rate either.
        return "its codec is not known"
    if not isinstance(stream, AudioStream):
        return ""
    rate_hz, count = stream.rate, stream.channels
    if stream.layout.name == f"{count} channels" and count not in MIXABLE:
        return f"it has {count} channels, and does not say which; save it in mono or stereo"
    if rate_hz and not LEAST_RATE_HZ <= rate_hz <= SAMPLING_RATE.value:
        return f"it has {rate_hz} samples a second; expected {LEAST_RATE_HZ} Hz to {SAMPLING_RATE}"
    return ""


def _decodable(streams: Iterable[S]) -> list[S]:
    return [stream for stream in streams if stream.codec_context is not None]


def _without_covers(streams: Iterable[S]) -> list[S]:
    """No covers, and no stills beside a video, as in an animated AVIF (findings/pyav-animated-avif.sh)."""
    real = [stream for stream in streams if not stream.disposition & Disposition.attached_pic]
    moving = [stream for stream in real if isinstance(stream, AudioStream) or stream.frames != 1]
    return moving or real


def _readable(streams: Iterable[S]) -> list[S]:
    return [stream for stream in _without_covers(streams) if not why_unreadable(stream)]


def describe_choice(
    container: InputContainer, kind: Literal["video", "audio"], chosen: S | None
) -> list[str]:
    """Notes if the file has several streams of this kind, or some that are not read."""
    streams: Sequence[Any] = container.streams.video if kind == "video" else container.streams.audio
    bad = list(filter(None, map(why_unreadable, _without_covers(streams))))
    notes: list[str] = [f"{counted(len(bad), f'{kind} stream')} left out: {bad[0]}"] if bad else []
    real = _readable(streams)
    if chosen is None or len(real) < 2:
        return notes
    why = "the one marked as default" if chosen.disposition & Disposition.default else "the first"
    return [*notes, f"{len(real)} {kind} streams; number {real.index(chosen) + 1} is read, {why}"]


def display_matrix(frame: av.VideoFrame) -> NDArray[np.int32] | None:
    """How the picture is turned and mirrored, for :func:`oriented`; None if the file does not say."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    return None if matrix is None else np.frombuffer(bytes(matrix), np.int32)


def rgb(frame: av.VideoFrame, width: int | None = None) -> ImageArray:
    """A decoded picture, RGB (H, W, 3) uint8; a picture of HDR in the colours of sRGB if PyAV can.

    Args:
        frame: the picture.
        width: of the result, in pixels; None keeps the frame's own.
    """
    # FFmpeg would start threads for each picture.
    wanted: dict[str, Any] = {
        "format": "rgb24",
        "width": width or frame.width,
        "height": frame.height,
        "threads": 1,
    }
    if CONVERTS_HDR and frame.color_trc in HDR_CURVES:
        with suppress(av.FFmpegError):  # Its primaries may be a reserved value.
            shown = frame.to_ndarray(**wanted, dst_color_trc=SRGB_CURVE, dst_color_primaries=SRGB_PRIMARIES)
            return np.asarray(shown, np.uint8)
    return np.asarray(frame.to_ndarray(**wanted), np.uint8)


def oriented(image: ImageArray, matrix: NDArray[np.int32]) -> ImageArray:
    """A picture (H, W, 3) as a display matrix shows it: one of the eight turned and mirrored forms.

    Args:
        image: the picture as it is stored.
        matrix: (9,) a, b, u, c, d, v, x, y, w: the place (p, q) is shown at (a p + c q, b p + d q); ISO/IEC
            14496-12, 8.3.2. Angles are rounded to quarter turns.
    """
    a, b, c, d = (float(value) for value in matrix[[0, 1, 3, 4]])
    if abs(a) + abs(d) < abs(b) + abs(c):
        image = np.asarray(cv2.transpose(image), np.uint8)
        a, d = c, b
    if a < 0 or d < 0:
        code = -1 if a < 0 and d < 0 else 1 if a < 0 else 0
        image = np.asarray(cv2.flip(image, code), np.uint8)
    return image


@dataclass(slots=True)
class _Progress:
    """How far one stream was read: its shift, and the end of its last packet after the shift."""

    shift_s: float
    end_s: float | None = None


@dataclass(slots=True)
class FileClock:
    """Repairs the times of a file's packets, given in the order of the file.

    Attributes:
        notes: what was changed, in words.
        longest_gap_s: a longer gap is left out.
    """

    notes: list[str] = field(default_factory=list)
    longest_gap_s: float = field(default_factory=lambda: GAP.value)
    _shifts_s: list[float] = field(default_factory=lambda: [0.0])
    _streams: dict[int, _Progress] = field(default_factory=dict)
    _began_s: float = 0.0
    _reached_s: float | None = None

    @property
    def moved(self) -> bool:
        """Whether times were moved."""
        return len(self._shifts_s) > 1

    def repair(self, packet: av.Packet[Any]) -> None:
        """Move the packet's times onto the one clock of the file.

        After a restart or a gap above the limit, times go on from where the file had come.
        """
        base = packet.time_base
        if base is None:
            return
        first = packet.dts if packet.dts is not None else packet.pts
        shown = packet.pts if packet.pts is not None else packet.dts
        if first is None or shown is None:
            return
        if abs(shown - first) * base > self.longest_gap_s:
            packet.pts = shown = first  # One of both is damaged.
        stream = self._streams.setdefault(packet.stream_index, _Progress(self._shifts_s[-1]))
        stream.shift_s = shift_s = self._shift_s(stream, float(first * base), float(shown * base))
        ticks = round(shift_s / base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        duration_s = float((packet.duration or 0) * base)
        if duration_s > LARGEST_SKEW_S:  # In MP4, a packet before a gap is said to last as long as the gap.
            duration_s = 0.0
        stream.end_s = float(first * base) + shift_s + duration_s
        end_s = float(shown * base) + shift_s + duration_s
        self._reached_s = end_s if self._reached_s is None else max(self._reached_s, end_s)

    def _shift_s(self, stream: _Progress, first_s: float, shown_s: float) -> float:
        """The shift of a packet that is decoded and shown at these times of the file."""
        reached_s, end_s = self._reached_s, stream.end_s
        if reached_s is None:
            self._began_s = shown_s
            return stream.shift_s
        lowest_s = -float("inf") if end_s is None else end_s - LONGEST_STEP_BACK_S
        back = first_s + stream.shift_s < lowest_s
        ahead_s = shown_s + stream.shift_s - reached_s
        if not back and ahead_s <= LARGEST_SKEW_S:
            return stream.shift_s
        for shift_s in reversed(self._shifts_s):  # Perhaps the other stream has come here before.
            if first_s + shift_s >= lowest_s and abs(shown_s + shift_s - reached_s) <= LARGEST_SKEW_S:
                return shift_s
        if not back and ahead_s <= self.longest_gap_s:
            return stream.shift_s
        self._shifts_s.append(reached_s - shown_s)
        if len(self.notes) < MOST_NOTES:
            at_s = reached_s - self._began_s
            self.notes.append(
                f"the clock of the file starts again at {at_s:.2f} s; later times go on from there"
                if back
                else f"the clock of the file jumps by {ahead_s:.0f} s at {at_s:.2f} s; the jump is left out, "
                f"because it is longer than {GAP}"
            )
        return self._shifts_s[-1]
