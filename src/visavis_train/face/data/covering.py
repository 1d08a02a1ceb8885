"""Covered faces: crops with masks, sunglasses, hands, things or borders, and what stays visible."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from visavis.face.mesh import LANDMARKS_146
from visavis.types import FloatArray, ImageArray
from visavis_train.face.data.faces import CropAugmentation, FacePack, recolor, view, warp
from visavis_train.face.parts import INPUT_PX
from visavis_train.face.rendering import paint
from visavis_train.face.rendering.surroundings import occluder

Mask = NDArray[np.uint8]


def _rows(numbers: str) -> list[int]:
    return [LANDMARKS_146.index(int(number)) for number in numbers.split()]


# Landmarks of the parts: the eye on the image's left with its brow, the other eye, and the mouth.
EYES = (
    _rows("33 7 163 144 145 153 154 155 133 246 161 160 159 158 157 173"),
    _rows("263 249 390 373 374 380 381 382 362 466 388 387 386 385 384 398"),
)
PARTS = (
    EYES[0] + _rows("70 63 105 66 107"),
    EYES[1] + _rows("300 293 334 296 336"),
    _rows("61 291 0 17 13 14 37 267 84 314 78 308 39 269 181 405 91 321 146 375 40 270 185 409"),
)
OVAL = _rows(
    "10 338 297 332 284 251 389 356 454 323 361 288 397 365 379 378 152 149 150 136 172 58 132 93 234"
)
CORNERS = ((33, 133), (263, 362))
NOSE, BRIDGE = _rows("5 168")
# A part counts as visible up to the first covered share, and as hidden from the second on.
VISIBLE, HIDDEN = 0.25, 0.6
# The face is visible above the first factor of its light, and hidden below the second; and the same for the
# standard deviation of a blur in pixels of the input.
BRIGHT, DARK = 0.06, 0.02
SHARP_PX, BLURRED_PX = 5.0, 10.0


def cover(rng: np.random.Generator, crop: ImageArray, points: FloatArray) -> tuple[ImageArray, FloatArray]:
    """A face as it is (40% of all, some with clear glasses), or covered, or too dark or blurred.

    Args:
        rng: source of randomness.
        crop: (S, S, 3) uint8.
        points: (146, 2) landmarks in pixels.

    Returns:
        The picture, and (3,) how far each of :data:`PARTS` stays visible, 0..1.
    """
    image = crop.astype(np.float32)
    hidden: Mask = np.zeros(image.shape[:2], np.uint8)
    light = 1.0
    kind = rng.choice(
        ["bare", "clear glasses", "mask", "sunglasses", "thing", "border", "dark", "blur"],
        p=[0.32, 0.08, 0.13, 0.13, 0.2, 0.06, 0.05, 0.03],
    )
    if kind == "clear glasses":
        _glasses(rng, image, points, opaque=0.0)
    elif kind == "mask":
        hidden = _mask(rng, image, points)
    elif kind == "sunglasses":
        hidden = _glasses(rng, image, points, opaque=float(rng.uniform(0.86, 1)))
    elif kind == "thing":
        skin = crop[tuple(points[NOSE].astype(int).clip(0, len(crop) - 1)[::-1])].astype(np.float32)
        hidden = occluder(rng, image, skin, np.asarray(points[OVAL], np.float32))
    elif kind == "border":
        hidden[: int(len(hidden) * rng.uniform(0.2, 0.6))] = 255
        hidden = np.ascontiguousarray(np.rot90(hidden, int(rng.integers(4))))
        image[hidden > 0] = rng.choice([0, 0, rng.uniform(0, 255)])
    elif kind == "dark":
        factor = np.exp(rng.uniform(np.log(0.01), np.log(0.35)))
        light = float(np.log(factor / DARK) / np.log(BRIGHT / DARK))
        image = np.round(image * factor) + rng.normal(0, rng.uniform(0, 4), image.shape)
    elif kind == "blur":
        sigma_px = rng.uniform(1, 14)
        light = float((BLURRED_PX - sigma_px) / (BLURRED_PX - SHARP_PX))
        image[:] = cv2.GaussianBlur(image, (0, 0), sigma_px * len(image) / INPUT_PX)
    shares = np.asarray([_covered(hidden, points[part]) for part in PARTS], np.float32)
    seen = ((HIDDEN - shares) / (HIDDEN - VISIBLE)).clip(0, 1) * np.clip(light, 0, 1)
    return image.clip(0, 255).astype(np.uint8), np.asarray(seen, np.float32)


def _covered(hidden: Mask, points: FloatArray) -> float:
    """The hidden share of the area that a part's points surround."""
    area = np.zeros_like(hidden)
    cv2.fillConvexPoly(area, cv2.convexHull(points.astype(np.int32)), 255)
    area[:] = cv2.dilate(area, np.ones((5, 5), np.uint8))
    return float((hidden[area > 0] > 127).mean()) if area.any() else 0.0


