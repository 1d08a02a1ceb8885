"""The neutral head's texture coordinates, and how much ambient light reaches each vertex.

The texture unrolls the head around a vertical axis: its columns are angles, twice as fine in front as behind,
and its rows are heights. The eye's texture is its front, seen along the optical axis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.types import BoolArray, FloatArray

TEXTURE_PX = 256
EYE_PX = 64
LOWEST_CM, HIGHEST_CM = -12.0, 14.6
EYE_RADIUS_CM = 1.56
IRIS_RADIUS_CM = 0.60
# The eye's texture reaches this far from the axis, in shares of the eyeball's radius.
EYE_REACH = 1.05


def layout(
    neutral: FloatArray, tri: NDArray[np.int64], eye: BoolArray, eyes: tuple[tuple[int, int], tuple[int, int]]
) -> tuple[FloatArray, BoolArray]:
    """Places in the textures (V, 2), and whether triangles (T,) cross the seam at the back.

    Args:
        neutral: (V, 3) in cm.
        tri: (T, 3).
        eye: (V,) vertices of eyeballs.
        eyes: first vertex, and one past the last, of each eyeball.
    """
    uv = head_uv(neutral)
    for first, end in eyes:
        local = neutral[first:end] - eye_center(neutral[first:end])
        uv[first:end, 0] = 0.5 + local[:, 0] / (2 * EYE_REACH * EYE_RADIUS_CM)
        uv[first:end, 1] = 0.5 - local[:, 1] / (2 * EYE_REACH * EYE_RADIUS_CM)
        behind = local[:, 2] < 0
        uv[first:end][behind] = (0.0, 0.0)
    across = uv[tri, 0]
    seam = (np.ptp(across, axis=1) > 0.5) & ~eye[tri].any(axis=1)
    return uv.clip(0, 1), seam


def head_uv(points: FloatArray) -> FloatArray:
    """Places (N, 2) in the skin's texture of points (N, 3) on the neutral head, in cm."""
    turn = np.arctan2(points[:, 0], points[:, 2] + 1.0) / np.pi
    u = 0.5 + 0.5 * np.sign(turn) * np.abs(turn) * (2 - np.abs(turn))
    v = (HIGHEST_CM - points[:, 1]) / (HIGHEST_CM - LOWEST_CM)
    return np.stack([u, v.clip(0, 1)], axis=1).astype(np.float32)


def eye_center(vertices: FloatArray) -> FloatArray:
    """Centre (3,) of an eyeball's vertices (N, 3): the middle of their box; its front bulges a little."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    center = (low + high) / 2
    center[2] = low[2] + (high[0] - low[0] + high[1] - low[1]) / 4 + 0.06
    return np.asarray(center, np.float32)


def from_root(neutral: FloatArray, lash: BoolArray, skin: BoolArray) -> FloatArray:
    """Distance of the lashes' vertices (L,) from the lids, from 0 to 1 at the tips.

    Args:
        neutral: (V, 3) in cm.
        lash: (V,) vertices of lashes.
        skin: (V,) vertices of the skin.
    """
    near = neutral[skin]
    near = near[(np.abs(near[:, 1] - 3.6) < 2.5) & (near[:, 2] > 6)]
    far = np.asarray([np.square(near - point).sum(axis=1).min() for point in neutral[lash]])
    return np.asarray((np.sqrt(far) / 0.6).clip(0, 1), np.float32)


def openness(neutral: FloatArray, kind: NDArray[np.uint8], skin: int, eye: int, lash: int) -> FloatArray:
    """How much light reaches each vertex (V,), from 0 in the throat to 1."""
    light = np.ones(len(neutral), np.float32)
    inside = (kind != skin) & (kind != eye) & (kind != lash)
    mouth = inside & (neutral[:, 1] < 1.0)
    light[mouth] = 0.08 + 0.92 * ((neutral[mouth, 2] - 6.5) / 4.0).clip(0, 1) ** 1.3
    light[inside & ~mouth] = 0.75
    return light
