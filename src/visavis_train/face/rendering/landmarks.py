"""MediaPipe's 146 landmarks on the bent head, in cm.

The committed table ``landmarks_146.csv`` gives the place of each landmark on the skin: three vertices of the
mesh, by the file's numbers, and their weights. ``correspond.py`` makes the table. It does not contain the ten
points of the irises, because they follow from the eyeballs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from visavis.base.reading import regular
from visavis.base.words import reason
from visavis.errors import InputError
from visavis.face.mesh import LANDMARKS_146
from visavis.types import FloatArray
from visavis_train.face.rendering.bending import Bent
from visavis_train.face.rendering.head import Head
from visavis_train.face.rendering.surface import EYE_RADIUS_CM, IRIS_RADIUS_CM

TABLE = Path(__file__).with_name("landmarks_146.csv")
SKIN_POINTS = tuple(number for number in LANDMARKS_146 if number < 468)
# Each iris: its middle, then four points on its rim; x to the person's left, y up, in radii of the iris.
RIMS = np.array([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)], np.float32)


@dataclass(frozen=True, slots=True)
class LandmarkTable:
    """The places of the 136 landmarks on the skin.

    Attributes:
        corner: (136, 3) places of vertices in the head.
        weight: (136, 3) of them; each row's sum is 1.
    """

    corner: NDArray[np.int64]
    weight: FloatArray

    @classmethod
    def load(cls, head: Head, path: Path = TABLE) -> Self:
        """Read the table.

        Raises:
            InputError: the table is missing, or does not fit these landmarks and this head.
        """
        try:
            rows = np.loadtxt(regular(path), delimiter=",", skiprows=1, ndmin=2)
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: no readable table of landmarks: {reason(error)}") from error
        if rows.shape[1] != 7 or tuple(rows[:, 0].astype(int)) != SKIN_POINTS:
            raise InputError(f"{path}: expected {len(SKIN_POINTS)} landmarks of three vertices and weights")
        return cls(head.place_of(rows[:, 1:4].astype(np.int64)), rows[:, 4:].astype(np.float32))

    def on_skin(self, vertices: FloatArray) -> FloatArray:
        """Points (..., 136, 3) of vertices (..., V, 3)."""
        corners = vertices[..., self.corner, :]
        return np.asarray((corners * self.weight[..., None]).sum(axis=-2), np.float32)

    def points(self, bent: Bent) -> FloatArray:
        """All landmarks (146, 3) in the order of ``LANDMARKS_146``, in cm."""
        right = iris(bent.eye_centers[1], bent.eye_turns[1])
        left = iris(bent.eye_centers[0], bent.eye_turns[0])
        return np.concatenate([self.on_skin(bent.vertices), right, left])


def iris(center: FloatArray, turned: FloatArray) -> FloatArray:
    """Middle and rim (5, 3) of an iris, in cm.

    Args:
        center: (3,) of the eyeball.
        turned: (3, 3) its rotation.
    """
    flat = RIMS * np.float32(IRIS_RADIUS_CM)
    deep = np.sqrt(EYE_RADIUS_CM**2 - np.square(flat).sum(axis=1, keepdims=True))
    return np.asarray(np.concatenate([flat, deep], axis=1) @ turned.T + center, np.float32)
