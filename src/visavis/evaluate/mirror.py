"""Measuring on a clip how well the drawn avatar copies the face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from visavis.avatar.rig import Rig, pose_rig
from visavis.base.arrays import as_float32, checked_flags, checked_numbers, require_known
from visavis.base.files import PathText, as_path
from visavis.base.npz import read_npz
from visavis.base.words import counted
from visavis.capture.video import VideoFile
from visavis.channels import AVATAR_PARAMETERS
from visavis.errors import InputError
from visavis.evaluate.mirror_stills import Followed
from visavis.face.measures import Doubles
from visavis.metrics.mirror import LAYERS, MirrorScores, drawing_motion, face_motion, outline
from visavis.pipeline import Pipeline
from visavis.types import LANDMARK_COUNT, AvatarPose, BoolArray, Face, FloatArray, NumberArray

# A teacher may have this many frames more or fewer than the clip, because decoders differ at its end.
FRAMES_APART = 2
# Smallest number of frames with a face: fewer frames show no movement.
LEAST_FRAMES = 20
# The border may cut a face, but the face's middle must not be this far beyond it, in shares of the picture.
OUTSIDE = 0.05
# Names of the arrays: of a teacher's landmarks, and of a track.
KINDS = (("landmarks_146_px", "landmarks_146_index"), ("landmarks_xy", "landmark_numbers"))
AT_REST = np.asarray([rest for _, _, rest in AVATAR_PARAMETERS.values()])
# Parameters that move the head as a whole.
CARRIES = np.asarray(
    [name.startswith(("ParamAngle", "ParamBody", "ParamBreath")) for name in AVATAR_PARAMETERS]
)


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """Landmarks of a face in each frame of a clip.

    Attributes:
        points: (T, N, 2) in pixels; any value where no face was found.
        numbers: (N,) the landmarks' point numbers in MediaPipe's face mesh.
        found: (T,).
    """

    points: FloatArray
    numbers: NumberArray
    found: BoolArray

    @classmethod
    def load(cls, path: PathText, size: tuple[int, int]) -> Self:
        """Read a teacher's landmarks (`landmarks_146_px`, `landmarks_146_index`, `found`) or a track.

        Args:
            path: the file.
            size: width and height of the clip's frames in pixels.

        Raises:
            InputError: the file is missing, damaged, lacks these arrays, or they contradict each other; or
                there is no face, a face that cannot be measured, or a face outside the picture.
        """
        path = as_path(path)
        arrays = read_npz(path, "file of landmarks")
        # The kind with the most arrays in the file.
        kind = max(KINDS, key=lambda names: len(arrays.keys() & names))
        if missing := [name for name in (*kind, "found") if name not in arrays]:
            expected = " or ".join(f"{', '.join(names)} and found" for names in KINDS)
            held = ", ".join(arrays) or "nothing"
            raise InputError(
                f"{path}: {', '.join(missing)} missing: landmarks are the arrays {expected}; found {held}"
            )
        try:
            numbers = checked_numbers(kind[1], arrays[kind[1]], LANDMARK_COUNT)
            points = as_float32(kind[0], arrays[kind[0]], (None, len(numbers), 2), allow_nan=True)
            found = checked_flags("found", arrays["found"], len(points))
            _require_measurable(kind[0], points, numbers, found, np.asarray(size))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        return cls(points, numbers, found)


def _require_measurable(
    name: str, points: FloatArray, numbers: NumberArray, found: BoolArray, size: NumberArray
) -> None:
    if not found.any():
        raise InputError("no face in any frame; give landmarks of a clip that shows one")
    frames, seen = np.flatnonzero(found), points[found]
    require_known(name, points, found)
    face_motion(seen, numbers)
    middle = np.median(seen, axis=1)
    beyond = (middle < -OUTSIDE * size) | (middle > (1 + OUTSIDE) * size)
    away = (beyond | ((seen < -size) | (seen > 2 * size)).any(axis=1)).any(axis=1)
    if away.any():
        first = away.argmax()
        x, y = middle[first].tolist()
        raise InputError(
            f"the face of frame {frames[first]} is at ({x:.4g}, {y:.4g}), outside of the picture of "
            f"{size[0]}x{size[1]} pixels; give landmarks of this clip, in its pixels"
        )


@dataclass(frozen=True, slots=True, eq=False)
class ClipMirror:
    """The result of one clip.

    Attributes:
        frames: number of frames in the clip.
        compared: number of frames in which the landmarks have a face.
        scores: scores over the compared frames.
        followed: the face and the avatar's pose in each frame.
    """

    frames: int
    compared: int
    scores: MirrorScores
    followed: Followed


def mirror_clip(
    path: Path, pipeline: Pipeline, rig: Rig, teacher: Landmarks | None, on_frame: Callable[[], None]
) -> ClipMirror:
    """Let the avatar follow a clip, and compare the drawing with the face.

    Args:
        path: the video.
        pipeline: a pipeline without mirroring, like the picture; its stream starts again here.
        rig: the drawing.
        teacher: landmarks of the face; None uses the pipeline's own tracker.
        on_frame: called after each frame.

    Raises:
        InputError: the video cannot be read, shows no face or too few, the landmarks are from another clip,
            or points are missing.
    """
    followed = _follow(path, pipeline, on_frame)
    poses = np.stack([pose.values for pose in followed.poses])
    known = own_landmarks(followed.faces) if teacher is None else teacher
    if abs(len(known.found) - len(poses)) > FRAMES_APART:
        raise InputError(
            f"{path}: {counted(len(poses), 'frame')}, but landmarks of {len(known.found)}; give those of "
            "this clip"
        )
    found = known.found[: len(poses)]
    if not found.any():
        raise InputError(
            f"{path}: no face found ({counted(len(poses), 'frame')}); name a clip that shows one"
        )
    if (compared := int(found.sum())) < LEAST_FRAMES:
        raise InputError(
            f"{path}: frames with a face: {compared} of {len(poses)}; expected at least {LEAST_FRAMES}: give "
            "some seconds of a face that moves"
        )
    try:
        face = face_motion(known.points[: len(poses)][found], known.numbers)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    shown = poses[: len(found)][found]
    drawn = drawing_motion(draw_outlines(rig, shown, ~CARRIES), draw_outlines(rig, shown, CARRIES))
    return ClipMirror(len(poses), compared, MirrorScores.of(drawn, face), followed)


def _follow(path: Path, pipeline: Pipeline, on_frame: Callable[[], None]) -> Followed:
    """The face and the avatar's pose in each frame."""
    pipeline.reset()
    poses: list[AvatarPose] = []
    faces: list[Face | None] = []
    with VideoFile(path) as video:
        for frame in video:
            moment = pipeline.step(frame)
            poses.append(moment.pose)
            faces.append(moment.faces[0] if moment.faces else None)
            on_frame()
    return Followed(path, faces, poses)


