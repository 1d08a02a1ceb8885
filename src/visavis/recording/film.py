"""The video that is being written: each moment is drawn, then encoded."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from visavis.base.clock import Clock
from visavis.capture.datagram_source import DatagramSource
from visavis.capture.motion_file import MotionFile
from visavis.capture.source import FrameSource
from visavis.capture.track_file import TrackFile
from visavis.capture.video import VideoFile
from visavis.drawing.panels import Composer
from visavis.pipeline import Moment
from visavis.recording.outputs import AvatarAlone, Outputs
from visavis.recording.video_writer import VideoWriter, planes_of
from visavis.types import ImageArray

if TYPE_CHECKING:
    from visavis.avatar.puppet import Drawing

# Decoding, tracking, drawing and encoding overlap; more waiting frames would only cost memory.
DEPTH = 2
Shown = Composer | AvatarAlone


class Drawn(NamedTuple):
    """A moment with its picture for the video: planes of the writer, or RGBA if the video is transparent."""

    moment: Moment
    picture: ImageArray
    drawing_ms: float


def beside(source: FrameSource, expressions: bool) -> Shown:
    """What a video shows if nobody asks for the avatar alone: the face, the avatar, and the expressions read.

    A motion file holds no face, and phones and recordings of Live Link Face no expressions: nothing is drawn
    that would stay empty.
    """
    if isinstance(source, MotionFile):
        return AvatarAlone()
    if isinstance(source, DatagramSource):
        expressions = False
    elif isinstance(source, TrackFile):
        expressions = expressions and source.has_expressions
    return Composer(source.size, expressions)


class Film:
    """The video being written: each moment is drawn, then encoded."""

    def __init__(
        self, outputs: Outputs, path: Path, source: FrameSource, shown: Shown, avatar: Drawing
    ) -> None:
        self._shown = shown
        self._transparent = isinstance(shown, AvatarAlone) and shown.transparent
        self._avatar = avatar
        sound: Path | None = None
        sound_start_s = 0.0
        if isinstance(source, VideoFile):
            sound, sound_start_s = source.path, source.start_s
        self.writer = VideoWriter(
            path,
            shown.size,
            source.fps,
            sound,
            sound_start_s,
            transparent=self._transparent,
            fast=outputs.fast,
        )

    def drawn(self, moments: Iterable[Moment], clock: Clock) -> Generator[Drawn, None, None]:
        """Each moment with its picture, which stays until DEPTH + 1 more were taken."""
        width, height = self._shown.size
        # One is drawn, DEPTH wait, and one is encoded.
        planes = cycle([np.empty((height * 3 // 2, width), np.uint8) for _ in range(DEPTH + 2)])
        for moment in moments:
            began_s = clock.now_s()
            picture = self._draw(moment)
            if not self._transparent:
                picture = planes_of(picture, next(planes))
            yield Drawn(moment, picture, 1e3 * (clock.now_s() - began_s))

    def written(
        self, drawn: Iterable[Drawn], clock: Clock
    ) -> Generator[tuple[Moment, Mapping[str, float]], None, None]:
        """Each moment after it is in the video, with the milliseconds that drawing and encoding took."""
        write = self.writer.write if self._transparent else self.writer.write_planes
        for moment, picture, drawing_ms in drawn:
            began_s = clock.now_s()
            write(picture, moment.frame.time_s)
            yield moment, {"puppet": drawing_ms, "video": 1e3 * (clock.now_s() - began_s)}

    def _draw(self, moment: Moment) -> ImageArray:
        shown, pose = self._shown, moment.pose
        if isinstance(shown, Composer):
            return shown.compose(moment, self._avatar.draw(pose, shown.avatar_px))
        if shown.background == "transparent":
            return self._avatar.cut_out(pose, shown.size_px)
        if shown.background == "soft":
            return self._avatar.draw(pose, shown.size_px)
        return self._avatar.draw(pose, shown.size_px, shown.background)
