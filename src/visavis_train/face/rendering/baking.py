"""Skin textures baked from photographs: seen parts are copied, hidden parts are painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.types import FloatArray, ImageArray
from visavis_train.face.rendering import raster
from visavis_train.face.rendering.fitting import Fit
from visavis_train.face.rendering.head import Head
from visavis_train.face.rendering.surface import TEXTURE_PX

# Outside these limits the picture shows hair, ears and background, not skin: cm above, below and behind.
HIGHEST_CM, LOWEST_CM, BACK_CM = 8.6, -8.8, 2.5
FILL_SIGMAS = (2, 4, 8, 16)


@dataclass(frozen=True, slots=True)
class Baker:
    """The place of each texel on the mesh.

    Attributes:
        corner: (256, 256, 3) vertices.
        weight: (256, 256, 3) of them.
        trust: (256, 256) from 0 to 1: trust in a picture at this place.
        triangles: (T, 3) of the skin.
        cheek: (256, 256) bool, where the skin's plain colour is read.
    """

    corner: NDArray[np.int64]
    weight: FloatArray
    trust: FloatArray
    triangles: NDArray[np.int32]
    cheek: NDArray[np.bool_]

    @classmethod
    def of(cls, head: Head, vertices: int) -> Self:
        """Prepare for a head; a given number of its first vertices is skin."""
        triangles = head.triangles[(head.triangles < vertices).all(axis=1)]
        skin = head.neutral[:vertices]
        away = -np.hypot(skin[:, 0], skin[:, 2])
        flat = np.column_stack([head.uv[:vertices] * TEXTURE_PX - 0.5, away]).astype(np.float32)
        depth = np.full((TEXTURE_PX, TEXTURE_PX), np.inf, np.float32)
        nearest = np.full((TEXTURE_PX, TEXTURE_PX), -1, np.int32)
        where = np.zeros((TEXTURE_PX, TEXTURE_PX, 2), np.float32)
        raster.cover(flat, triangles, 0, len(triangles), False, depth, nearest, where)
        corner = triangles[np.maximum(nearest, 0)].astype(np.int64)
        weight = np.concatenate([1 - where.sum(axis=2, keepdims=True), where], axis=2)
        point = (skin[corner] * weight[..., None]).sum(axis=2)
        trust = (nearest >= 0).astype(np.float32)
        trust *= ((HIGHEST_CM - point[..., 1]) / 1.5).clip(0, 1) * ((point[..., 1] - LOWEST_CM) / 1.0).clip(
            0, 1
        )
        trust *= ((point[..., 2] - BACK_CM) / 1.5).clip(0, 1)
        lids = head.lids[:vertices].astype(np.float32)
        trust *= 1 - cv2.GaussianBlur((lids[corner] * weight).sum(axis=2), (0, 0), 0.7)
        apart = np.abs(point - (0, 0.5, 0))
        cheek = (nearest >= 0) & (apart[..., 0] > 3) & (apart[..., 0] < 5.5) & (apart[..., 1] < 2)
        return cls(corner, weight.astype(np.float32), trust.astype(np.float32), triangles, cheek)

    def bake(self, image: ImageArray, fit: Fit, edge: float) -> ImageArray:
        """The texture (256, 256, 3).

        Args:
            image: (H, W, 3) square, over which the head is laid.
            fit: the fit of the head to the picture.
            edge: width of the picture's useless edges, in shares of its side.
        """
        place = (fit.pixels[self.corner] * self.weight[..., None]).sum(axis=2).astype(np.float32)
        texture = cv2.remap(image, place[..., 0], place[..., 1], cv2.INTER_LINEAR).astype(np.float32)
        side = len(image)
        inside = np.minimum(place, side - place).min(axis=2) / side - edge
        normal = raster.normals(fit.vertices, self.triangles)[:, 2]
        facing = (normal[self.corner] * self.weight).sum(axis=2)
        sure = self.trust * ((facing - 0.15) / 0.3).clip(0, 1) * (inside / 0.03).clip(0, 1)
        base = np.median(texture[self.cheek], axis=0)
        own, other = sure[..., None], ((1 - sure) * sure[:, ::-1])[..., None]
        known = (own + other).clip(0, 1)
        mixed = (own * texture + other * texture[:, ::-1]) / (own + other + 1e-6)
        return filled(mixed, known, base).clip(0, 255).astype(np.uint8)


def filled(texture: FloatArray, known: FloatArray, base: FloatArray) -> FloatArray:
    """Fill unknown texels from their neighbours, and with one colour far from known ones.

    Args:
        texture: (H, W, 3).
        known: (H, W, 1) from 0 to 1.
        base: (3,) the colour.
    """
    out = np.empty_like(texture)
    out[:] = base
    for sigma in reversed(FILL_SIGMAS):
        amount = cv2.GaussianBlur(known, (0, 0), sigma)[..., None]
        mean = cv2.GaussianBlur(texture * known, (0, 0), sigma) / (amount + 1e-6)
        out += (amount / 0.25).clip(0, 1) * (mean - out)
    return np.asarray(out + known * (texture - out), np.float32)
