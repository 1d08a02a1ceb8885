"""Glasses on the head's nose."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.types import FloatArray
from visavis_train.face.rendering.camera import Crop
from visavis_train.face.rendering.drawing import Canvas

POINTS = 28
# The frame is drawn up to this distance behind the surface.
SLACK_CM = 0.5


@dataclass(frozen=True, slots=True)
class Glasses:
    """A pair of glasses.

    Attributes:
        half_cm: (2,) half the width and height of a lens.
        square: exponent of its outline: 2 for an ellipse, more for rounded corners.
        color: (3,) of the frame.
        thickness: of the frame in pixels.
        tint: (3,) colour of the lenses.
        dark: how much the lenses hide, from 0 to 1.
        gleam: strength of a reflection, from 0 to 1.
    """

    half_cm: FloatArray
    square: float
    color: FloatArray
    thickness: int
    tint: FloatArray
    dark: float
    gleam: float


def sample_glasses(rng: np.random.Generator) -> Glasses:
    """Random glasses; one pair in eight is dark."""
    dark = rng.uniform(0.6, 0.98) if rng.random() < 0.12 else rng.uniform(0, 0.2)
    color = rng.uniform(5, 60) * np.ones(3) if rng.random() < 0.6 else rng.uniform(10, 220, 3)
    return Glasses(
        np.array([rng.uniform(2.0, 2.9), rng.uniform(1.4, 2.4)], np.float32),
        float(rng.uniform(2, 4.5)),
        color.astype(np.float32),
        int(rng.integers(1, 6)),
        rng.uniform(5, 90, 3).astype(np.float32),
        float(dark),
        float(rng.uniform(0.1, 0.7)) if rng.random() < 0.3 else 0.0,
    )


def draw_glasses(canvas: Canvas, glasses: Glasses, eyes: FloatArray, crop: Crop) -> None:
    """Draw glasses on a canvas, in place.

    Args:
        canvas: the picture with the head.
        glasses: the glasses.
        eyes: (2, 3) centres of the left and the right eyeball, in cm.
        crop: the view of the head.
    """
    side = len(canvas.image)
    front = eyes[:, 2].mean() + 2.7
    lines: list[FloatArray] = []
    for eye in eyes:
        rim = crop.pixels(_rim(glasses, eye, front), side)
        flat = _fixed(rim)
        _lens(canvas, glasses, flat, rim)
        lines.append(np.concatenate([rim, rim[:1]]))
    middle = eyes.mean(axis=0)
    bridge = np.array([(x, middle[1] + 0.4 - 0.3 * abs(x), front + 0.2) for x in (-1.0, 0.0, 1.0)])
    lines.append(crop.pixels(bridge.astype(np.float32), side))
    for eye, out in zip(eyes, (1, -1), strict=True):
        edge = eye[0] + out * glasses.half_cm[0]
        arm = np.linspace((edge, eye[1] + 0.5, front - 0.2), (out * 8.0, eye[1] + 0.3, 0.5), 14)
        lines.append(crop.pixels(arm.astype(np.float32), side))
    for line in lines:
        _stroke(canvas, line, glasses)


def _rim(glasses: Glasses, eye: FloatArray, front: float) -> FloatArray:
    turn = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    c, s, power = np.cos(turn), np.sin(turn), 2 / glasses.square
    x = eye[0] * 1.03 + glasses.half_cm[0] * np.sign(c) * np.abs(c) ** power
    y = eye[1] - 0.25 + glasses.half_cm[1] * np.sign(s) * np.abs(s) ** power
    # Frames curve around the face.
    z = front - 0.035 * np.square(x)
    return np.stack([x, y, z + 0.4], axis=1).astype(np.float32)


def _lens(canvas: Canvas, glasses: Glasses, flat: NDArray[np.int32], rim: FloatArray) -> None:
    left, top = np.maximum(rim[:, :2].min(axis=0).astype(int) - 1, 0).tolist()
    right, low = np.maximum(rim[:, :2].max(axis=0).astype(int) + 2, 0).tolist()
    depth, image = canvas.depth_cm[top:low, left:right], canvas.image[top:low, left:right]
    if not depth.size:
        return
    mask = np.zeros(depth.shape, np.uint8)
    cv2.fillPoly(mask, [flat - 8 * np.array([left, top], np.int32)], 255, cv2.LINE_AA, 3)
    # The nose may be in front of the far lens.
    seen = (mask > 0) & (depth > float(rim[:, 2].mean()) - 1.0)
    image[seen] += glasses.dark * (glasses.tint - image[seen])
    if glasses.gleam > 0:
        streak = np.zeros_like(mask)
        middle, wide = rim[:, :2].mean(axis=0) - (left, top), np.ptp(rim[:, 0])
        ends = [(int(middle[0] + k * wide), int(middle[1] - 0.8 * k * wide)) for k in (-0.4, 0.4)]
        cv2.line(streak, ends[0], ends[1], 255, max(int(wide / 6), 1))
        shining = seen & (streak > 0)
        image[shining] += glasses.gleam * (235 - image[shining])


def _stroke(canvas: Canvas, line: FloatArray, glasses: Glasses) -> None:
    """Draw the pieces of a line that the head does not hide."""
    height, width = canvas.depth_cm.shape
    column = line[:, 0].round().astype(int).clip(0, width - 1)
    row = line[:, 1].round().astype(int).clip(0, height - 1)
    free = line[:, 2] < canvas.depth_cm[row, column] + SLACK_CM
    fixed = _fixed(line)
    for a in range(len(line) - 1):
        if free[a] and free[a + 1]:
            start, end = fixed[a].tolist(), fixed[a + 1].tolist()
            color = glasses.color.tolist()
            cv2.line(canvas.image, start, end, color, glasses.thickness, cv2.LINE_AA, 3)


def _fixed(points: FloatArray) -> NDArray[np.int32]:
    """Pixels in eighths, as OpenCV draws them."""
    return np.asarray((points[:, :2] * 8).round(), np.int32)
