"""Features of drawn listeners, for FRRea: Mira shows every 30th frame, the user's network reads it.

REACT's own FRRea uses photographic renderings and Inception v3. The pictures differ here, so the figures
cannot be compared with published ones: only with each other, and only of the same network.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from visavis.avatar.puppet import Puppet
from visavis.avatar.puppet_sheet import PAPER_RGB
from visavis.base import networks
from visavis.drawing.codebook import pose_of
from visavis.errors import WeightsError
from visavis.types import FloatArray

# As the challenges' own evaluation.
EVERY_FRAMES = 30
# Side of Inception's pictures, for networks that take any size; and the side of the drawing.
ANY_SIDE_PX, DRAWN_PX = 299, 256


class AvatarFeatures:
    """Draws faces and reads the pictures' features, one picture at a time.

    Args:
        file: an ONNX file. Its input is (1, 3, H, W), RGB from 0 to 1: scaling to another range belongs into
            the file. Its first output is (1, F), or (1, F, 1, 1).

    Raises:
        InputError: the file cannot be read.
        WeightsError: it is no such network.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._session = networks.open_file(file)
        given = self._session.get_inputs()
        shape = given[0].shape if len(given) == 1 else []
        sides = [side if isinstance(side, int) else ANY_SIDE_PX for side in shape[2:]]
        batch = [
            size if isinstance(size, int) else fixed for size, fixed in zip(shape[:2], (1, 3), strict=False)
        ]
        if len(sides) != 2 or batch != [1, 3] or given[0].type != "tensor(float)":
            found = ", ".join(f"{one.name} {one.shape}" for one in given)
            raise WeightsError(f"{file}: found {found}; a network of features takes floats (1, 3, H, W)")
        self._name, self._height_px, self._width_px = given[0].name, *sides
        self._puppet = Puppet.load()
        self._width = len(self._features(np.zeros((DRAWN_PX, DRAWN_PX, 3), np.uint8)))

    def of(self, faces: FloatArray, neutral: FloatArray) -> FloatArray:
        """Features (A, F) of every 30th frame of faces (T, 58); frames without a face are left out.

        Args:
            faces: the faces of one clip.
            neutral: (58,) the face that is the avatar's neutral one.
        """
        rows = [face for face in faces[::EVERY_FRAMES] if np.isfinite(face).all()]
        drawn = [self._drawn(face, neutral) for face in rows]
        return np.asarray(drawn, np.float32).reshape(len(rows), self._width)

    def _drawn(self, face: FloatArray, neutral: FloatArray) -> FloatArray:
        self._puppet.reset()
        return self._features(self._puppet.draw(pose_of(neutral, face), DRAWN_PX, PAPER_RGB))

    def _features(self, picture: np.ndarray) -> FloatArray:
        scaled = cv2.resize(picture, (self._width_px, self._height_px), interpolation=cv2.INTER_AREA)
        planes = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32) / 255
        try:
            found = np.asarray(self._session.run(None, {self._name: planes})[0], np.float32)
        except networks.LOAD_ERRORS as error:
            said = networks.ORIGIN.sub("", str(error)).strip()
            raise WeightsError(f"{self._file}: cannot read a picture {planes.shape}: {said}") from error
        if found.shape[:1] != (1,) or found.ndim not in (2, 4) or found.shape[2:] not in ((), (1, 1)):
            raise WeightsError(
                f"{self._file}: its output is {found.shape}; a network of features gives (1, F)"
            )
        if not np.isfinite(found).all():
            raise WeightsError(f"{self._file}: its features hold NaN or infinities; take another network")
        return found.reshape(-1)
