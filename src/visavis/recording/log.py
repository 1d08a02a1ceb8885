"""The rows of results that a run keeps until it ends, the files that are made of them, and their summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from visavis.base.words import counted
from visavis.errors import InputError, VisavisError
from visavis.motion.motion3 import write_motion3
from visavis.recording.outputs import Outputs
from visavis.track import Track, rows_of
from visavis.types import AvatarPose, Faces, FloatArray, NumberArray

if TYPE_CHECKING:
    from visavis.reaction.live import LiveListener


@dataclass(slots=True)
class Log:
    """One row of results for each frame; faces, expressions and poses only for requested files."""

    outputs: Outputs
    times_s: list[float] = field(default_factory=list)
    face: list[FloatArray] = field(default_factory=list)
    expression: list[FloatArray] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    landmarks: list[FloatArray | None] = field(default_factory=list)
    landmark_numbers: NumberArray = field(default_factory=lambda: np.zeros(0, np.int32))
    poses: list[AvatarPose] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    labels: Counter[str] = field(default_factory=Counter)
    timings_ms: dict[str, list[float]] = field(default_factory=dict)

    def add(
        self, time_s: float, faces: Faces, timings_ms: Mapping[str, float], pose: AvatarPose | None = None
    ) -> None:
        """Add a frame; the pose is needed for a motion."""
        self.times_s.append(time_s)
        face = faces[0] if faces else None
        self.found.append(face is not None)
        if self.outputs.track is not None:
            row, expression = rows_of(face)
            self.face.append(row)
            self.expression.append(expression)
            self.landmarks.append(None if face is None else face.landmarks_xy)
            if face is not None:
                self.landmark_numbers = face.landmark_numbers
        if self.outputs.motion is not None and pose is not None:
            self.poses.append(pose)
        if face is not None and face.label is not None:
            self.labels[face.label] += 1
        for stage, time_ms in timings_ms.items():
            self.timings_ms.setdefault(stage, []).append(time_ms)

    def save(self, fps: float, listener: LiveListener | None) -> tuple[list[Path], list[VisavisError]]:
        """Write the requested files; returns the written files and the errors of the others."""
        written: list[Path] = []
        errors: list[VisavisError] = []
        saves: tuple[Callable[[], list[Path]], ...] = (
            lambda: self.save_track(fps),
            lambda: self.save_motion(fps),
            lambda: self.save_reaction(listener),
        )
        for save in saves:
            try:
                written += save()
            except VisavisError as caught:  # The other files are still useful.
                errors.append(caught)
        return written, errors

    def save_track(self, fps: float) -> list[Path]:
        """Write the track if requested; returns the written files."""
        path = self.outputs.track
        if path is None or not self.face:
            return []
        face, expression = np.stack(self.face), np.stack(self.expression)
        times_s, found = np.asarray(self.times_s), np.asarray(self.found)
        numbers = self.landmark_numbers
        points = np.full((len(found), len(numbers), 2), np.nan, np.float32)
        for row, landmarks in zip(points, self.landmarks, strict=True):
            if landmarks is not None and len(numbers):  # Landmarks without numbers are useless.
                row[:] = landmarks
        Track(times_s, face, expression, found, fps, points, numbers).save(path)
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
        from visavis.reaction.clip import Reaction

        Reaction.of_tokens(np.asarray([self.tokens]), listener.tokenizer, listener.seed).save(path)
        return [path]


def joined_errors(error: VisavisError | None, failures: Sequence[VisavisError]) -> VisavisError | None:
    """One error of what ended a run and of the files that could then not be written; None of nothing."""
    errors = [*([] if error is None else [error]), *failures]
    if len(errors) > 1:
        return InputError("; ".join(map(str, errors)))
    return errors[0] if errors else None


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
        notes: what a user should know of the source, in words, such as jumps of its clock.
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
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        log: Log,
        written: tuple[Path, ...],
        elapsed_s: float,
        interrupted: bool,
        error: VisavisError | None,
        notes: Sequence[str] = (),
    ) -> Self:
        """The results of the frames in a log."""
        timings_ms = {stage: np.asarray(times, np.float32) for stage, times in log.timings_ms.items()}
        return cls(
            frames=len(log.times_s),
            frames_with_face=sum(log.found),
            duration_s=log.times_s[-1] - log.times_s[0] if log.times_s else 0.0,
            elapsed_s=elapsed_s,
            timings_ms=MappingProxyType(timings_ms),
            expressions=MappingProxyType(dict(log.labels.most_common())),
            written=written,
            interrupted=interrupted,
            error=error,
            notes=tuple(notes),
        )

    def __repr__(self) -> str:
        seen = self.frames_with_face / self.frames if self.frames else 0.0
        written = "".join(f", wrote {path}" for path in self.written)
        frames = counted(self.frames, "frame")
        return f"Recording: {frames}, {self.duration_s:.1f} s, a face in {seen:.0%}{written}"

    def summary(self) -> dict[str, Any]:
        """The results as JSON values; of each stage, the median and the 95th percentile of its time."""
        return {
            "frames": self.frames,
            "frames_with_face": self.frames_with_face,
            "duration_s": round(self.duration_s, 3),
            "elapsed_s": round(self.elapsed_s, 3),
            "frames_per_s": round(self.frames / self.elapsed_s, 2) if self.elapsed_s > 0 else None,
            "times_real_time": round(self.duration_s / self.elapsed_s, 3) if self.elapsed_s > 0 else None,
            "timings_ms": {
                stage: {"p50": round(float(np.median(ms)), 3), "p95": round(float(np.percentile(ms, 95)), 3)}
                for stage, ms in self.timings_ms.items()
            },
            "expressions": dict(self.expressions),
            "written": [str(path) for path in self.written],
            "interrupted": self.interrupted,
            "error": None if self.error is None else str(self.error),
            "notes": list(self.notes),
        }
