"""A face tracker that uses MediaPipe's Face Landmarker (extra ``mediapipe``).

The user brings the model bundle: ``face_landmarker.task`` from MediaPipe's model page, named by the
environment variable ``VISAVIS_FACE_LANDMARKER``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from visavis.channels import BLENDSHAPES
from visavis.errors import InputError, MissingExtraError
from visavis.face.detector import overlap
from visavis.face.geometry import euler_angles
from visavis.face.measures import MeasureFilter, measure_face
from visavis.face.region import FaceRegion
from visavis.face.smoothing import OneEuroFilter
from visavis.types import Face, FaceState, FloatArray, Frame, ImageArray

MODEL_VARIABLE = "VISAVIS_FACE_LANDMARKER"
EYE_CORNERS_478 = (33, 263)
# MediaPipe has no score for tongueOut. On 24,272 photographs of faces, the other six stay near 0 for every
# face: at most 0.005, and jawForward 0.031.
NOT_READ = (
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "jawForward",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
RELIABILITY = np.asarray([name not in NOT_READ for name in BLENDSHAPES], np.float32)
# A face is a known face if their boxes overlap by this much, up to this time after it was lost.
SAME_FACE = 0.3
LONGEST_GAP_S = 1.0


def open_landmarker(model: Path, purpose: str, *, video: bool = False, **options: Any) -> Any:
    """MediaPipe's Face Landmarker.

    Args:
        model: the bundle.
        purpose: what it is for, for the message of a missing package.
        video: follow faces from picture to picture, instead of looking at each picture alone.
        options: further options of MediaPipe's ``FaceLandmarkerOptions``.

    Raises:
        MissingExtraError: mediapipe is not installed.
        InputError: the bundle is missing, or is not a valid bundle.
    """
    if not model.is_file():
        raise InputError(f"{model}: no such file; expected MediaPipe's face_landmarker.task")
    try:
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise MissingExtraError("mediapipe", "mediapipe", purpose) from error
    wanted = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        running_mode=vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE,
        **options,
    )
    try:
        return vision.FaceLandmarker.create_from_options(wanted)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{model}: MediaPipe cannot use it as face_landmarker.task: {reason}") from error


def picture_of(image_rgb: ImageArray) -> Any:
    """A picture (H, W, 3) as MediaPipe takes it."""
    import mediapipe

    return mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(image_rgb))


@dataclass(slots=True)
class _Person:
    track_id: int
    box_xyxy: FloatArray
    seen_s: float
    smoothing: OneEuroFilter = field(default_factory=OneEuroFilter.for_face_state)
    calming: MeasureFilter = field(default_factory=MeasureFilter)


class MediaPipeTracker:
    """Follows up to ``max_faces`` faces.

    Args:
        max_faces: maximum number of people to follow.
        model: the bundle; by default the file that ``VISAVIS_FACE_LANDMARKER`` names.
        smooth: pass the face states through the One-Euro filter.

    Raises:
        MissingExtraError: mediapipe is not installed.
        InputError: the bundle is not named, is missing, or is not a valid bundle.
    """

    def __init__(self, max_faces: int = 1, model: Path | None = None, *, smooth: bool = True) -> None:
        self._model = model or _model_from_environment()
        self.max_faces = max_faces
        self.smooth = smooth
        self._landmarker: Any = None
        self.reset()

    def reset(self) -> None:
        """Forget every face, as before the first frame."""
        self.close()
        self._landmarker = open_landmarker(
            self._model,
            "the MediaPipe tracker",
            video=True,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
            num_faces=self.max_faces,
        )
        self._last_ms = -1
        self._people: list[_Person] = []
        self._next_id = 0

    def close(self) -> None:
        """Free the landmarker."""
        if self._landmarker is not None:
            self._landmarker.close()
            self._landmarker = None

    def update(self, frame: Frame) -> tuple[Face, ...]:
        """Faces in the frame, largest first."""
        # MediaPipe hangs on a timestamp that does not advance.
        self._last_ms = max(round(frame.time_s * 1000), self._last_ms + 1)
        answer = self._landmarker.detect_for_video(picture_of(frame.image_rgb), self._last_ms)
        height, width = frame.image_rgb.shape[:2]
        known, self._people = self._people, []
        faces = [
            self._face(
                # MediaPipe counts from the edge of the first pixel, visavis from its middle.
                np.asarray([(p.x * width - 0.5, p.y * height - 0.5) for p in points], np.float32),
                {w.category_name: w.score for w in weights},
                np.asarray(matrix, np.float32),
                frame.time_s,
                known,
            )
            for points, weights, matrix in zip(
                answer.face_landmarks,
                answer.face_blendshapes,
                answer.facial_transformation_matrixes,
                strict=True,
            )
        ]
        # MediaPipe gives no lasting identity: a face is the known face whose box it overlaps, or a new one.
        self._people += [p for p in known if frame.time_s - p.seen_s <= LONGEST_GAP_S]
        return tuple(sorted(faces, key=lambda face: float(face.box_xyxy[0] - face.box_xyxy[2])))

    def _face(
        self,
        points: FloatArray,
        weights: dict[str, float],
        matrix: FloatArray,
        time_s: float,
        known: list[_Person],
    ) -> Face:
        values = np.asarray(
            [
                *(weights.get(name, 0.0) for name in BLENDSHAPES),
                *euler_angles(matrix[:3, :3]),
                *matrix[:3, 3],
            ],
            np.float32,
        )
        box = np.concatenate([points.min(axis=0), points.max(axis=0)])
        person = self._person(box, time_s, known)
        numbers = np.arange(len(points), dtype=np.int32)
        measures = measure_face(points, numbers)
        if self.smooth:
            values = person.smoothing.update(values, time_s)
            measures = person.calming.update(measures, time_s)
        region = FaceRegion.from_landmarks(points, EYE_CORNERS_478)
        return Face(
            person.track_id,
            1.0,
            box,
            points,
            region.corners(),
            FaceState(values),
            RELIABILITY,
            numbers,
            measures,
        )

    def _person(self, box_xyxy: FloatArray, time_s: float, known: list[_Person]) -> _Person:
        """The known person whose face was there (removed from the list), or a new person."""
        likeness = [overlap(person.box_xyxy, box_xyxy) for person in known]
        if likeness and max(likeness) > SAME_FACE:
            person = known.pop(int(np.argmax(likeness)))
        else:
            person = _Person(self._next_id, box_xyxy, time_s)
            self._next_id += 1
        person.box_xyxy, person.seen_s = box_xyxy, time_s
        self._people.append(person)
        return person


def _model_from_environment() -> Path:
    named = os.environ.get(MODEL_VARIABLE)
    if not named:
        raise InputError(
            f"the MediaPipe tracker needs a model: get face_landmarker.task from MediaPipe's model page and "
            f"name it in the environment variable {MODEL_VARIABLE}"
        )
    return Path(named)