def _mask(rng: np.random.Generator, image: FloatArray, points: FloatArray) -> Mask:
    """Lay a medical mask over mouth and nose, in place; returns its mask."""
    hidden = np.zeros(image.shape[:2], np.uint8)
    top = points[NOSE] + rng.uniform(0, 0.6) * (points[BRIDGE] - points[NOSE])
    low = points[OVAL][points[OVAL][:, 1] > top[1]]
    if len(low) < 3:
        return hidden
    middle = low.mean(axis=0)
    outline = np.vstack([middle + rng.uniform(1.0, 1.12) * (low - middle), top[None]])
    cv2.fillConvexPoly(hidden, cv2.convexHull(outline.astype(np.int32)), 255, cv2.LINE_AA)
    tones = np.asarray([[235, 238, 240], [140, 185, 215], rng.uniform(0, 255, 3)])
    y, x = np.mgrid[: len(image), : len(image)].astype(np.float32)
    shade = 1 + 0.1 * paint.noise(rng, len(image), (4, 4)) + 0.04 * paint.noise(rng, len(image), (60, 60))
    if rng.random() < 0.5:  # Folds.
        shade += 0.04 * np.sign(np.sin(y / len(image) * rng.uniform(60, 160)))
    shade *= 1 - 0.35 * (np.abs(x - middle[0]) / (np.ptp(low[:, 0]) / 2 + 1)).clip(0, 1) ** 2
    _lay(image, hidden, tones[rng.integers(3)] * rng.uniform(0.5, 1.05) * shade[..., None])
    return hidden


def _glasses(rng: np.random.Generator, image: FloatArray, points: FloatArray, opaque: float) -> Mask:
    """Lay glasses over the eyes, in place; returns the mask of the lenses, empty if they are clear."""
    lenses, frame = np.zeros((2, *image.shape[:2]), np.uint8)
    left, right = (points[eye].mean(axis=0) for eye in EYES)
    across = right - left
    turn = float(np.degrees(np.arctan2(across[1], across[0])))
    wide = float(np.linalg.norm(points[_rows("33")[0]] - points[_rows("263")[0]]))
    half = wide * rng.uniform(0.25, 0.35)
    high = half * rng.uniform(0.65, 1.0)
    is_round = rng.random() < 0.35
    thick = int(rng.integers(1, 5))
    for middle, corners in zip((left, right), CORNERS, strict=True):
        # The far eye of a turned head has a narrower lens.
        outer, inner = (points[LANDMARKS_146.index(number)] for number in corners)
        size = (2 * half * float(np.clip(np.linalg.norm(outer - inner) / (0.31 * wide), 0.4, 1.1)), 2 * high)
        box = ((float(middle[0]), float(middle[1] + 0.1 * high)), size, turn)
        if is_round:
            cv2.ellipse(lenses, box, 255, -1, cv2.LINE_AA)
            cv2.ellipse(frame, box, 255, thick, cv2.LINE_AA)
        else:
            corners_px = cv2.boxPoints(box).astype(np.int32)
            cv2.fillConvexPoly(lenses, corners_px, 255, cv2.LINE_AA)
            cv2.polylines(frame, [corners_px], True, 255, thick, cv2.LINE_AA)
    for start, end in ((0.35, 0.65), (-0.2, -0.75), (1.2, 1.75)):
        a, b = ((left + share * across).astype(int).tolist() for share in (start, end))
        cv2.line(frame, a, b, 255, thick, cv2.LINE_AA)
    if opaque:
        tone = rng.uniform(0, 60 if rng.random() < 0.7 else 180, 3)
        gloss = rng.uniform(0, 35) * paint.noise(rng, len(image), (3, 3)).clip(0)
        ramp = 1 + 0.6 * (np.linspace(0, 1, len(image)) - 0.4)
        _lay(image, (opaque * lenses).astype(np.uint8), tone * ramp[:, None, None] + gloss[..., None])
    _lay(image, frame, np.broadcast_to(rng.uniform(0, 110, 3), image.shape))
    return lenses if opaque else np.zeros_like(lenses)


def _lay(image: FloatArray, mask: Mask, body: NDArray[np.floating]) -> None:
    alpha = cv2.GaussianBlur(mask, (0, 0), 0.7).astype(np.float32)[..., None] / 255
    image += alpha * (body.clip(0, 255).astype(np.float32) - image)


@dataclass(frozen=True)
class CoveredFaces(Dataset[tuple[Tensor, Tensor]]):
    """Views of faces that are covered at random: pictures (160, 160, 3) uint8, and what stays visible (3,).

    Args:
        pack: the faces.
        rows: indices of the used faces, one for each view.
        seed: with the same seed, each view is the same.
    """

    pack: FacePack
    rows: NDArray[np.int64]
    seed: int

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, place])
        row = int(self.rows[place])
        framing = CropAugmentation(roll_rad=0.08, scale=0.06, shift=0.025, wild=0, lost=0)
        matrix, _ = view(framing, rng)
        image = warp(self.pack.crop(row), matrix, repeat_edge=bool(rng.random() < 0.8))
        if rng.random() < 0.5:
            image = recolor(image, rng)
        points = self.pack.landmarks[row, :, :2] @ matrix[:, :2].T + matrix[:, 2]
        covered, seen = cover(rng, image, (points + 0.5) * INPUT_PX)
        return torch.from_numpy(covered), torch.from_numpy(seen)
