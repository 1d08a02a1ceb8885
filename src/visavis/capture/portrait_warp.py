"""Warping of a portrait, so that the person makes a given gesture.

Everything is one backward warp: each pixel of the result finds its place in the portrait, first through the
head's motion (a rotated relief with a soft rim), then through brows, cheeks, gaze and chin (smooth bumps),
last through lids and lips, which slide over the face.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from visavis.types import FloatArray, ImageArray

Window = tuple[slice, slice]
# (x...), (y...), from the picture's left to its right.
Contour = tuple[tuple[float, ...], tuple[float, ...]]

# All positions and lengths are in pixels of the 256 px portrait, measured on it by hand. Left and right are
# the person's own; left is on the picture's right.
PORTRAIT_PX = 256
OUTPUT_PX = 480
# Smooth motion is computed on coarser grids; only parts with an edge (lids, lips) at every pixel.
GRID_PX = 160
COARSE_PX = 64

RIGHT_UPPER_LID: Contour = (
    (98.3, 100.2, 102.2, 105.6, 109.1, 112.7, 116.6),
    (100.6, 99.1, 98.2, 97.8, 98.4, 100.1, 103.6),
)
RIGHT_LOWER_LID = ((98.3, 101.3, 103.7, 107.2, 110.6, 116.6), (100.6, 102.9, 103.7, 104.2, 104.0, 103.6))
LEFT_UPPER_LID: Contour = (
    (139.4, 143.6, 147.3, 151.1, 154.4, 156.5, 158.3),
    (104.9, 101.7, 100.3, 100.2, 101.0, 102.2, 103.8),
)
LEFT_LOWER_LID = (
    (139.4, 142.2, 145.3, 148.9, 152.4, 155.0, 158.3),
    (104.9, 105.4, 106.0, 106.5, 106.4, 105.8, 103.8),
)
UPPER_LIP = (
    (106.9, 112.4, 116.1, 120.7, 126.3, 132.0, 136.7, 140.4, 145.9),
    (139.7, 140.7, 141.4, 142.4, 143.2, 142.8, 142.2, 141.7, 141.1),
)
LOWER_LIP = (
    (106.9, 109.9, 112.5, 116.2, 120.6, 126.0, 131.3, 136.0, 139.7, 142.5, 145.9),
    (139.7, 142.9, 145.1, 147.1, 148.4, 149.2, 148.9, 147.7, 146.0, 144.0, 141.1),
)
MOUTH_X, MOUTH_HALF = 126.4, 19.5
LID_SKIN_PX = 7.0  # height of the skin above the lid that a blink unrolls
LIP_TO_CHIN_PX = 24.0
LIP_DROP_PX, CHIN_DROP_PX = 11.0, 10.0  # with the jaw dropped
HEAD_CENTER, HEAD_HALF = (128.0, 95.0), (80.0, 95.0)
FACE_CENTER, FACE_HALF = (126.0, 115.0), (60.0, 82.0)
NECK_PIVOT = (126.0, 185.0)
# The head turns about an axis this far behind the relief's rim.
AXIS_DEPTH_PX, FACE_DEPTH_PX, NOSE_DEPTH_PX = 22.0, 44.0, 12.0

INSIDE_MOUTH = np.asarray([52, 14, 16], np.float32)
TONGUE = np.asarray([150, 74, 72], np.float32)


@dataclass(frozen=True, slots=True)
class PortraitGesture:
    """A gesture of the person. All zero is the original portrait: facing the camera with a broad smile.

    Attributes:
        yaw, pitch, roll: turns of the head in radians; positive as in FaceState.
        x, y: shift of the head in portrait pixels, right and down.
        scale: growth of the head (0.1 is 10% larger).
        blink_left, blink_right: 0 open, 1 shut.
        gaze_x, gaze_y: -1..1, to the picture's right and down.
        relax: 0 is the portrait's smile, 1 is neutral corners of the mouth.
        lips: 0 as pictured, 1 pressed shut.
        jaw: 0 as pictured, 1 dropped.
        brows: 1 raised, -1 lowered and drawn together.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    x: float = 0.0
    y: float = 0.0
    scale: float = 0.0
    blink_left: float = 0.0
    blink_right: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    relax: float = 0.0
    lips: float = 0.0
    jaw: float = 0.0
    brows: float = 0.0


