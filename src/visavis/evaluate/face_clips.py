"""Clips: how a tracker follows a face, compared with a teacher on the same frames or with its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from visavis.capture.video import VideoFile
from visavis.channels import EXPRESSION_CHANNELS, TRANSLATIONS
from visavis.datasets.face_labels import FaceLabels
from visavis.errors import InputError
from visavis.evaluate.face_figures import HEAD, WEIGHTS, FaceFigures, Readings
from visavis.face.geometry import euler_angles, roll_matrix
from visavis.face.mesh import OUTER_EYE_CORNERS
from visavis.face.smoothing import OneEuroFilter
from visavis.face.tracker import Tracker
from visavis.metrics import faces as metrics
from visavis.track import NO_FACE, Track
from visavis.types import BoolArray, FloatArray, Frame, NumberArray


@dataclass(frozen=True, slots=True, eq=False)
class ClipFigures:
    """One clip, compared with its teacher.

    Attributes:
        name: name of the clip.
        frames: number of frames in the clip.
        taught: number of frames in which the teacher has a face.
        found: share of these frames in which visavis has a face, too.
        faces: figures over the frames in which both have a face.
        blinks: number of blinks of the ``teacher`` and of ``ours``, and how many are ``matched``.
        jitter: standard deviation of the second difference of ``weights``, ``head_deg`` and ``landmarks``
            (common ones, in shares of the eye distance) in frames in which the teacher is calm; ours, and the
            teacher's with the prefix ``teacher_``; ``smoothed_weights`` and ``smoothed_head_deg``, ours after
            the tracker's filter, as people receive them.
    """

    name: str
    frames: int
    taught: int
    found: float
    faces: FaceFigures
    blinks: dict[str, int]
    jitter: dict[str, float]

    @classmethod
    def of(cls, name: str, ours: Track, teacher: Track) -> Self:
        """Compare two tracks of the same frames.

        Raises:
            InputError: there is no frame in which both have a face.
        """
        both: BoolArray = ours.found & teacher.found
        if not both.any():
            raise InputError(f"{name}: no frame in which the teacher and visavis both find a face")
        seen, known = Readings.of_track(ours, both), Readings.of_track(teacher, both)
        faces = FaceFigures.of(seen, known)
        # A face that only one of them has seen is neither right nor wrong.
        seen_s = ours.time_s[both]
        shut, truly_shut = (
            metrics.blink_times(seen_s, seen.weights),
            metrics.blink_times(seen_s, known.weights),
        )
        calm = metrics.calm(np.where(both[:, None], teacher.face[:, WEIGHTS], np.nan))
        wide = float(np.linalg.norm(np.diff(known.points(OUTER_EYE_CORNERS), axis=1), axis=2).mean())
        common = sorted(set(ours.landmark_numbers.tolist()) & set(teacher.landmark_numbers.tolist()))
        jitter = {
            f"{who}{what}": value
            for who, track in (("", ours), ("teacher_", teacher))
            for what, value in _jitter(track, calm, wide, common).items()
        } | {f"smoothed_{what}": value for what, value in _state_jitter(_smoothed(ours), calm).items()}
        together = metrics.matched(shut, truly_shut)
        blinks = {"teacher": len(truly_shut), "ours": len(shut), "matched": together}
        taught = int(teacher.found.sum())
        return cls(name, len(ours), taught, float(both.sum() / taught), faces, blinks, jitter)


def _jitter(track: Track, calm: BoolArray, wide: float, numbers: Sequence[int]) -> dict[str, float]:
    places = {int(number): place for place, number in enumerate(track.landmark_numbers)}
    points = track.landmarks_xy[:, [places[number] for number in numbers]]
    return _state_jitter(track.face, calm) | {
        "landmarks": metrics.jitter(points.reshape(len(track), -1) / wide, calm)
    }


def _state_jitter(face: FloatArray, calm: BoolArray) -> dict[str, float]:
    return {
        "weights": metrics.jitter(face[:, WEIGHTS], calm),
        "head_deg": float(np.degrees(metrics.jitter(face[:, HEAD], calm))),
    }


def _smoothed(track: Track) -> FloatArray:
    """The face states (T, 58) after the filter of the trackers."""
    smoothing = OneEuroFilter.for_face_state()
    smoothed = track.face.copy()
    for row, found in enumerate(track.found):
        if found:
            smoothed[row] = smoothing.update(smoothed[row], float(track.time_s[row]))
        else:
            smoothing.reset()
    return smoothed


def beside_tracker(
    path: Path, tracker: Tracker, teacher: Tracker, on_frame: Callable[[], None]
) -> ClipFigures:
    """Follow a clip with the tracker and with its teacher.

    Raises:
        InputError: the video cannot be read, or has no frame in which both find a face.
    """
    with VideoFile(path) as video:
        ours, theirs = follow_video(video, [tracker, teacher], on_frame)
    return ClipFigures.of(path.stem, ours, theirs)


def beside_labels(
    path: Path, tracker: Tracker, labels: FaceLabels, on_frame: Callable[[], None]
) -> ClipFigures:
    """Follow a clip, and compare with the labels of its frames.

    Raises:
        InputError: the video cannot be read, has no labels or another clip's labels, or has no frame in which
            both have a face.
    """
    frames = labels.frames(path.stem)  # Checked before the work.
    with VideoFile(path) as video:
        (ours,) = follow_video(video, [tracker], on_frame)
    return ClipFigures.of(path.stem, ours, labeled_track(labels, frames, ours))


def follow_video(video: VideoFile, trackers: Sequence[Tracker], on_frame: Callable[[], None]) -> list[Track]:
    """The track of the largest face by each tracker, on the same decoded frames."""
    times: list[float] = []
    faces: list[list[FloatArray]] = [[] for _ in trackers]
    points: list[list[FloatArray | None]] = [[] for _ in trackers]
    numbers: list[NumberArray] = [np.zeros(0, np.int32) for _ in trackers]
    for tracker in trackers:
        tracker.reset()
    for frame in video:
        times.append(frame.time_s)
        for place, tracker in enumerate(trackers):
            found = tracker.update(Frame(frame.image_rgb, frame.time_s, frame.index))
            faces[place].append(found[0].state.values if found else NO_FACE)
            points[place].append(found[0].landmarks_xy if found else None)
            if found:
                numbers[place] = found[0].landmark_numbers
        on_frame()
    return [_track(times, *three, video.fps) for three in zip(faces, points, numbers, strict=True)]


def _track(
    times: list[float],
    faces: list[FloatArray],
    points: list[FloatArray | None],
    numbers: NumberArray,
    fps: float,
) -> Track:
    nothing = np.full((len(numbers), 2), np.nan, np.float32)
    landmarks = [nothing if each is None else each[: len(numbers)] for each in points]
    face = np.stack(faces)
    expression = np.full((len(face), len(EXPRESSION_CHANNELS)), np.nan, np.float32)
    found = np.asarray(np.isfinite(face).all(axis=1), np.bool_)
    return Track(np.asarray(times), face, expression, found, fps, np.stack(landmarks), numbers)


def labeled_track(labels: FaceLabels, frames: dict[int, int], like: Track) -> Track:
    """The labels of a clip as a track: NaN for frames without labels; positions are unknown and 0.

    Args:
        labels: labels of this and other clips.
        frames: number of each labelled frame -> its row in the labels.
        like: track with the times of the frames.

    Raises:
        InputError: a labelled frame does not exist.
    """
    if (last := max(frames)) >= len(like):
        raise InputError(f"frame {last} is labelled, but the clip has {len(like)}: expected its own labels")
    face = np.full(like.face.shape, np.nan, np.float32)
    points = np.full((len(like), len(labels.numbers), 2), np.nan, np.float32)
    for frame, row in frames.items():
        region = labels.region_of(row)
        turned = roll_matrix(-region.roll_rad) @ labels.rotation[row]
        face[frame] = np.concatenate([labels.weights[row], euler_angles(turned), np.zeros(len(TRANSLATIONS))])
        points[frame] = region.to_image(labels.landmarks[row, :, :2])
    found = np.asarray(np.isfinite(face).all(axis=1), np.bool_)
    return Track(like.time_s, face, like.expression, found, like.fps, points, labels.numbers)
