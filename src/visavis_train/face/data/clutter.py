"""Drawn square pictures without a face, made of the shapes that faces have: circles, bars, blobs."""

from __future__ import annotations

import cv2
import numpy as np

from visavis.types import ImageArray
from visavis_train.face.parts import INPUT_PX

# Largest drawing size relative to the wanted size, so that lines can be thin.
OVERSIZE = 2


def clutter(rng: np.random.Generator) -> ImageArray:
    """Circles, ellipses, blobs, bars, dots over a bar, letters, stripes and noise on a shaded ground."""
    side = INPUT_PX * int(rng.integers(1, OVERSIZE + 1))
    picture = _ground(side, rng)
    for _ in range(int(rng.integers(1, 14))):
        draw = (_ellipse, _ellipse, _bar, _dots_over_bar, _letters, _polygon)[int(rng.integers(6))]
        draw(picture, rng)
    if rng.random() < 0.5:
        blurred = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 0.03 * side)))
        picture = np.asarray(blurred, np.uint8)
    if rng.random() < 0.5:
        noise = rng.normal(0, rng.uniform(2, 25), picture.shape)
        picture = (picture + noise).clip(0, 255).astype(np.uint8)
    small = cv2.resize(picture, (INPUT_PX, INPUT_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _color(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(v) for v in rng.integers(0, 256, 3))


def _ground(side: int, rng: np.random.Generator) -> ImageArray:
    """A gradient, smooth clouds or stripes between two colours."""
    y, x = np.mgrid[:side, :side] / side
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    kind = rng.integers(4)
    if kind == 0:
        share = along - along.min()
    elif kind == 1:
        grain = int(rng.integers(2, 40))
        share = cv2.resize(rng.random((grain, grain)), (side, side), interpolation=cv2.INTER_CUBIC)
    elif kind == 2:
        share = np.sin(along * rng.uniform(5, 120)) / 2 + 0.5
    else:
        share = np.hypot(x - rng.random(), y - rng.random())
    first, second = (np.asarray(_color(rng), np.float64) for _ in range(2))
    return np.asarray((first + (second - first) * share.clip(0, 1)[..., None]).clip(0, 255), np.uint8)


def _ellipse(picture: ImageArray, rng: np.random.Generator) -> None:
    side = len(picture)
    center = tuple(int(v) for v in rng.integers(0, side, 2))
    long = rng.uniform(0.02, 0.5) * side
    axes = (int(long), int(long * rng.uniform(0.4, 1)))
    angle = float(rng.uniform(0, 180))
    filled = rng.random() < 0.6
    width = -1 if filled else int(rng.integers(1, max(2, side // 20)))
    cv2.ellipse(picture, center, axes, angle, 0, 360, _color(rng), width, cv2.LINE_AA)
    if rng.random() < 0.5:  # A rim, as on a cup or a coin.
        inner = (int(axes[0] * 0.8), int(axes[1] * 0.8))
        cv2.ellipse(picture, center, inner, angle, 0, 360, _color(rng), width, cv2.LINE_AA)


def _bar(picture: ImageArray, rng: np.random.Generator) -> None:
    start, end = (tuple(int(v) for v in rng.integers(0, len(picture), 2)) for _ in range(2))
    cv2.line(picture, start, end, _color(rng), int(rng.integers(1, len(picture) // 8)), cv2.LINE_AA)


def _dots_over_bar(picture: ImageArray, rng: np.random.Generator) -> None:
    """Shapes that a weak detector mistakes for two eyes and a mouth."""
    side = len(picture)
    size = rng.uniform(0.03, 0.3) * side
    x, y = rng.uniform(0, side, 2)
    angle = rng.uniform(0, 2 * np.pi)
    right, down = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    middle, color = np.array([x, y]), _color(rng)

    def place(a: float, b: float) -> tuple[int, int]:
        u, v = middle + a * size * right + b * size * down
        return int(u), int(v)

    radius = max(1, int(size * rng.uniform(0.08, 0.35)))
    for across in (-0.5, 0.5):
        cv2.circle(picture, place(across, -0.4), radius, color, -1, cv2.LINE_AA)
    cv2.line(picture, place(-0.4, 0.5), place(0.4, 0.5), color, max(1, radius // 2), cv2.LINE_AA)


def _letters(picture: ImageArray, rng: np.random.Generator) -> None:
    text = "".join(chr(int(c)) for c in rng.integers(33, 127, int(rng.integers(1, 12))))
    place = tuple(int(v) for v in rng.integers(0, len(picture), 2))
    size = float(rng.uniform(0.3, 4))
    cv2.putText(picture, text, place, int(rng.integers(0, 8)), size, _color(rng), int(rng.integers(1, 6)))


def _polygon(picture: ImageArray, rng: np.random.Generator) -> None:
    corners = rng.integers(0, len(picture), (int(rng.integers(3, 7)), 2)).astype(np.int32)
    cv2.fillPoly(picture, [corners], _color(rng), cv2.LINE_AA)
