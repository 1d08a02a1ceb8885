"""A track file as a source of frames: the face moves the avatar again as it did when it was recorded."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from visavis.base.closing import Closing
from visavis.base.files import PathText, as_path
from visavis.capture.tracked import BLANK_PX, TrackedFrame, blank_picture, known_face
from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.track import Track
from visavis.types import Expression, Face, FaceState, FloatArray

TRACK_SUFFIXES = frozenset({".npz", ".csv"})


class TrackFile(Closing):
    """A track file, or a recording of Live Link Face (``.csv``); iterate over it once, inside ``with``.

    Weights outside 0..1 are cut to this range.

    Attributes:
        path: the file.
        fps: nominal frames per second.
        size: width and height of the blank pictures.
        frame_count_hint: number of rows.
        has_expressions: whether any row holds an expression.

    Raises:
        InputError: the file is missing, damaged or no track, or has no rows.
    """

    live = False

    def __init__(self, path: PathText) -> None:
        self.path = as_path(path)
        self.name = str(path)
        self._track = Track.load(self.path)
        if not len(self._track):
            raise InputError(f"{path}: the track has no frames")
        self.fps = self._track.fps
        self.size = (BLANK_PX, BLANK_PX)
        self.frame_count_hint: int | None = len(self._track)
        self.has_expressions = bool(np.isfinite(self._track.expression).all(axis=1).any())

    def __iter__(self) -> Generator[TrackedFrame, None, None]:
        track, picture = self._track, blank_picture()
        numbers, points = track.landmark_numbers, _in_blank_picture(track.landmarks_xy)
        for index, found in enumerate(track.found):
            faces: tuple[Face, ...] = ()
            if found:
                values = track.face[index].copy()
                values[: len(BLENDSHAPES)] = values[: len(BLENDSHAPES)].clip(0, 1)
                expression = track.expression[index]
                shown = None if np.isnan(expression).any() else Expression(expression)
                face = known_face(FaceState(values), shown)
                if len(numbers):
                    face = replace(face, landmarks_xy=points[index], landmark_numbers=numbers)
                faces = (face,)
            yield TrackedFrame(picture, float(track.time_s[index] - track.time_s[0]), index, faces)


def _in_blank_picture(landmarks_xy: FloatArray) -> FloatArray:
    """Landmarks (T, N, 2) of a picture of unknown size, moved and scaled alike into the blank picture."""
    known = landmarks_xy[np.isfinite(landmarks_xy).all(axis=-1)]
    if not len(known):
        return landmarks_xy
    low, high = known.min(axis=0), known.max(axis=0)
    scale = 2 / 3 * BLANK_PX / max(float((high - low).max()), 1.0)
    return np.asarray((landmarks_xy - (low + high) / 2) * scale + BLANK_PX / 2, np.float32)
