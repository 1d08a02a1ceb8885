"""A least-squares fit of the head to the landmarks of a calm face seen from the front.

Regularised least squares finds a scaled orthographic view, identity and a few expressions in turns. The
remaining distance between landmarks and mesh is spread smoothly over the skin, so that eyes, brows and lips
of the picture lie on those of the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from visavis.channels import BLENDSHAPES, FACE_INDEX
from visavis.types import FloatArray
from visavis_train.face.rendering.head import Head
from visavis_train.face.rendering.landmarks import LandmarkTable

IDENTITIES = 60
ROUNDS = 5
IDENTITY_SPREAD, EXPRESSION_SPREAD = 0.8, 0.25
# Expected distance of landmarks, in cm.
NOISE_CM = 0.12
# Range over which a landmark's remaining distance is spread, and its noise.
REACH_CM, DOUBT = 1.3, 0.05
EXPRESSIONS = tuple(
    name for name in BLENDSHAPES if not name.startswith("eyeLook") and name not in ("mouthClose", "tongueOut")
)


@dataclass(frozen=True, slots=True)
class Fit:
    """A head laid over a picture.

    Attributes:
        pixels: (S, 2) x and y of the skin's vertices.
        vertices: (S, 3) the skin's vertices in the view's axes (y up), in cm.
        rotation: (3, 3) from the head's axes to the view's.
        scale: pixels in a cm.
        error: root mean square distance of the landmarks before the last step, in shares of the distance of
            the outer eye corners.
    """

    pixels: FloatArray
    vertices: FloatArray
    rotation: FloatArray
    scale: float
    error: float


@dataclass(frozen=True, slots=True)
class Fitter:
    """The data that all fits share.

    Attributes:
        neutral: (S, 3) vertices of the skin.
        basis: (K, S, 3) identities, then expressions.
        table: the landmarks.
        spread: (K,) standard deviations of the coefficients.
        carry: (S, 136) how much a vertex follows the remaining distance of each landmark.
    """

    neutral: FloatArray
    basis: FloatArray
    table: LandmarkTable
    spread: FloatArray
    carry: FloatArray

    @classmethod
    def of(cls, head: Head, table: LandmarkTable, vertices: int) -> Self:
        """Prepare fits of a given number of a head's first vertices."""
        shapes = head.shapes
        basis = [*head.identity[:IDENTITIES].reshape(IDENTITIES, -1, 3)[:, :vertices]]
        for name in EXPRESSIONS:
            offset = np.zeros_like(head.neutral)
            for shape in np.flatnonzero(shapes.channel == FACE_INDEX[name]):
                rows = slice(int(shapes.starts[shape]), int(shapes.starts[shape + 1]))
                offset[shapes.vertex[rows]] += shapes.offset[rows]
            basis.append(offset[:vertices])
        neutral = head.neutral[:vertices]
        marks = table.on_skin(neutral)
        between = _kernel(marks, marks) + DOUBT * np.eye(len(marks))
        carry = np.linalg.solve(between, _kernel(neutral, marks).T).T
        spread = [IDENTITY_SPREAD] * IDENTITIES + [EXPRESSION_SPREAD] * len(EXPRESSIONS)
        return cls(neutral, np.stack(basis), table, np.asarray(spread, np.float32), carry.astype(np.float32))

    def fit(self, landmarks_xy: FloatArray) -> Fit:
        """Fit landmarks (136, 2) on the skin, in pixels, of a face seen from near the front."""
        goal = landmarks_xy * np.array([1, -1], np.float32)
        mean = self.table.on_skin(self.neutral)
        basis = self.table.on_skin(self.basis)
        coefficients = np.zeros(len(basis), np.float32)
        for _ in range(ROUNDS):
            shape = mean + np.tensordot(coefficients, basis, 1)
            rotation, scale, shift = orthographic(shape, goal)
            flat = scale * rotation[:2]
            columns = (basis @ flat.T).reshape(len(basis), -1).T / (scale * NOISE_CM)
            rest = (goal - shift - mean @ flat.T).reshape(-1) / (scale * NOISE_CM)
            normal = columns.T @ columns + np.diag(1 / np.square(self.spread))
            coefficients = np.linalg.solve(normal, columns.T @ rest).astype(np.float32)
            coefficients[IDENTITIES:] = coefficients[IDENTITIES:].clip(0, 0.6)
        skin = self.neutral + np.tensordot(coefficients, self.basis, 1)
        turned = skin @ rotation.T
        pixels = scale * turned[:, :2] + shift
        remains = goal - self.table.on_skin(np.concatenate([pixels, turned[:, 2:]], axis=1))[:, :2]
        pixels += self.carry @ remains
        corners = np.linalg.norm(landmarks_xy.max(axis=0) - landmarks_xy.min(axis=0)) / 1.9
        error = float(np.sqrt(np.square(remains).sum(axis=1).mean()) / corners)
        flipped = (pixels * (1, -1)).astype(np.float32)
        return Fit(flipped, turned.astype(np.float32), rotation, scale, error)


def orthographic(shape: FloatArray, goal: FloatArray) -> tuple[FloatArray, float, FloatArray]:
    """Rotation (3, 3), scale and shift (2,) that lay points (N, 3) over points (N, 2), y up."""
    center, middle = shape.mean(axis=0), goal.mean(axis=0)
    affine = np.linalg.lstsq(shape - center, goal - middle, rcond=None)[0].T
    u, sizes, v = np.linalg.svd(affine, full_matrices=False)
    two = u @ v
    rotation = np.stack([two[0], two[1], np.cross(two[0], two[1])])
    scale = float(sizes.mean())
    shift = middle - scale * rotation[:2] @ center
    return rotation.astype(np.float32), scale, shift.astype(np.float32)


def _kernel(first: FloatArray, second: FloatArray) -> FloatArray:
    apart = np.square(first[:, None] - second[None]).sum(axis=-1)
    return np.asarray(np.exp(-apart / (2 * REACH_CM**2)), np.float32)
