"""The whole flow on one screen: a frame in; faces, the first face's emotion and the avatar's pose out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from visavis.avatar.parameters import Animator
from visavis.clock import Clock, SystemClock
from visavis.emotion.reader import EmotionReader
from visavis.face.region import FaceRegion
from visavis.face.tracker import Tracker
from visavis.types import AvatarPose, Emotion, Face, Frame


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Everything known about one frame.

    Attributes:
        frame: the picture.
        faces: largest first; the first one drives the avatar.
        emotion: of the first face; None without a face or with emotion reading off.
        pose: the avatar's.
        timings_ms: milliseconds spent in ``face``, ``emotion`` and ``avatar``.
    """

    frame: Frame
    faces: tuple[Face, ...]
    emotion: Emotion | None
    pose: AvatarPose
    timings_ms: Mapping[str, float]


class Pipeline:
    """Mirror mode: the avatar follows the largest face of one stream of frames.

    Args:
        tracker: finds and follows faces.
        reader: reads emotions; None leaves them unread.
        animator: turns faces into avatar poses.
        clock: measures the timings.
    """

    def __init__(
        self, tracker: Tracker, reader: EmotionReader | None, animator: Animator, clock: Clock | None = None
    ) -> None:
        self.tracker = tracker
        self.reader = reader
        self.animator = animator
        self.read_emotions = reader is not None
        self._clock = clock or SystemClock()

    def step(self, frame: Frame) -> Moment:
        """Process the next frame of the stream (times must increase)."""
        clock = self._clock
        start_s = clock.now_s()
        faces = self.tracker.update(frame)
        tracked_s = clock.now_s()
        emotion = self._read(frame, faces[0]) if faces else None
        read_s = clock.now_s()
        pose = self.animator.update(faces[0].state if faces else None, emotion, frame.time_s)
        end_s = clock.now_s()
        timings_ms = {
            "face": 1e3 * (tracked_s - start_s),
            "emotion": 1e3 * (read_s - tracked_s),
            "avatar": 1e3 * (end_s - read_s),
        }
        return Moment(frame, faces, emotion, pose, timings_ms)