class PortraitWarp:
    """Draws gestures of one portrait.

    Args:
        portrait_rgb: (256, 256, 3) uint8, the portrait that the contours were measured on.
    """

    def __init__(self, portrait_rgb: ImageArray) -> None:
        # Enlarged once with high quality, so that every frame can be sampled fast.
        self._image = cv2.resize(portrait_rgb, (OUTPUT_PX, OUTPUT_PX), interpolation=cv2.INTER_LANCZOS4)
        self._coarse = _grid(COARSE_PX)
        self._mask, self._depth = _relief(*self._coarse)

    def draw(self, gesture: PortraitGesture) -> ImageArray:
        """The picture (480, 480, 3) uint8 RGB."""
        x, y = (
            np.asarray(cv2.resize(field, (OUTPUT_PX, OUTPUT_PX), interpolation=cv2.INTER_LINEAR), np.float32)
            for field in _undo_bumps(*self._undo_head(gesture), gesture)
        )
        _undo_blink(x, y, gesture.blink_right, RIGHT_UPPER_LID, RIGHT_LOWER_LID)
        _undo_blink(x, y, gesture.blink_left, LEFT_UPPER_LID, LEFT_LOWER_LID)
        mouth, share, paint = _undo_lips(x, y, gesture)
        to_pixels = OUTPUT_PX / PORTRAIT_PX
        for field in (x, y):
            field += 0.5
            field *= to_pixels
            field -= 0.5
        picture = cv2.remap(self._image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        picture[mouth] = np.round(picture[mouth] + share * (paint - picture[mouth]))
        return np.asarray(picture, np.uint8)

    def _undo_head(self, gesture: PortraitGesture) -> tuple[FloatArray, FloatArray]:
        """The place of each pixel before the head moved: a fixed point of ``pixel - motion(source)``."""
        start = np.stack(self._coarse)
        motion = _head_motion(start, self._depth, gesture) * self._mask
        source = start
        step = COARSE_PX / PORTRAIT_PX
        for _ in range(4):
            at = [(axis + 0.5) * step - 0.5 for axis in source]
            moved = cv2.remap(
                np.ascontiguousarray(motion.transpose(1, 2, 0)),
                at[0],
                at[1],
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            source = start - moved.transpose(2, 0, 1)
        shift = [
            cv2.resize(field, (GRID_PX, GRID_PX), interpolation=cv2.INTER_CUBIC) for field in source - start
        ]
        x, y = _grid(GRID_PX)
        return x + shift[0], y + shift[1]


def _grid(size: int) -> tuple[FloatArray, FloatArray]:
    """Portrait coordinates (size, size) of the centres of a grid over the picture."""
    axis = ((np.arange(size) + 0.5) * PORTRAIT_PX / size - 0.5).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    return x, y


def _ramp(value: FloatArray) -> FloatArray:
    t = np.clip(value, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def _bump(
    x: FloatArray, y: FloatArray, center: tuple[float, float], width: tuple[float, float]
) -> FloatArray:
    return np.asarray(
        np.exp(-0.5 * (((x - center[0]) / width[0]) ** 2 + ((y - center[1]) / width[1]) ** 2)), np.float32
    )


def _relief(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How much each point takes part in the head's motion (0..1), and how far it stands out (pixels)."""
    outside = np.hypot((x - HEAD_CENTER[0]) / HEAD_HALF[0], (y - HEAD_CENTER[1]) / HEAD_HALF[1])
    mask = 1.0 - _ramp((outside - 0.9) / 0.75)
    rim = ((x - FACE_CENTER[0]) / FACE_HALF[0]) ** 2 + ((y - FACE_CENTER[1]) / FACE_HALF[1]) ** 2
    depth = AXIS_DEPTH_PX + FACE_DEPTH_PX * np.maximum(1.0 - rim, 0.0) ** 1.3
    return mask, np.asarray(depth + NOSE_DEPTH_PX * _bump(x, y, (126.0, 127.0), (9.0, 13.0)), np.float32)


def _head_motion(points: FloatArray, depth: FloatArray, gesture: PortraitGesture) -> FloatArray:
    """Displacement (2, H, W) of each point of the relief."""
    dx, dy = points[0] - NECK_PIVOT[0], points[1] - NECK_PIVOT[1]
    face_y = points[1] - FACE_CENTER[1]
    turned_x = dx * np.cos(gesture.yaw) + depth * np.sin(gesture.yaw)
    turned_y = dy + face_y * (np.cos(gesture.pitch) - 1.0) - depth * np.sin(gesture.pitch)
    c, s = np.cos(gesture.roll), np.sin(gesture.roll)
    grown = 1.0 + gesture.scale
    x = grown * (c * turned_x - s * turned_y) + gesture.x
    y = grown * (s * turned_x + c * turned_y) + gesture.y
    return np.asarray([x - dx, y - dy], np.float32)


def _undo_bumps(x: FloatArray, y: FloatArray, gesture: PortraitGesture) -> tuple[FloatArray, FloatArray]:
    """Brows, corners of the mouth, cheeks, gaze and chin."""
    lift = 3.2 * max(gesture.brows, 0.0) - 2.2 * max(-gesture.brows, 0.0)
    knit = 2.0 * max(-gesture.brows, 0.0)
    # center, width, displacement (right, down)
    bumps = [
        ((104.0, 89.0), (12.0, 5.5), (knit, -lift)),
        ((153.0, 91.0), (12.0, 5.5), (-knit, -lift)),
        ((106.0, 140.0), (9.0, 9.0), (4.5 * gesture.relax, 3.5 * gesture.relax)),
        ((147.0, 141.5), (9.0, 9.0), (-4.5 * gesture.relax, 3.5 * gesture.relax)),
        ((98.0, 126.0), (9.0, 8.0), (0.0, 1.5 * gesture.relax)),
        ((156.0, 128.0), (9.0, 8.0), (0.0, 1.5 * gesture.relax)),
        ((107.0, 101.2), (4.2, 3.0), (2.6 * gesture.gaze_x, 1.4 * gesture.gaze_y)),
        ((149.3, 103.4), (4.2, 3.0), (2.6 * gesture.gaze_x, 1.4 * gesture.gaze_y)),
    ]
    shift_x, shift_y = np.zeros_like(x), np.zeros_like(y)
    for center, width, (right, down) in bumps:
        if right or down:
            weight = _bump(x, y, center, width)
            shift_x += right * weight
            shift_y += down * weight
    if gesture.jaw:
        # From the lip, after it has slid down, to the chin.
        below = _ramp((y - 148.0 - LIP_DROP_PX * gesture.jaw) / 20.0) * (1.0 - _ramp((y - 180.0) / 34.0))
        shift_y += CHIN_DROP_PX * gesture.jaw * below * np.exp(-0.5 * ((x - MOUTH_X) / 27.0) ** 2)
    return x - shift_x, y - shift_y


def _window(x: FloatArray, y: FloatArray, box_xyxy: tuple[float, float, float, float]) -> Window:
    """The rows and columns of the picture that show a box of the portrait (or a little more)."""
    step = 8
    coarse_x, coarse_y = x[::step, ::step], y[::step, ::step]
    margin = step * PORTRAIT_PX / OUTPUT_PX
    shown = (coarse_x > box_xyxy[0] - margin) & (coarse_x < box_xyxy[2] + margin)
    shown &= (coarse_y > box_xyxy[1] - margin) & (coarse_y < box_xyxy[3] + margin)
    rows, columns = (np.flatnonzero(shown.any(axis=axis)) * step for axis in (1, 0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + step), slice(int(columns[0]), int(columns[-1]) + step)


def _contour(x: FloatArray, contour: Contour) -> FloatArray:
    """Height of a contour above each x."""
    return np.interp(x, *contour).astype(np.float32)


def _undo_blink(
    x: FloatArray,
    y: FloatArray,
    closed: float,
    upper: Contour,
    lower: Contour,
) -> None:
    """Slide the upper lid down over the eye, in place: the skin above it unrolls, the lashes lead."""
    if closed <= 0:
        return
    window = _window(x, y, (upper[0][0], 85.0, upper[0][-1], 110.0))
    px, py = x[window], y[window]
    top, bottom = _contour(px, upper), _contour(px, lower)
    edge = top + closed * (bottom + 1.0 - top)
    fixed = top - LID_SKIN_PX
    unrolled = fixed + (py - fixed) * LID_SKIN_PX / (edge - fixed)
    covered = (px > upper[0][0]) & (px < upper[0][-1]) & (py > fixed) & (py < edge)
    y[window] = np.where(covered, unrolled, py)


def _undo_lips(
    x: FloatArray, y: FloatArray, gesture: PortraitGesture
) -> tuple[Window, FloatArray, FloatArray]:
    """Slide the lower lip, in place.

    Returns:
        The window around the mouth, how far each of its pixels lies inside the opened mouth (H, W, 1),
        0..1, and the picture there (H, W, 3).
    """
    window = _window(x, y, (MOUTH_X - MOUTH_HALF, 135.0, MOUTH_X + MOUTH_HALF, 200.0))
    px, py = x[window], y[window].copy()
    lip, covered = _contour(px, LOWER_LIP), _contour(px, UPPER_LIP)
    across = np.maximum(1.0 - ((px - MOUTH_X) / MOUTH_HALF) ** 2, 0.0)
    # Shut lips overlap a little; else teeth would be visible between them.
    slide = LIP_DROP_PX * gesture.jaw * across - gesture.lips * (1.0 - gesture.jaw) * (lip - covered + 1.2)
    slide[across == 0.0] = 0.0
    edge = lip + slide
    below = slide * (1.0 - _ramp((py - edge) / LIP_TO_CHIN_PX))
    opened = (py > lip) & (py < edge)
    y[window] = np.where(py >= edge, py - below, np.where(opened, lip, py))
    share = np.clip((py - lip) / 1.5, 0.0, 1.0) * np.clip((edge - py) / 1.5 + 0.5, 0.0, 1.0) * (slide > 0.3)
    tongue = _ramp(((py - lip) / np.maximum(slide, 1.0) - 0.4) / 0.6) * across
    return window, share[..., None], INSIDE_MOUTH + tongue[..., None] * (TONGUE - INSIDE_MOUTH)
