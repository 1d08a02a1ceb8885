"""Frames in, tracked faces out: MediaPipe's Face Landmarker behind the same protocol (extra ``mediapipe``).

The user brings the model bundle: ``face_landmarker.task`` from MediaPipe's model page, named by the
environment variable ``VISAVIS_FACE_LANDMARKER``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from visavis.channels import BLENDSHAPES
from visavis.errors import InputError, MissingExtraError
from visavis.face.geometry import euler_angles
from visavis.face.region import FaceRegion
from visavis.face.smoothing import OneEuroFilter
from visavis.types import Face, FaceState, FloatArray, Frame

MODEL_VARIABLE = "VISAVIS_FACE_LANDMARKER"
EYE_CORNERS_478 = (33, 263)


class MediaPipeTracker:
    """Follows up to ``max_faces`` faces.

    Args:
        max_faces: how many people to follow.
        model: the bundle; by default the file that ``VISAVIS_FACE_LANDMARKER`` names.
        smooth: pass the face states through the One-Euro filter.

    Raises:
        MissingExtraError: mediapipe is not installed.
        InputError: the bundle is not named, not there, or not one.
    """

    def __init__(self, max_faces: int = 1, model: Path | None = None, *, smooth: bool = True) -> None:
        self._model = model or _model_from_environment()
        if not self._model.is_file():
            raise InputError(f"{self._model}: no such file; expected MediaPipe's face_landmarker.task")
        self.max_faces = max_faces
        self.smooth = smooth
        self._landmarker: Any = None
        self.reset()

    def reset(self) -> None:
        """Forget every face, as before the first frame."""
        self.close()
        try:
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise MissingExtraError("mediapipe", "mediapipe", "the MediaPipe tracker") from error
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(self._model)),
            running_mode=vision.RunningMode.VIDEO,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
            num_faces=self.max_faces,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{self._model}: MediaPipe cannot use it as face_landmarker.task: {reason}"
            ) from error
        self._last_ms = -1
        self._smoothing = [OneEuroFilter.for_face_state() for _ in range(self.max_faces)]

    def close(self) -> None:
        """Free the landmarker."""
        if self._landmarker is not None:
            self._landmarker.close()
            self._landmarker = None

    def update(self, frame: Frame) -> tuple[Face, ...]:
        """Faces in the frame, largest first (MediaPipe gives them no lasting identity: ids are by order)."""
        import mediapipe as mp

        # MediaPipe hangs on a timestamp that does not advance.
        self._last_ms = max(round(frame.time_s * 1000), self._last_ms + 1)
        image = mp.Image(mp.ImageFormat.SRGB, np.ascontiguousarray(frame.image_rgb))
        answer = self._landmarker.detect_for_video(image, self._last_ms)
        height, width = frame.image_rgb.shape[:2]
        faces = [
            self._face(
                number,
                np.asarray([(p.x * width, p.y * height) for p in points], np.float32),
                {w.category_name: w.score for w in weights},
                np.asarray(matrix, np.float32),
                frame.time_s,
            )
            for number, (points, weights, matrix) in enumerate(
                zip(
                    answer.face_landmarks,
                    answer.face_blendshapes,
                    answer.facial_transformation_matrixes,
                    strict=True,
                )
            )
        ]
        return tuple(sorted(faces, key=lambda face: float(face.box_xyxy[0] - face.box_xyxy[2])))

    def _face(
        self, number: int, points: FloatArray, weights: dict[str, float], matrix: FloatArray, time_s: float
    ) -> Face:
        values = np.asarray(
            [
                *(weights.get(name, 0.0) for name in BLENDSHAPES),
                *euler_angles(matrix[:3, :3]),
                *matrix[:3, 3],
            ],
            np.float32,
        )
        if self.smooth:
            values = self._smoothing[number].update(values, time_s)
        region = FaceRegion.from_landmarks(points, EYE_CORNERS_478)
        box = np.concatenate([points.min(axis=0), points.max(axis=0)])
        return Face(number, 1.0, box, points, region.corners(), FaceState(values))


def _model_from_environment() -> Path:
    named = os.environ.get(MODEL_VARIABLE)
    if not named:
        raise InputError(
            f"the MediaPipe tracker needs a model: get face_landmarker.task from MediaPipe's model page and "
            f"name it in the environment variable {MODEL_VARIABLE}"
        )
    return Path(named)
