"""Random backgrounds, objects in front of the face, and camera faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.base.reading import files_with_endings
from visavis.capture.image import IMAGE_SUFFIXES, read_image
from visavis.errors import InputError
from visavis.types import FloatArray, ImageArray
from visavis_train.face.rendering import paint

Rng = np.random.Generator
PHOTOGRAPH_PX = 448


def read_photographs(folder: Path) -> list[ImageArray]:
    """Pictures of a folder for backgrounds, in the order of their names, made small.

    Raises:
        InputError: there are no pictures, or one cannot be read.
    """
    paths = files_with_endings(folder, IMAGE_SUFFIXES)
    if not paths:
        raise InputError(f"{folder}: no pictures there")
    return [_small(read_image(path)) for path in paths]


def _small(image: ImageArray) -> ImageArray:
    scale = PHOTOGRAPH_PX / min(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def background(rng: Rng, side_px: int, pictures: list[ImageArray]) -> FloatArray:
    """A background (side, side, 3) from 0 to 255.

    Args:
        rng: source of randomness.
        side_px: its side.
        pictures: any size, RGB; a piece of one is enlarged. Without pictures: only colours and noise.
    """
    if pictures and rng.random() < 0.75:
        picture = pictures[int(rng.integers(len(pictures)))]
        size = int(min(picture.shape[:2]) * rng.uniform(0.3, 1.0))
        y = int(rng.integers(picture.shape[0] - size + 1))
        x = int(rng.integers(picture.shape[1] - size + 1))
        piece = picture[y : y + size, x : x + size]
        if rng.random() < 0.5:
            piece = np.ascontiguousarray(piece[:, ::-1])
        return _sized(piece.astype(np.float32) * np.float32(rng.uniform(0.5, 1.1)), side_px)
    corners = rng.uniform(0, 255, (2, 2, 3)).astype(np.float32)
    corners += rng.uniform(0.3, 1.0) * (corners.mean(axis=(0, 1)) - corners)
    ground = _sized(corners, side_px)
    ground += rng.uniform(0, 40) * paint.noise(rng, side_px, (int(rng.integers(2, 60)),) * 2)[..., None]
    for _ in range(int(rng.integers(0, 5))):
        a, b = rng.integers(-50, side_px + 50, (2, 2)).tolist()
        cv2.rectangle(ground, a, b, rng.uniform(0, 255, 3).tolist(), -1)
    return np.asarray(ground, np.float32)


def occluder(rng: Rng, image: FloatArray, skin: FloatArray, face_px: FloatArray) -> NDArray[np.uint8]:
    """Lay a hand, a bar, a phone or a cup over a face, in place; returns its mask (H, W).

    Args:
        rng: source of randomness.
        image: (H, W, 3) from 0 to 255, written.
        skin: (3,) colour of the person's skin.
        face_px: (N, 2) outline of the face.
    """
    mask = np.zeros(image.shape[:2], np.uint8)
    low, high = face_px.min(axis=0), face_px.max(axis=0)
    size = float((high - low).max())
    spot = rng.uniform(low, high)
    if rng.random() < 0.5:
        spot[1] = low[1] + size * rng.uniform(0.55, 1.1)
    kind = rng.random()
    if kind < 0.5:
        _hand(rng, mask, spot, size)
        tone = skin * rng.uniform(0.75, 1.1)
    elif kind < 0.7:
        away = rng.uniform(0, 2 * np.pi)
        step = np.array([np.cos(away), np.sin(away)]) * 3 * size
        cv2.line(
            mask, _at(spot - step), _at(spot + step), 255, int(size * rng.uniform(0.04, 0.2)), cv2.LINE_AA
        )
        tone = rng.uniform(0, 255, 3)
    else:
        half = size * np.array([rng.uniform(0.15, 0.4), rng.uniform(0.2, 0.5)])
        box = cv2.boxPoints((spot.tolist(), (2 * half).tolist(), float(rng.uniform(-30, 30))))
        cv2.fillPoly(mask, [box.astype(np.int32)], 255, cv2.LINE_AA)
        tone = rng.uniform(0, 255, 3)
    shade = 1 + 0.12 * paint.noise(rng, len(mask), (5, 5)) + 0.05 * paint.noise(rng, len(mask), (50, 50))
    edge = cv2.GaussianBlur(mask, (0, 0), size * 0.03).astype(np.float32) / 255
    body = (tone * (0.55 + 0.5 * edge[..., None]) * shade[..., None]).clip(0, 255)
    alpha = cv2.GaussianBlur(mask, (0, 0), 0.6).astype(np.float32)[..., None] / 255
    image += alpha * (body.astype(np.float32) - image)
    return mask


def _hand(rng: Rng, mask: NDArray[np.uint8], spot: FloatArray, size: float) -> None:
    """Fingers that point one way, with a palm at their roots."""
    angle = rng.uniform(-np.pi, 0)
    ahead = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-ahead[1], ahead[0]])
    thick = size * rng.uniform(0.07, 0.12)
    palm = spot - ahead * size * 0.25
    for finger in range(int(rng.integers(1, 5))):
        root = palm + across * thick * 1.15 * (finger - 1.5)
        lean = ahead + across * rng.normal(0, 0.12) + across * 0.08 * (finger - 1.5)
        tip = root + lean * size * rng.uniform(0.3, 0.5)
        cv2.line(mask, _at(root), _at(tip), 255, max(int(thick), 1), cv2.LINE_AA)
    axes = (max(int(2.4 * thick), 1), max(int(2.6 * thick), 1))
    cv2.ellipse(mask, _at(palm - ahead * thick), axes, float(np.degrees(angle)), 0, 360, 255, -1, cv2.LINE_AA)
    wrist = palm - ahead * size * 1.5
    cv2.line(mask, _at(palm), _at(wrist), 255, max(int(3.6 * thick), 1), cv2.LINE_AA)


def photographed(rng: Rng, image: FloatArray) -> ImageArray:
    """Add a camera's faults to a picture (H, W, 3) from 0 to 255: blur, colours, noise, JPEG."""
    side = len(image)
    if rng.random() < 0.35:
        small = int(side * rng.uniform(0.3, 0.9))
        image = _sized(_sized(image, small, cv2.INTER_AREA), side, cv2.INTER_CUBIC)
    elif rng.random() < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2)), np.float32)
    if rng.random() < 0.08:
        length = int(rng.integers(3, 9))
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, _at(rng.integers(0, length, 2)), (length // 2, length // 2), 1.0)
        image = np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.float32)
    tint = rng.normal(1, 0.05, 3) * np.exp(rng.normal(0, 0.18))
    lift = rng.uniform(-8, 12)
    out = (image * tint.astype(np.float32) + np.float32(lift)).clip(0, 255).astype(np.uint8)
    table = 255 * (np.arange(256) / 255) ** np.exp(rng.normal(0, 0.18))
    out = np.asarray(cv2.LUT(out, table.astype(np.uint8)), np.uint8)
    if rng.random() < 0.1:
        gray = cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)
        out = np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), np.uint8)
    if rng.random() < 0.6:
        grain = np.empty(out.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(grain, np.zeros(3), np.full(3, rng.uniform(1, 9)))
        out = np.asarray(cv2.add(out, grain, dtype=cv2.CV_8U), np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 96))]
        out = np.asarray(cv2.imdecode(cv2.imencode(".jpg", out, quality)[1], cv2.IMREAD_COLOR), np.uint8)
    return out


def _sized(image: FloatArray, side_px: int, how: int = cv2.INTER_LINEAR) -> FloatArray:
    return np.asarray(cv2.resize(image, (side_px, side_px), interpolation=how), np.float32)


def _at(point: NDArray[Any]) -> tuple[int, int]:
    return int(point[0]), int(point[1])
