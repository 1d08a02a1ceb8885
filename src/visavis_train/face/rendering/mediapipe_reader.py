"""MediaPipe's landmarks, weights and rotation for one picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from visavis.errors import InputError, MissingExtraError
from visavis.types import FloatArray, ImageArray


@dataclass(frozen=True, slots=True)
class MediaPipeAnswer:
    """MediaPipe's answer for a face.

    Attributes:
        landmarks: (478, 3) in pixels.
        blendshapes: (52,) in the order of :data:`~visavis.channels.BLENDSHAPES`; tongueOut is 0.
        matrix: (4, 4) from its canonical face to the camera.
    """

    landmarks: FloatArray
    blendshapes: FloatArray
    matrix: FloatArray


class MediaPipeReader:
    """Face Landmarker in image mode.

    Args:
        model: ``face_landmarker.task``.

    Raises:
        InputError: the file is missing.
        MissingExtraError: MediaPipe is not installed.
    """

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise InputError(f"{model}: no such file; expected MediaPipe's face_landmarker.task")
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise MissingExtraError("mediapipe", "mediapipe", "reading landmarks of pictures") from error
        self._mp = mediapipe
        self._landmarker = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(model)),
                output_face_blendshapes=True,
                output_facial_transformation_matrixes=True,
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._landmarker.close()

    def read(self, image_rgb: ImageArray) -> MediaPipeAnswer | None:
        """The face of a picture (H, W, 3), or None without a face."""
        height, width = image_rgb.shape[:2]
        picture = self._mp.Image(self._mp.ImageFormat.SRGB, np.ascontiguousarray(image_rgb))
        found = self._landmarker.detect(picture)
        if not found.face_landmarks:
            return None
        xyz = [(p.x * width, p.y * height, p.z * width) for p in found.face_landmarks[0]]
        # MediaPipe puts its own `_neutral` first and lacks tongueOut, which is last.
        scores = [c.score for c in found.face_blendshapes[0]]
        return MediaPipeAnswer(
            np.asarray(xyz, np.float32),
            np.asarray([*scores[1:], 0.0], np.float32),
            np.asarray(found.facial_transformation_matrixes[0], np.float32),
        )
