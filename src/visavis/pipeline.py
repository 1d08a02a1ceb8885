"""The pipeline: from frames and sound to faces with expressions and the avatar's pose."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from visavis.avatar.parameters import Animator
from visavis.avatar.profile import Profile, named_profile
from visavis.base.arrays import require_flag
from visavis.base.clock import Clock, SystemClock
from visavis.base.files import PathText
from visavis.capture.tracked import TrackedFrame
from visavis.errors import InputError
from visavis.expression.reader import CROP_DOWN, CROP_SCALE, ExpressionReader
from visavis.expression.registry import DEFAULT
from visavis.expression.voice import VoiceReader
from visavis.face.measures import MeasureFilter, measure_face
from visavis.face.region import FaceRegion
from visavis.face.tracker import TRACKERS, Tracker, look_at_all, open_tracker
from visavis.reaction.speech import SpeechReader
from visavis.types import AudioChunk, AvatarPose, Expression, Face, Faces, FaceState, Frame, ImageArray

if TYPE_CHECKING:
    from visavis.reaction.live import LiveListener

# Side of the expression stage's crop; the network shrinks it further.
EXPRESSION_CROP_PX = 96


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Everything that is known about one frame.

    Attributes:
        frame: the picture.
        faces: largest first; the first one drives the avatar.
        pose: the avatar's pose.
        state: the face that moves the avatar: the largest face, or the listener's; None if there is none.
        timings_ms: milliseconds of ``face``, ``expression`` and ``avatar``, and ``listen`` in listen mode.
        profile: profile of the person who moves the avatar, with the neutral face of the last calibration;
            None while it is learned, and in listen mode.
        chosen: the expression that was chosen for the avatar; None: the person's own.
        forced: how far each chosen expression is shown, 0..1, since they come and go smoothly.
    """

    frame: Frame
    faces: Faces
    pose: AvatarPose
    timings_ms: Mapping[str, float]
    state: FaceState | None = None
    profile: Profile | None = None
    chosen: Expression | None = None
    forced: Mapping[str, float] = field(default_factory=dict)

    @property
    def face(self) -> Face | None:
        """The face that drives the avatar; None if no face is seen."""
        return self.faces[0] if self.faces else None

    def __repr__(self) -> str:
        faces = "; ".join(map(repr, self.faces)) or "no face"
        return f"Moment at {self.frame.time_s:.2f} s: {faces}"


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """The faces of one frame, without its picture and without the avatar.

    Attributes:
        time_s: time of the frame.
        faces: largest first.
        timings_ms: milliseconds of ``face`` and ``expression``.
    """

    time_s: float
    faces: Faces
    timings_ms: Mapping[str, float]


def _require(name: str, value: object, kind: Any, expected: str) -> None:
    if not isinstance(value, kind):
        raise InputError(f"{name} is {value!r}; expected {expected}")


def _as_listener(listener: LiveListener | None) -> LiveListener | None:
    if listener is not None and not hasattr(listener, "see"):
        raise InputError(f"listener is {listener!r}; expected a visavis.reaction.live.LiveListener, or None")
    return listener


