"""The whole flow on one screen: frames and sound in; faces, an emotion and the avatar's pose out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from visavis.avatar.parameters import Animator
from visavis.avatar.profile import Profile
from visavis.base.clock import Clock, SystemClock
from visavis.emotion.opening import DEFAULT
from visavis.emotion.reader import CROP_DOWN, CROP_SCALE, EmotionReader
from visavis.emotion.sparse import Keeping
from visavis.face.region import FaceRegion
from visavis.face.tracker import Tracker, open_tracker
from visavis.reaction.live import LiveListener
from visavis.types import AudioChunk, AvatarPose, BoolArray, Emotion, Face, Frame

# The emotion stage's crop; its network shrinks it further.
EMOTION_CROP_PX = 96


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Everything known about one frame.

    Attributes:
        frame: the picture.
        faces: largest first; the first one drives the avatar.
        emotion: of the first face; None without a face or with emotion reading off.
        label: the expression to show, held so that it does not flicker; None where ``emotion`` is.
        pose: the avatar's.
        timings_ms: milliseconds spent in ``face``, ``emotion`` and ``avatar``; ``listen`` in listen mode.
        kept: (G, G) the tokens of :func:`emotion_region` that a sparse recogniser kept, row by row; None
            where ``emotion`` is, or where no tokens are dropped.
    """

    frame: Frame
    faces: tuple[Face, ...]
    emotion: Emotion | None
    label: str | None
    pose: AvatarPose
    timings_ms: Mapping[str, float]
    kept: BoolArray | None = None


class Pipeline:
    """Mirror mode: the avatar follows the largest face of one stream of frames. Listen mode: it reacts to it.

    Args:
        tracker: finds and follows faces.
        reader: reads emotions; None leaves them unread.
        animator: turns faces into avatar poses.
        clock: measures the timings.
        listener: for listen mode; None for mirror mode.
    """

    def __init__(
        self,
        tracker: Tracker,
        reader: EmotionReader | None,
        animator: Animator,
        clock: Clock | None = None,
        listener: LiveListener | None = None,
    ) -> None:
        self.tracker = tracker
        self.reader = reader
        self.animator = animator
        self.listener = listener
        self.read_emotions = reader is not None
        self._clock = clock or SystemClock()
        self._leader: int | None = None

    @classmethod
    def default(
        cls,
        *,
        tracker: str = "visavis",
        emotions: bool = True,
        recognizer: str = DEFAULT,
        keep: Keeping | None = None,
        max_faces: int = 1,
        profile: Profile | None = None,
    ) -> Self:
        """The pipeline on the embedded networks.

        Args:
            tracker: ``visavis``, or ``mediapipe`` where that extra is installed.
            emotions: read emotions.
            recognizer: with what: ``dense``, or ``sparse``, which drops tokens.
            keep: how many ``sparse`` keeps: a :class:`~visavis.emotion.sparse.Keep`, ``adaptive``, or None
                for what its weights were tuned for.
            max_faces: people to follow; the largest face drives the avatar.
            profile: what is the first person's own; None learns it while it runs.

        Raises:
            InputError: there is no such tracker or recogniser, or the recogniser takes no ``keep``.
            WeightsError: an embedded network is missing or was changed.
            MissingExtraError: the tracker's package is not installed.
        """
        reader = EmotionReader.default(recognizer, keep) if emotions else None
        return cls(open_tracker(tracker, max_faces), reader, Animator(profile=profile))

    @property
    def drops_tokens(self) -> bool:
        """Whether emotions are read by a network that drops tokens of the face."""
        return self.reader is not None and self.reader.drops_tokens

    def reset(self) -> None:
        """Forget the stream, as before its first frame."""
        self.tracker.reset()
        self.animator.reset()
        if self.listener is not None:
            self.listener.reset()
            self.animator.meet()  # A profile is the person's, not the listener's.
        self._leader = None
        self._forget_emotion()

    def close(self) -> None:
        """Free what the tracker holds; after that, :meth:`reset` begins anew."""
        self.tracker.close()

    def listen(self, listener: LiveListener | None) -> None:
        """React with this listener from the next frame on, or, with None, mirror again."""
        self.listener = listener
        self.animator.meet(known=listener is None)  # Another face moves the avatar now.

    def hear(self, chunk: AudioChunk) -> None:
        """Take in the next sound of the person, on the clock of the frames; in mirror mode it is not heard.

        Raises:
            InputError: see :meth:`~visavis.reaction.live.LiveListener.hear`.
        """
        if self.listener is not None:
            self.listener.hear(chunk)

    def step(self, frame: Frame) -> Moment:
        """Process the next frame of the stream (times must increase)."""
        clock = self._clock
        start_s = clock.now_s()
        faces = self.tracker.update(frame)
        self._look_who_leads(faces)
        tracked_s = clock.now_s()
        emotion = self._read(frame, faces)
        read_s = clock.now_s()
        timings_ms = {"face": 1e3 * (tracked_s - start_s), "emotion": 1e3 * (read_s - tracked_s)}
        tracked = faces[0] if faces else None
        state, felt = None if tracked is None else tracked.state, emotion
        if self.listener is not None:
            # What the speaker feels is not what the listener shows.
            state, felt, tracked = self.listener.see(state, frame.time_s), None, None
            heard_s = clock.now_s()
            timings_ms["listen"] = 1e3 * (heard_s - read_s)
            read_s = heard_s
        self.animator.acting = self.listener is not None
        pose = self.animator.update(state, felt, frame.time_s, tracked)
        timings_ms["avatar"] = 1e3 * (clock.now_s() - read_s)
        if emotion is None or self.reader is None:
            return Moment(frame, faces, None, None, pose, timings_ms)
        return Moment(frame, faces, emotion, self.reader.label, pose, timings_ms, self.reader.kept)

    def _look_who_leads(self, faces: tuple[Face, ...]) -> None:
        """Forget the last person's past where it must not colour another's face."""
        if not faces:  # A face missed for a moment comes back under its own track_id.
            return
        leader, last = faces[0].track_id, self._leader
        if leader == last:
            return
        self._leader = leader
        self._forget_emotion()
        # Who comes back after a while has a new number, is most likely the same, and keeps the calibration.
        if any(face.track_id == last for face in faces):
            (self.animator if self.listener is None else self.listener).meet()

    def _read(self, frame: Frame, faces: tuple[Face, ...]) -> Emotion | None:
        if self.reader is None or not self.read_emotions:
            self._forget_emotion()
            return None
        if not faces:
            return None
        crop = emotion_region(faces[0]).crop(frame.image_rgb, EMOTION_CROP_PX)
        return self.reader.read(crop, faces[0].state, frame.time_s)

    def _forget_emotion(self) -> None:
        if self.reader is not None:
            self.reader.reset()


def emotion_region(face: Face) -> FaceRegion:
    """The square of the image that the emotion stage reads."""
    return FaceRegion.from_corners(face.corners_xy).scaled(CROP_SCALE, CROP_DOWN)
