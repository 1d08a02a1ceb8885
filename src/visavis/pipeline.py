"""The pipeline: from frames and sound to faces with emotions and the avatar's pose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from visavis.avatar.parameters import Animator
from visavis.avatar.profile import Profile
from visavis.base.clock import Clock, SystemClock
from visavis.emotion.opening import DEFAULT
from visavis.emotion.reader import CROP_DOWN, CROP_SCALE, EmotionReader
from visavis.emotion.sparse import Keeping
from visavis.errors import InputError
from visavis.face.region import FaceRegion
from visavis.face.tracker import Tracker, open_tracker
from visavis.reaction.live import LiveListener
from visavis.types import AudioChunk, AvatarPose, Face, Faces, Frame, ImageArray

# Side of the emotion stage's crop; the network shrinks it further.
EMOTION_CROP_PX = 96


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Everything that is known about one frame.

    Attributes:
        frame: the picture.
        faces: largest first; the first one drives the avatar.
        pose: the avatar's pose.
        timings_ms: milliseconds of ``face``, ``emotion`` and ``avatar``, and ``listen`` in listen mode.
    """

    frame: Frame
    faces: Faces
    pose: AvatarPose
    timings_ms: Mapping[str, float]

    @property
    def face(self) -> Face | None:
        """The face that drives the avatar; None if no face is seen."""
        return self.faces[0] if self.faces else None

    def __repr__(self) -> str:
        faces = "; ".join(map(repr, self.faces)) or "no face"
        return f"Moment at {self.frame.time_s:.2f} s: {faces}"


