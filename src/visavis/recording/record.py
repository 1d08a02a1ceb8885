"""Recording a run: the video, track, motion and reaction of a source, kept even after an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from visavis.avatar.motion3 import write_motion3
from visavis.avatar.puppet import Puppet
from visavis.base.clock import Clock, SystemClock
from visavis.capture.prefetch import Prefetch
from visavis.capture.sound import Soundtrack
from visavis.capture.source import FrameSource
from visavis.capture.video import VideoFile
from visavis.channels import EMOTION_CHANNELS, FACE_CHANNELS
from visavis.drawing.panels import Composer
from visavis.errors import VisavisError
from visavis.pipeline import Moment, Pipeline
from visavis.reaction.clip import Reaction
from visavis.reaction.live import LiveListener
from visavis.recording.outputs import Outputs
from visavis.recording.video_writer import VideoWriter
from visavis.track import Track
from visavis.types import AvatarPose, FloatArray, Frame, ImageArray, NumberArray

# Decoding, tracking, drawing and encoding overlap; more waiting frames would only cost memory.
DEPTH = 2
# Sound is read this far ahead of the pictures, because a frame needs the sound up to its end.
HEARD_AHEAD_S = 0.1
NO_FACE = np.full(len(FACE_CHANNELS), np.nan, np.float32)
NO_EMOTION = np.full(len(EMOTION_CHANNELS), np.nan, np.float32)


@dataclass(frozen=True, slots=True)
class Recording:
    """The results of a run.

    Attributes:
        frames: number of processed frames.
        frames_with_face: number of frames in which a face was found.
        duration_s: time from the first frame to the last.
        elapsed_s: time that the work took.
        timings_ms: stage -> milliseconds for each frame.
        expressions: expression -> number of frames whose steady label it was.
        written: the files that now exist.
        interrupted: whether the user ended the run.
        error: why the run ended early; None if the source was read to its end.
    """

    frames: int
    frames_with_face: int
    duration_s: float
    elapsed_s: float
    timings_ms: Mapping[str, FloatArray]
    expressions: Mapping[str, int]
    written: tuple[Path, ...]
    interrupted: bool
    error: VisavisError | None

    def __repr__(self) -> str:
        seen = self.frames_with_face / self.frames if self.frames else 0.0
        written = "".join(f", wrote {path}" for path in self.written)
        return f"Recording: {self.frames} frames, {self.duration_s:.1f} s, a face in {seen:.0%}{written}"


def record(
    source: FrameSource,
    pipeline: Pipeline,
    outputs: Outputs,
    *,
    limit_s: float | None = None,
    on_frame: Callable[[Moment], None] | None = None,
    clock: Clock | None = None,
) -> Recording:
    """Process a source to its end, or to an error or Ctrl-C, and write the requested files.

    Decoding, tracking, drawing the avatar, and encoding run in four threads; frames are streamed, so that
    only the rows of the track grow in memory.

    Args:
        source: an open source; the caller closes it.
        pipeline: its stream starts again here; the caller closes it.
        outputs: what to write.
        limit_s: stop at this time of the source.
        on_frame: called after each frame.
        clock: measures the timings.

    Raises:
        InputError: an output cannot be written; this is checked before the work. Errors after the first frame
            are not raised but returned in the recording, since the results so far are kept.
    """
    outputs.check(source.name)
    clock = clock or SystemClock()
    pipeline.reset()
    start_s = clock.now_s()
    log = _Log(outputs)
    if outputs.reaction is not None and pipeline.listener is not None:
        pipeline.listener.on_frame = log.tokens.append
    error: VisavisError | None = None
    interrupted = False
    film = None if outputs.video is None else _Film(outputs.video, source, pipeline.read_emotions)
    try:
        with ExitStack() as stack:
            if film is not None:
                stack.enter_context(film.writer)
            sound: Soundtrack | None = None
            if pipeline.listener is not None and isinstance(source, VideoFile):
                sound = stack.enter_context(Soundtrack(source.path))
            frames = iter(source)
            ahead = frames if source.live else stack.enter_context(Prefetch(frames, DEPTH))
            moments = stack.enter_context(Prefetch(_moments(ahead, pipeline, sound, limit_s), DEPTH))
            steps: Iterable[tuple[Moment, Mapping[str, float]]] = ((moment, {}) for moment in moments)
            if film is not None:
                drawn = stack.enter_context(Prefetch(film.drawn(moments, clock), DEPTH))
                steps = film.written(drawn, clock)
            for moment, timings_ms in steps:
                log.add(moment, timings_ms)
                if on_frame is not None:
                    on_frame(moment)
    except KeyboardInterrupt:
        interrupted = True
    except VisavisError as caught:
        error = caught
    written = [film.writer.path] if film is not None and film.writer.finished else []
    saved, failure = log.save(source.fps, pipeline.listener)
    error = error or failure  # The first error is the most useful one.
    return log.recording((*written, *saved), clock.now_s() - start_s, interrupted, error)


def _moments(
    frames: Iterable[Frame], pipeline: Pipeline, sound: Soundtrack | None, limit_s: float | None
) -> Generator[Moment, None, None]:
    for frame in frames:
        if limit_s is not None and frame.time_s >= limit_s:
            return
        for chunk in () if sound is None else sound.until(frame.time_s + HEARD_AHEAD_S):
            pipeline.hear(chunk)
        yield pipeline.step(frame)


class _Drawn(NamedTuple):
    moment: Moment
    avatar_rgb: ImageArray
    drawing_ms: float


class _Film:
    """The video being written: each moment is drawn, then encoded."""

    def __init__(self, path: Path, source: FrameSource, emotions: bool) -> None:
        self._composer = Composer(source.size, emotions)
        self._puppet = Puppet.load()
        sound: Path | None = None
        sound_start_s = 0.0
        if isinstance(source, VideoFile):
            sound, sound_start_s = source.path, source.start_s
        self.writer = VideoWriter(path, self._composer.size, source.fps, sound, sound_start_s)

    def drawn(self, moments: Iterable[Moment], clock: Clock) -> Generator[_Drawn, None, None]:
        """Each moment with the avatar's picture."""
        for moment in moments:
            began_s = clock.now_s()
            avatar = self._puppet.draw(moment.pose, self._composer.avatar_px)
            yield _Drawn(moment, avatar, 1e3 * (clock.now_s() - began_s))

    def written(
        self, drawn: Iterable[_Drawn], clock: Clock
    ) -> Generator[tuple[Moment, Mapping[str, float]], None, None]:
        """Each moment after it is in the video, with the milliseconds that drawing and encoding took."""
        for moment, avatar, drawing_ms in drawn:
            began_s = clock.now_s()
            self.writer.write(self._composer.compose(moment, avatar), moment.frame.time_s)
            yield moment, {"puppet": drawing_ms, "video": 1e3 * (clock.now_s() - began_s)}


