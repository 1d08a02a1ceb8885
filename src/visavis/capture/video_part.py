"""A part of a video file, for a process that reads it while other processes read the other parts."""

from __future__ import annotations

from collections.abc import Sequence

import av

from visavis.base.files import PathText
from visavis.capture.media import FileClock
from visavis.capture.video import VideoFile

# Formats without an index lead to a later place than was asked for; then an earlier one is asked for, and at
# last the file is read from its start.
EARLIER_S = (0.0, 5.0, 20.0, float("inf"))


class VideoPart(VideoFile):
    """A video file from one of its keyframes on; frames have the times that they have in the whole file.

    A file that is cut off is no error here, and damaged frames are only counted.

    Args:
        path: the file.
        from_s: one of the times of :func:`entry_times_s`; earlier frames are left out.

    Raises:
        InputError: see :class:`~visavis.capture.video.VideoFile`.
    """

    def __init__(self, path: PathText, from_s: float = 0.0) -> None:
        super().__init__(path)
        if from_s > 0:
            self._go_to(from_s)

    @property
    def damaged(self) -> int:
        """The number of places with damaged frames so far."""
        return self._damaged

    def entry_times_s(self) -> list[float]:
        """The times of the keyframes after the first one, at which a part can start.

        This reads the file to its end without decoding it; nothing else can be read after it. The result is
        empty if the file's times were moved or are not stated, or frames are missing.
        """
        times_s = []
        for packet in self._packets():
            if packet is None:
                break
            if packet.pts is None or packet.time_base is None or packet.is_corrupt:
                return []
            if packet.is_keyframe:
                times_s.append(float(packet.pts * packet.time_base) - self.start_s)
        if self._damaged or self._missing() or self._clock.moved:
            return []
        return sorted(times_s)

    def _go_to(self, from_s: float) -> None:
        base = self._stream.time_base
        for earlier_s in EARLIER_S:
            if base is not None:
                goal_s = max(from_s - earlier_s, 0.0) + self.start_s
                self._container.seek(round(goal_s / base), stream=self._stream)
            self._clock, self._decoded = FileClock(self.notes), self._decode()
            self._damaged = 0
            self._first = next(self._decoded, None)
            while self._first is not None and self._time_s(self._first) < from_s:
                self._first = next(self._decoded, None)
            if self._first is not None and self._time_s(self._first) == from_s:
                break

    def _check_end(self, count: int) -> None:
        """Only the reader of all parts can tell."""

    def _time_s(self, frame: av.VideoFrame) -> float:
        own_s = self._own_time_s(frame)
        return 0.0 if own_s is None else own_s - self.start_s


def cut_times_s(entry_times_s: Sequence[float], end_s: float, part_s: float, lead_s: float) -> list[float]:
    """Keyframes at which to start the parts of a video, each ``lead_s`` before the frames that it is for.

    Args:
        entry_times_s: times of all keyframes, increasing.
        end_s: end of the video.
        part_s: least length that is read for one part, its lead-in included.
        lead_s: length of a part's lead-in.

    Returns:
        Increasing; the first is 0. The part that starts at ``t`` gives frames from ``t + lead_s`` on.
    """
    cuts_s = [0.0]
    for time_s in entry_times_s:
        if time_s + lead_s - cuts_s[-1] >= part_s and end_s - time_s >= part_s / 2:
            cuts_s.append(time_s)
    return cuts_s