class Pipeline:
    """Processes one stream of frames; the avatar mirrors the largest face, or listens to this person.

    Args:
        tracker: finds and follows faces; ``visavis``, or ``mediapipe`` if that extra is installed.
        recognizer: reads emotions: ``dense``, or ``sparse``, which drops tokens; None leaves emotions unread.
        animator: turns faces into avatar poses; by default the embedded avatar's.
        clock: measures the timings.
        listener: for listen mode; None for mirror mode.
        keep: how many tokens ``sparse`` keeps: a :class:`~visavis.emotion.sparse.Keep`, ``adaptive``, or None
            for the number that its weights were tuned for.
        max_faces: maximum number of people to follow.
        mirror: whether the avatar moves like a mirror image; may be changed between frames. A listener is a
            different person and is never mirrored.
        profile: the first person's profile; None learns it during the run.

    Attributes:
        read_emotions: whether emotions are read; may be changed at any time.

    Raises:
        InputError: the tracker or recognizer is unknown, or the recognizer takes no ``keep``.
        WeightsError: an embedded network is missing or was changed.
        MissingExtraError: the tracker's package is not installed.
    """

    def __init__(
        self,
        tracker: Tracker | str = "visavis",
        recognizer: EmotionReader | str | None = DEFAULT,
        animator: Animator | None = None,
        clock: Clock | None = None,
        listener: LiveListener | None = None,
        *,
        keep: Keeping | None = None,
        max_faces: int = 1,
        mirror: bool = True,
        profile: Profile | None = None,
    ) -> None:
        self._reader = EmotionReader.default(recognizer, keep) if isinstance(recognizer, str) else recognizer
        self._tracker = open_tracker(tracker, max_faces) if isinstance(tracker, str) else tracker
        self._animator = animator or Animator(profile=profile)
        self._listener = listener
        self.mirror = mirror and self._animator.mirror
        self.read_emotions = self._reader is not None
        self._clock = clock or SystemClock()
        self._leader: int | None = None

    @property
    def drops_tokens(self) -> bool:
        """Whether emotions are read by a network that drops tokens of the face."""
        return self._reader is not None and self._reader.drops_tokens

    @property
    def listener(self) -> LiveListener | None:
        """The listener of listen mode; None in mirror mode."""
        return self._listener

    @property
    def profile(self) -> Profile | None:
        """The person's profile; None while it is learned."""
        return self._animator.profile

    def reset(self) -> None:
        """Forget the stream, as before its first frame."""
        self._tracker.reset()
        self._animator.reset()
        if self._listener is not None:
            self._listener.reset()
            self._animator.meet()  # A profile belongs to the person, not to the listener.
        self._leader = None
        self._forget_emotions()

    def close(self) -> None:
        """Free the tracker's resources; after that, :meth:`reset` starts again."""
        self._tracker.close()

    def listen(self, listener: LiveListener | None) -> None:
        """React with this listener from the next frame on; None mirrors again."""
        self._listener = listener
        self._animator.meet(known=listener is None)  # A different face moves the avatar now.

    def hear(self, chunk: AudioChunk) -> None:
        """Take the next sound of the person, on the clock of the frames; mirror mode ignores sound.

        Raises:
            InputError: see :meth:`~visavis.reaction.live.LiveListener.hear`.
        """
        if self._listener is not None:
            self._listener.hear(chunk)

    def wear(self, profile: Profile | None) -> None:
        """Use this person's profile from now on; None learns it again. A listener has no profile."""
        self._animator.profile = profile
        if self._listener is None:
            self._animator.wear(profile)

    def calibrate(self) -> bool:
        """Use the last seen face as the neutral face (relaxed, eyes open, facing the screen).

        Returns:
            False if no face has been seen yet, or while a listener moves the avatar; then nothing changes.
        """
        return self._listener is None and self._animator.calibrate()

    def step(self, frame: Frame) -> Moment:
        """Process the next frame of the stream (times must increase)."""
        clock = self._clock
        start_s = clock.now_s()
        faces = self._tracker.update(frame)
        self._look_who_leads(faces)
        tracked_s = clock.now_s()
        faces = self._read(frame, faces)
        read_s = clock.now_s()
        timings_ms = {"face": 1e3 * (tracked_s - start_s), "emotion": 1e3 * (read_s - tracked_s)}
        tracked = faces[0] if faces else None
        state = None if tracked is None else tracked.state
        shown = None if tracked is None else tracked.emotion
        if self._listener is not None:
            # The listener does not show the speaker's expression.
            state, shown, tracked = self._listener.see(state, frame.time_s), None, None
            heard_s = clock.now_s()
            timings_ms["listen"] = 1e3 * (heard_s - read_s)
            read_s = heard_s
        self._animator.acting = self._listener is not None
        self._animator.mirror = self.mirror and self._listener is None
        pose = self._animator.update(state, shown, frame.time_s, tracked)
        timings_ms["avatar"] = 1e3 * (clock.now_s() - read_s)
        return Moment(frame, Faces(faces), pose, timings_ms)

    def look(self, image_rgb: ImageArray) -> Faces:
        """The faces of a single picture (H, W, 3) uint8, with their emotions; the stream starts again.

        Raises:
            InputError: the picture has another shape or type.
        """
        self.reset()
        frame = Frame(image_rgb, 0.0)
        faces = self._tracker.update(frame)
        if self._reader is None:
            return Faces(faces)
        return Faces(self._reader.read_still(_crop(frame, face), face) for face in faces)

    def look_at_crop(self, image_rgb: ImageArray) -> Face:
        """The emotion in a square picture (H, H, 3) uint8 that is a tight crop of a face.

        Raises:
            InputError: the pipeline reads no emotions.
        """
        if self._reader is None:
            raise InputError("a face crop needs a recognizer: make the pipeline with one")
        height, width = image_rgb.shape[:2]
        box = np.asarray([0, 0, width, height], np.float32)
        return self._reader.read_still(image_rgb, Face.of_crop(box))

    def _look_who_leads(self, faces: tuple[Face, ...]) -> None:
        """Let the avatar start again when another person becomes the main face."""
        if not faces:  # A face that is lost for a moment comes back with the same track_id.
            return
        leader, last = faces[0].track_id, self._leader
        if leader == last:
            return
        self._leader = leader
        # A person who comes back later has a new number, is most likely the same, and keeps the calibration.
        if any(face.track_id == last for face in faces):
            (self._animator if self._listener is None else self._listener).meet()

    def _read(self, frame: Frame, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        if self._reader is None or not self.read_emotions:
            self._forget_emotions()
            return faces
        if not faces:
            return faces
        return self._reader.read(np.stack([_crop(frame, face) for face in faces]), faces, frame.time_s)

    def _forget_emotions(self) -> None:
        if self._reader is not None:
            self._reader.reset()


def emotion_region(face: Face) -> FaceRegion:
    """The square of the image that the emotion stage reads."""
    return FaceRegion.from_corners(face.corners_xy).scaled(CROP_SCALE, CROP_DOWN)


def _crop(frame: Frame, face: Face) -> ImageArray:
    return emotion_region(face).crop(frame.image_rgb, EMOTION_CROP_PX)
