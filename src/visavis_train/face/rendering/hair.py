"""Random hair: a change of the skin's texture and of the head's shape."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from visavis.types import FloatArray, ImageArray
from visavis_train.face.rendering import paint, raster
from visavis_train.face.rendering.head import FACE_VERTICES, PARTS, Head
from visavis_train.face.rendering.surface import HIGHEST_CM, LOWEST_CM, TEXTURE_PX

# Degrees from the front, and the lower end of the hair there, in cm: short, long, and with a fringe.
TURNS = (0, 25, 45, 62, 78, 95, 120, 180)
SHORT = (9.7, 9.6, 8.6, 6.2, 4.8, 5.0, -2.0, -5.0)
LONG = (9.7, 9.4, 7.6, 2.0, -7.0, -12.0, -12.0, -12.0)
FRINGE = (5.6, 5.4, 5.6, 4.0, 2.0, 2.0, -4.0, -6.0)

# Clothes begin below this row of the texture.
HIGHEST_NECK_PX = 225


@dataclass(frozen=True, slots=True)
class Hair:
    """Hair of one head.

    Attributes:
        color: (3,) from 0 to 255.
        cover: (256, 256) share of the skin's texture that it hides; None for a bald head.
        thickness_cm: its thickness.
        long: whether it hangs down next to the neck.
        cloth: (3,) colour of the clothes.
    """

    color: FloatArray
    cover: FloatArray | None
    thickness_cm: float
    long: bool
    cloth: FloatArray


def sample_hair(rng: np.random.Generator) -> Hair:
    """Sometimes a bald head, otherwise short or long hair, with or without a fringe, or a cap."""
    color = paint.between(rng, paint.HAIRS)
    cloth = rng.uniform(15, 235, 3).astype(np.float32)
    cloth += np.float32(rng.uniform(0.2, 1.0)) * (cloth.mean() - cloth)
    kind = rng.random()
    if kind < 0.08:
        return Hair(color, None, 0.0, False, cloth)
    if kind < 0.13:
        # A cap or a headscarf is hair of another colour.
        color = rng.uniform(20, 230, 3).astype(np.float32)
    long = bool(rng.random() < 0.4)
    line = np.asarray(LONG if long else SHORT, np.float32)
    if rng.random() < 0.25:
        line = np.minimum(line, np.asarray(FRINGE, np.float32))
    # Up to the temples, the two sides differ a little.
    sides = [
        (line + rng.normal(0, 0.5) + rng.normal(0, 0.35, len(line))).astype(np.float32) for _ in range(2)
    ]
    return Hair(color, _cover(rng, sides), float(rng.uniform(0.2, 1.6)), long, cloth)


def _cover(rng: np.random.Generator, sides: list[FloatArray]) -> FloatArray:
    place = (np.arange(TEXTURE_PX) + 0.5) / TEXTURE_PX * 2 - 1
    # The inverse of the texture's layout.
    turn = 180 * (1 - np.sqrt(1 - np.abs(place)))
    line = np.where(place < 0, np.interp(turn, TURNS, sides[0]), np.interp(turn, TURNS, sides[1]))
    line = line + np.interp(place, np.linspace(-1, 1, 90), rng.normal(0, rng.uniform(0.1, 0.6), 90))
    height = _heights()
    soft = rng.uniform(0.15, 0.7)
    return np.asarray(((height[:, None] - line) / soft + 0.5).clip(0, 1), np.float32)


def comb(rng: np.random.Generator, hair: Hair, skin: ImageArray) -> ImageArray:
    """The skin's texture with hair over it."""
    if hair.cover is None:
        return skin
    strands = paint.noise(rng, TEXTURE_PX, (10, 200)) + paint.noise(rng, TEXTURE_PX, (6, 60))
    covered = hair.cover.any(axis=1)
    strands, bare = strands[covered], skin[covered]
    look = hair.color * (1 + np.float32(0.28) * strands)[..., None] + 10 * np.abs(strands)[..., None]
    out = skin.copy()
    out[covered] = (bare + hair.cover[covered][..., None] * (look - bare)).clip(0, 255)
    return out


def dress(rng: np.random.Generator, skin: ImageArray, cloth: FloatArray) -> ImageArray:
    """The skin's texture with clothes of a colour (3,) below the neck."""
    place = np.abs((np.arange(TEXTURE_PX) + 0.5) / TEXTURE_PX * 2 - 1)
    neck = rng.uniform(-11.6, -10.4) - rng.uniform(0, 1.5) * (1 - 3 * place).clip(0, 1)
    height = _heights()[HIGHEST_NECK_PX:]
    worn = ((np.maximum(neck, LOWEST_CM + 0.15) - height[:, None]) / 0.1 + 0.5).clip(0, 1)[..., None]
    weave = 1 + 0.1 * paint.noise(rng, TEXTURE_PX, (64, 64))[HIGHEST_NECK_PX:, :, None]
    out = skin.copy()
    bare = skin[HIGHEST_NECK_PX:]
    out[HIGHEST_NECK_PX:] = (bare + worn * (cloth * weave - bare)).clip(0, 255)
    return out


def _heights() -> FloatArray:
    """Height of each row of the texture (256,), in cm."""
    share = (np.arange(TEXTURE_PX, dtype=np.float32) + 0.5) / TEXTURE_PX
    return np.asarray(HIGHEST_CM - share * (HIGHEST_CM - LOWEST_CM), np.float32)


def shoulders(crooked_cm: float) -> FloatArray:
    """Outline (N, 3) of a body below the head, in cm, with one shoulder higher than the other."""
    half = [(0, -10.5), (6, -12), (10, -13.5), (19, -17), (23, -22), (25, -60)]
    right = [(-x, y - crooked_cm * x / 20) for x, y in reversed(half)]
    return np.asarray([(x, y, -4.0) for x, y in [*right, *half]], np.float32)


def outward(head: Head) -> FloatArray:
    """Normals (V, 3) of the head at rest, the directions of the hair."""
    return raster.normals(head.neutral, head.triangles)


def grow(rng: np.random.Generator, head: Head, normal: FloatArray, hair: Hair, vertices: FloatArray) -> None:
    """Move the vertices (V, 3) under hair outward, in place."""
    if hair.cover is None:
        return
    end = int(np.searchsorted(head.numbers, PARTS[0][1]))
    place = (head.uv[:end] * TEXTURE_PX - 0.5)[None]
    x, y = place[..., 0], place[..., 1]
    under = cv2.remap(hair.cover, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    waves = cv2.remap(paint.noise(rng, TEXTURE_PX, (16, 24)), x, y, cv2.INTER_LINEAR)[0]
    up = 0.6 + 0.4 * ((vertices[:end, 1] - 2) / 8).clip(0, 1)
    far = under * hair.thickness_cm * up * (1 + 0.25 * waves)
    vertices[:end] += far[:, None] * normal[:end]


def behind(head: Head, rest: FloatArray) -> FloatArray:
    """Outline (N, 3) of long hair behind the head, in cm."""
    wide = float(np.abs(rest[: int(np.searchsorted(head.numbers, FACE_VERTICES)), 0]).max())
    top = float(rest[:, 1].max())
    turn = np.linspace(0, np.pi, 12)
    arch = np.stack([wide * np.cos(turn), top - 6 + 6.3 * np.sin(turn), np.full(12, -3.0)], axis=1)
    ends = np.array([(-wide - 1.5, -15, -3.5), (wide + 1.5, -15, -3.5)])
    return np.asarray(np.concatenate([arch, ends]), np.float32)