class Pipeline:
    """Processes one stream of frames; the avatar mirrors the largest face, or listens to this person.

    Args:
        tracker: finds and follows faces; ``visavis``, or ``mediapipe`` if that extra is installed.
        recognizer: reads expressions: ``dense``, ``sparse``, which drops tokens, or a file NET.onnx; None
            leaves expressions unread.
        animator: turns faces into avatar poses; by default the embedded avatar's.
        clock: measures the timings.
        listener: for listen mode; None for mirror mode.
        keep: share of the tokens that ``sparse`` keeps, above 0 and at most 1; None for the share that its
            weights were tuned for.
        max_faces: maximum number of people to follow.
        mirror: whether the avatar moves like a mirror image; may be changed between frames. A listener is a
            different person and is never mirrored.
        profile: the first person's profile, the name of its file, or ``me`` for the remembered one; None
            learns it during the run.
        voice: whether expressions are read from the voice, too, which :meth:`hear` takes. Nothing changes
            without a voice, or while several faces are seen. The network knows only acted speech.

    Attributes:
        read_expressions: whether expressions are read; may be changed at any time.

    Raises:
        InputError: the tracker or recognizer is unknown, the recognizer takes no ``keep``, ``voice`` lacks a
            recognizer, or something else than the types above is given.
        WeightsError: an embedded network is missing or was changed.
        MissingExtraError: the tracker's package is not installed.
    """

    def __init__(
        self,
        tracker: Tracker | str = "visavis",
        recognizer: ExpressionReader | PathText | None = DEFAULT,
        animator: Animator | None = None,
        clock: Clock | None = None,
        listener: LiveListener | None = None,
        *,
        keep: float | None = None,
        max_faces: int = 1,
        mirror: bool = True,
        profile: Profile | PathText | None = None,
        voice: bool = False,
    ) -> None:
        require_flag("mirror", mirror)
        require_flag("voice", voice)
        if voice and recognizer is None:
            raise InputError("voice=True needs a recognizer, which reads the face")
        self._voice = VoiceReader(SpeechReader) if voice else None
        known = named_profile(profile)
        if isinstance(recognizer, str | os.PathLike):
            recognizer = ExpressionReader.default(os.fspath(recognizer), keep)
        if isinstance(tracker, str):
            tracker = open_tracker(tracker, max_faces)
        _require("tracker", tracker, Tracker, f"one of {', '.join(TRACKERS)}, or a Tracker")
        _require("recognizer", recognizer, ExpressionReader | None, "dense, sparse, a file NET.onnx, or None")
        _require("animator", animator, Animator | None, "an Animator or None")
        self._reader, self._tracker = recognizer, tracker
        self._animator = animator or Animator(profile=known)
        self._listener = _as_listener(listener)
        self.mirror = mirror and self._animator.mirror
        self.read_expressions = self._reader is not None
        self._clock = clock or SystemClock()
        self._leader: int | None = None
        self._last_s = -inf
        self._measures = MeasureFilter()

    def space_expressions(self, spacing: float) -> None:
        """Read expressions this many times more rarely than usual from the next frame on; 1 is usual."""
        if self._reader is not None:
            self._reader.spacing = spacing

    @property
    def drops_tokens(self) -> bool:
        """Whether expressions are read by a network that drops tokens of the face."""
        return self._reader is not None and self._reader.drops_tokens

    @property
    def hears(self) -> bool:
        """Whether :meth:`hear` needs the sound: for a listener, or for the voice's expression."""
        return self._listener is not None or self._voice is not None

    @property
    def listener(self) -> LiveListener | None:
        """The listener of listen mode; None in mirror mode."""
        return self._listener

    @property
    def profile(self) -> Profile | None:
        """The person's profile; None while it is learned."""
        return self._animator.profile

    @property
    def learned(self) -> Profile | None:
        """What is known of the person so far; None before the first face and in listen mode."""
        return self._animator.learned

    def recall(self, learned: Profile) -> None:
        """Go on learning from :attr:`learned` of an earlier stream of the same person."""
        self._animator.recall(learned)

    def reset(self) -> None:
        """Forget the stream, as before its first frame."""
        self._tracker.reset()
        self._animator.reset()
        if self._listener is not None:
            self._listener.reset()
            self._animator.start_new_person()  # A profile belongs to the person, not to the listener.
        self._leader = None
        self._last_s = -inf
        self._measures = MeasureFilter()
        self._forget_expressions()
        if self._voice is not None:
            self._voice.reset()

    def close(self) -> None:
        """Free the tracker's resources; after that, :meth:`reset` starts again."""
        self._tracker.close()

    def listen(self, listener: LiveListener | None) -> None:
        """React with this listener from the next frame on; None mirrors again."""
        self._listener = _as_listener(listener)
        self._animator.start_new_person(known=listener is None)  # A different face moves the avatar now.

    def hear(self, chunk: AudioChunk) -> None:
        """Take the next sound of the person, on the clock of the frames; see :attr:`hears`.

        Raises:
            InputError: see :meth:`~visavis.reaction.live.LiveListener.hear`.
        """
        if self._listener is not None:
            self._listener.hear(chunk)
        if self._voice is not None:
            self._voice.hear(chunk)

    def wear(self, profile: Profile | None) -> None:
        """Use this person's profile from now on; None learns it again. A listener has no profile."""
        self._animator.profile = profile
        if self._listener is None:
            self._animator.wear(profile)

    def express(self, label: str | None) -> None:
        """Let the avatar show this expression from the next frame on; None shows the person's own again.

        A listener shows only its own expressions.

        Raises:
            InputError: there is no such expression.
        """
        self._animator.chosen = None if label is None else Expression.of_label(label)

    def calibrate(self) -> bool:
        """Use the last seen face as the neutral face (relaxed, eyes open, facing the screen).

        Returns:
            False if no face has been seen yet, or while a listener moves the avatar; then nothing changes.
        """
        return self._listener is None and self._animator.calibrate()

    def step(self, frame: Frame) -> Moment:
        """Process the next frame of the stream.

        Raises:
            InputError: it is no frame, or its time is not after the time of the last one.
        """
        if isinstance(frame, TrackedFrame) and frame.pose is not None:
            return Moment(frame, Faces(), frame.pose, {})
        seen = self.see(frame)
        faces, timings_ms = seen.faces, dict(seen.timings_ms)
        clock = self._clock
        read_s = clock.now_s()
        self._look_who_leads(faces)
        tracked = faces[0] if faces else None
        state = None if tracked is None else tracked.state
        shown = None if tracked is None else tracked.expression
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
        moment = Moment(frame, faces, pose, timings_ms, state)
        return moment if self._listener is not None else self._adapted(moment)

    def see(self, frame: Frame) -> Sighting:
        """Follow the faces of the next frame of the stream, and read their expressions.

        It is the first half of :meth:`step`, for those who need no avatar, and raises the same errors.
        """
        if not isinstance(frame, Frame):
            raise InputError(f"found {type(frame).__name__}; expected a Frame: Frame(image_rgb, time_s)")
        if frame.time_s <= self._last_s:
            raise InputError(
                f"a frame at {frame.time_s:.3f} s comes after one at {self._last_s:.3f} s: times must "
                "increase; reset() begins a new stream"
            )
        self._last_s = frame.time_s
        clock = self._clock
        start_s = clock.now_s()
        known = self._measured(frame) if isinstance(frame, TrackedFrame) else None
        faces = self._tracker.update(frame) if known is None else known
        tracked_s = clock.now_s()
        faces = self._read(frame, faces) if known is None else known
        faces = faces if self._voice is None else self._voice.witness(faces, frame.time_s)
        read_s = clock.now_s()
        timings_ms = {"face": 1e3 * (tracked_s - start_s), "expression": 1e3 * (read_s - tracked_s)}
        return Sighting(frame.time_s, Faces(faces), timings_ms)

    def _adapted(self, moment: Moment) -> Moment:
        """The moment with what the avatar does beyond what the person's face shows."""
        animator = self._animator
        profile = animator.calibrated or animator.profile
        return replace(moment, profile=profile, chosen=animator.chosen, forced=animator.forced)

    def _measured(self, frame: TrackedFrame) -> tuple[Face, ...]:
        """The known faces, measured where they have landmarks, as a tracker does it."""
        faces = []
        for face in frame.faces[:1]:
            measures = self._measures.update(
                measure_face(face.landmarks_xy, face.landmark_numbers), frame.time_s
            )
            faces.append(replace(face, measures=measures) if len(measures) else face)
        return (*faces, *frame.faces[1:])

    def look(self, image_rgb: ImageArray) -> Faces:
        """The faces of a single picture (H, W, 3) uint8, with their expressions; the stream starts again.

        Raises:
            InputError: the picture has another shape or type.
        """
        return self.look_at_all([image_rgb])[0]

    def look_at_all(self, images_rgb: Sequence[ImageArray]) -> list[Faces]:
        """:meth:`look` at several pictures, whose faces the networks read together, which is faster.

        Raises:
            InputError: a picture has another shape or type.
        """
        self.reset()
        frames = [Frame(image, 0.0) for image in images_rgb]
        looked = look_at_all(self._tracker, images_rgb)
        faces = [face for seen in looked for face in seen]
        if self._reader is not None and faces:
            pairs = zip(frames, looked, strict=True)
            crops = np.stack([_crop(frame, face) for frame, seen in pairs for face in seen])
            faces = self._reader.read_stills(crops, faces)
        rest = iter(faces)
        return [Faces(islice(rest, len(seen))) for seen in looked]

    def look_at_crop(self, image_rgb: ImageArray) -> Face:
        """The expression in a square picture (H, H, 3) uint8 that is a tight crop of a face.

        Raises:
            InputError: the pipeline reads no expressions.
        """
        if self._reader is None:
            raise InputError("a face crop needs a recognizer: make the pipeline with one")
        height, width = image_rgb.shape[:2]
        box = np.asarray([0, 0, width, height], np.float32)
        return self._reader.read_stills(image_rgb[None], [Face.of_crop(box)])[0]

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
            (self._animator if self._listener is None else self._listener).start_new_person()

    def _read(self, frame: Frame, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        if self._reader is None or not self.read_expressions:
            self._forget_expressions()
            return faces
        return self._reader.read(faces, lambda face: _crop(frame, face), frame.time_s)

    def _forget_expressions(self) -> None:
        if self._reader is not None:
            self._reader.reset()


def expression_region(face: Face) -> FaceRegion:
    """The square of the image that the expression stage reads."""
    return FaceRegion.from_corners(face.corners_xy).scaled(CROP_SCALE, CROP_DOWN)


def _crop(frame: Frame, face: Face) -> ImageArray:
    return expression_region(face).crop(frame.image_rgb, EXPRESSION_CROP_PX)