@dataclass(slots=True)
class _Log:
    """One row of results for each frame; faces, emotions and poses only for requested files."""

    outputs: Outputs
    times_s: list[float] = field(default_factory=list)
    face: list[FloatArray] = field(default_factory=list)
    emotion: list[FloatArray] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    landmarks: list[FloatArray | None] = field(default_factory=list)
    landmark_numbers: NumberArray = field(default_factory=lambda: np.zeros(0, np.int32))
    poses: list[AvatarPose] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    labels: Counter[str] = field(default_factory=Counter)
    timings_ms: dict[str, list[float]] = field(default_factory=dict)

    def add(self, moment: Moment, timings_ms: Mapping[str, float]) -> None:
        self.times_s.append(moment.frame.time_s)
        face = moment.face
        emotion = None if face is None else face.emotion
        self.found.append(face is not None)
        if self.outputs.track is not None:
            self.face.append(NO_FACE if face is None else face.state.values)
            self.emotion.append(NO_EMOTION if emotion is None else emotion.values)
            self.landmarks.append(None if face is None else face.landmarks_xy)
            if face is not None:
                self.landmark_numbers = face.landmark_numbers
        if self.outputs.motion is not None:
            self.poses.append(moment.pose)
        if face is not None and face.label is not None:
            self.labels[face.label] += 1
        for stage, time_ms in (*moment.timings_ms.items(), *timings_ms.items()):
            self.timings_ms.setdefault(stage, []).append(time_ms)

    def save(self, fps: float, listener: LiveListener | None) -> tuple[list[Path], VisavisError | None]:
        """Write the requested files; returns the written files and the first error."""
        written: list[Path] = []
        error: VisavisError | None = None
        saves: tuple[Callable[[], list[Path]], ...] = (
            lambda: self.save_track(fps),
            lambda: self.save_motion(fps),
            lambda: self.save_reaction(listener),
        )
        for save in saves:
            try:
                written += save()
            except VisavisError as caught:  # The other files are still useful.
                error = error or caught
        return written, error

    def save_track(self, fps: float) -> list[Path]:
        """Write the track if requested; returns the written files."""
        path = self.outputs.track
        if path is None or not self.face:
            return []
        face, emotion = np.stack(self.face), np.stack(self.emotion)
        times_s, found = np.asarray(self.times_s), np.asarray(self.found)
        numbers = self.landmark_numbers
        points = np.full((len(found), len(numbers), 2), np.nan, np.float32)
        for row, landmarks in zip(points, self.landmarks, strict=True):
            if landmarks is not None and len(numbers):  # Landmarks without numbers are useless.
                row[:] = landmarks
        Track(times_s, face, emotion, found, fps, points, numbers).save(path)
        return [path]

    def save_motion(self, fps: float) -> list[Path]:
        """Write the motion if requested; returns the written files."""
        path = self.outputs.motion
        if path is None or not self.poses:
            return []
        write_motion3(path, self.poses, fps)
        return [path]

    def save_reaction(self, listener: LiveListener | None) -> list[Path]:
        """Write the listener's face if requested; returns the written files."""
        path = self.outputs.reaction
        if path is None or listener is None or not self.tokens:
            return []
        Reaction.of_tokens(np.asarray([self.tokens]), listener.tokenizer, listener.seed).save(path)
        return [path]

    def recording(
        self, written: tuple[Path, ...], elapsed_s: float, interrupted: bool, error: VisavisError | None
    ) -> Recording:
        return Recording(
            frames=len(self.times_s),
            frames_with_face=sum(self.found),
            duration_s=self.times_s[-1] - self.times_s[0] if self.times_s else 0.0,
            elapsed_s=elapsed_s,
            timings_ms=MappingProxyType(
                {stage: np.asarray(times, np.float32) for stage, times in self.timings_ms.items()}
            ),
            expressions=MappingProxyType(dict(self.labels.most_common())),
            written=written,
            interrupted=interrupted,
            error=error,
        )