def own_landmarks(faces: Sequence[Face | None]) -> Landmarks:
    """The landmarks that the tracker itself found in each frame."""
    numbers = next((face.landmark_numbers for face in faces if face), np.zeros(0, np.int32))
    nowhere = np.full((len(numbers), 2), np.nan, np.float32)
    points = np.stack([face.landmarks_xy[: len(numbers)] if face else nowhere for face in faces])
    return Landmarks(points, numbers, np.asarray([face is not None for face in faces]))


def draw_outlines(rig: Rig, poses: FloatArray, free: BoolArray) -> dict[str, Doubles]:
    """Outlines (T, K, 2), y upward, of the measured layers.

    Args:
        rig: the drawing.
        poses: (T, P) values of the avatar's parameters.
        free: (P,) which parameters count; all others are at rest.
    """
    layers = [layer for layer in rig.layers if layer.name in LAYERS]
    curves: dict[str, list[Doubles]] = {layer.name: [] for layer in layers}
    hanging = np.zeros(len(rig.springs))
    for values in np.where(free, poses, AT_REST):
        points = pose_rig(rig, values, hanging).points * (1, -1)
        for layer in layers:
            curves[layer.name].append(outline(points[layer.start : layer.outline_stop]))
    return {name: np.stack(each) for name, each in curves.items()}
