"""Painted textures of skin and eyes, and colors of teeth, gums and lashes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.types import FloatArray, ImageArray
from visavis_train.face.rendering.head import GUMS, LASH, SCALP, SOCKET, TEETH, TONGUE, Head
from visavis_train.face.rendering.surface import (
    EYE_PX,
    EYE_RADIUS_CM,
    EYE_REACH,
    IRIS_RADIUS_CM,
    TEXTURE_PX,
)

# Some of iBUG's 68 landmarks as numbers of the file's vertices (from the data's notes).
BROWS = ((268, 493, 1914, 2044, 1401), (3615, 4240, 4114, 2734, 2509))
LIPS = (5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841)
# From very light to very dark, red, green, blue.
SKINS = np.array(
    [(240, 205, 185), (228, 182, 155), (205, 155, 122), (175, 120, 88), (130, 85, 60), (85, 55, 42)],
    np.float32,
)
HAIRS = np.array(
    [
        (25, 20, 18),
        (45, 32, 25),
        (75, 52, 36),
        (120, 85, 52),
        (185, 150, 100),
        (140, 70, 40),
        (165, 160, 155),
    ],
    np.float32,
)
IRISES = np.array(
    [
        (60, 38, 22),
        (85, 55, 30),
        (110, 80, 45),
        (95, 105, 70),
        (100, 125, 140),
        (80, 110, 150),
        (120, 130, 135),
    ],
    np.float32,
)


def between(rng: np.random.Generator, colors: FloatArray) -> FloatArray:
    """A colour (3,) between two neighbours of a list (N, 3), with a small random change."""
    place = rng.uniform(0, len(colors) - 1)
    low = int(place)
    mixed = colors[low] + (place - low) * (colors[min(low + 1, len(colors) - 1)] - colors[low])
    return np.asarray((mixed * rng.normal(1, 0.04, 3)).clip(5, 250), np.float32)


def noise(rng: np.random.Generator, side_px: int, cells: tuple[int, int]) -> FloatArray:
    """Smooth noise (side, side) from about -1 to 1 with a given number of cells down and across."""
    small = rng.standard_normal(cells, dtype=np.float32)
    return np.asarray(cv2.resize(small, (side_px, side_px), interpolation=cv2.INTER_LINEAR), np.float32)


def painted_skin(rng: np.random.Generator, head: Head) -> ImageArray:
    """An invented texture of a skin (256, 256, 3)."""
    base = between(rng, SKINS)
    skin = np.empty((TEXTURE_PX, TEXTURE_PX, 3), np.float32)
    skin[:] = base
    for cells, strength in (((5, 5), 0.03), ((40, 40), 0.025), ((128, 128), 0.03)):
        skin *= 1 + strength * noise(rng, TEXTURE_PX, cells)[..., None]
    lips = _soft(_polygon(head, LIPS), 1.2)[..., None]
    red = base * (0.86, 0.60, 0.62) + (12, 2, 6)
    skin += rng.uniform(0.4, 1.0) * lips * (red - skin)
    dark = between(rng, HAIRS) * 0.8 + 0.15 * base
    thickness = int(rng.integers(4, 9))
    for brow in BROWS:
        mask = np.zeros((TEXTURE_PX, TEXTURE_PX), np.uint8)
        line = (_places(head, brow) * 8).astype(np.int32)
        cv2.polylines(mask, [line], False, 255, thickness, cv2.LINE_AA, 3)
        alpha = _soft(mask, 1.0)[..., None] * rng.uniform(0.5, 0.9)
        alpha *= 1 + 0.3 * noise(rng, TEXTURE_PX, (128, 128))[..., None]
        skin += alpha.clip(0, 1) * (dark - skin)
    return skin.clip(0, 255).astype(np.uint8)


def painted_eye(rng: np.random.Generator) -> ImageArray:
    """A texture of an eye's front: (64, 64, 3)."""
    y, x = np.mgrid[:EYE_PX, :EYE_PX].astype(np.float32) - (EYE_PX - 1) / 2
    radius = np.hypot(x, y) / (EYE_PX / 2) * EYE_REACH * EYE_RADIUS_CM
    turn = np.arctan2(y, x)
    white = np.array([232, 226, 220], np.float32) * rng.uniform(0.8, 1.0) * rng.normal(1, 0.015, 3)
    eye = np.empty((EYE_PX, EYE_PX, 3), np.float32)
    eye[:] = white
    rim = ((radius - 0.8) / 0.7).clip(0, 1)[..., None]
    eye *= 1 - rim * (0.08, 0.22, 0.24)
    iris = between(rng, IRISES) * rng.uniform(0.7, 1.2)
    rays = 1 + 0.25 * np.sin(turn * int(rng.integers(9, 25)) + rng.uniform(0, 6)) * rng.random()
    inside = iris * rays[..., None] * (0.75 + 0.5 * (radius / IRIS_RADIUS_CM))[..., None]
    inside *= 1 - 0.6 * np.exp(-(((radius - IRIS_RADIUS_CM) / 0.09) ** 2))[..., None]
    step = 2 * EYE_REACH * EYE_RADIUS_CM / EYE_PX
    eye += ((IRIS_RADIUS_CM - radius) / step + 0.5).clip(0, 1)[..., None] * (inside - eye)
    pupil = rng.uniform(0.16, 0.34)
    eye += ((pupil - radius) / step + 0.5).clip(0, 1)[..., None] * (np.float32(10) - eye)
    return eye.clip(0, 255).astype(np.uint8)


def palette(rng: np.random.Generator, skin: ImageArray, hair: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Colours (8, 3) of the materials that have no texture, and how much each (8,) shines.

    Args:
        rng: source of randomness.
        skin: texture of the skin, whose mean colours the parts under it.
        hair: (3,) colour.
    """
    colors = np.zeros((8, 3), np.float32)
    under = skin[TEXTURE_PX // 3 : TEXTURE_PX // 2, TEXTURE_PX // 3 : 2 * TEXTURE_PX // 3].mean(axis=(0, 1))
    colors[SOCKET] = 0.45 * under + 0.5 * np.array([120, 45, 45])
    colors[GUMS] = np.array([185, 95, 95]) * rng.uniform(0.75, 1.1)
    colors[TEETH] = np.array([238, 228, 205]) * rng.uniform(0.75, 1.05) * (1, 1, rng.uniform(0.85, 1.05))
    colors[LASH] = np.array([22, 17, 15])
    colors[TONGUE] = np.array([205, 105, 108]) * rng.uniform(0.75, 1.15)
    colors[SCALP] = hair
    shine = np.array([14, 10, 25, 35, 70, 0, 20, 5], np.float32) * rng.uniform(0.2, 1.3)
    return colors.clip(0, 255), shine.astype(np.float32)


def _places(head: Head, numbers: tuple[int, ...]) -> FloatArray:
    """Texture pixels (N, 2) of vertices of the file."""
    return np.asarray(head.uv[head.place_of(np.asarray(numbers))] * TEXTURE_PX, np.float32)


def _polygon(head: Head, numbers: tuple[int, ...]) -> NDArray[np.uint8]:
    mask = np.zeros((TEXTURE_PX, TEXTURE_PX), np.uint8)
    cv2.fillPoly(mask, [(_places(head, numbers) * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    return mask


def _soft(mask: NDArray[np.uint8], sigma_px: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma_px).astype(np.float32) / 255, np.float32)
