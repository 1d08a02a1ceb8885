"""One picture of the real face, the avatar and the expression next to each other."""

from __future__ import annotations

import cv2
import numpy as np

from visavis.capture.tracked import TrackedFrame
from visavis.channels import BLENDSHAPES, EXPRESSIONS
from visavis.pipeline import Moment
from visavis.types import Expression, Face, FaceState, FloatArray, ImageArray

Color = tuple[int, int, int]

BACKGROUND: Color = (22, 23, 30)
TRACK: Color = (44, 46, 58)
TEXT: Color = (206, 208, 220)
FAINT: Color = (128, 131, 148)
LANDMARK: Color = (150, 255, 214)
COLORS: dict[str, Color] = {
    "neutral": (154, 160, 178),
    "happy": (255, 200, 87),
    "sad": (96, 148, 232),
    "surprise": (86, 204, 202),
    "fear": (166, 124, 232),
    "disgust": (132, 196, 96),
    "anger": (240, 98, 88),
    "contempt": (214, 128, 176),
    "valence": (126, 214, 150),
    "arousal": (246, 150, 96),
}
# Bounds of the avatar's side and the picture's height, which else equal the source's height.
MIN_HEIGHT_PX = 360
MAX_HEIGHT_PX = 720
# Bounds of the width divided by the height of the real face's panel; beyond them, the video gets margins.
MIN_ASPECT, MAX_ASPECT = 0.5, 16 / 9
FONT = cv2.FONT_HERSHEY_SIMPLEX
# Additional binary digits of positions within a pixel, for smooth edges.
SUBPIXEL_BITS = 4


class Composer:
    """Draws the pictures of one video.

    Args:
        source_size: width and height of the source in pixels.
        expressions: include the expression bars.
    """

    def __init__(self, source_size: tuple[int, int], expressions: bool = True) -> None:
        width, height = source_size
        self.height_px = even(min(max(height, MIN_HEIGHT_PX), MAX_HEIGHT_PX))
        aspect = min(max(width / height, MIN_ASPECT), MAX_ASPECT)
        self._face_width = even(self.height_px * aspect)
        self._panel = Bars(self.height_px) if expressions else None
        self._weights: Weights | None = None
        panel_width = self._panel.width_px if self._panel else 0
        self.size = (self._face_width + self.height_px + panel_width, self.height_px)
        self._canvas = np.full((self.size[1], self.size[0], 3), BACKGROUND, np.uint8)

    @property
    def avatar_px(self) -> int:
        """Side of the avatar's picture that :meth:`compose` expects."""
        return self.height_px

    def compose(self, moment: Moment, avatar_rgb: ImageArray) -> ImageArray:
        """One picture.

        Args:
            moment: the frame with its results.
            avatar_rgb: (avatar_px, avatar_px, 3) uint8.

        Returns:
            (H, W, 3) uint8 of ``size``; the next call draws over the same array.
        """
        split = self._face_width
        self._draw_face(self._canvas[:, :split], moment)
        self._canvas[:, split : split + self.height_px] = avatar_rgb
        if self._panel is not None:
            face = moment.face
            shown = (None, None) if face is None else (face.expression, face.label)
            self._panel.draw(self._canvas[:, split + self.height_px :], *shown)
        return self._canvas

    def _draw_face(self, panel: ImageArray, moment: Moment) -> None:
        if isinstance(moment.frame, TrackedFrame):  # A phone or a track file has no picture.
            self._weights = self._weights or Weights(panel.shape[1], panel.shape[0])
            self._weights.draw(panel, None if moment.face is None else moment.face.state)
            return
        image = moment.frame.image_rgb
        view = fit_picture(panel, image)
        stretch = np.asarray([view.shape[1] / image.shape[1], view.shape[0] / image.shape[0]], np.float32)
        for face in moment.faces:
            draw_landmarks(view, face, stretch)


class Bars:
    """The panel of eight expressions, valence and arousal.

    Args:
        height_px: height of the panel.
    """

    def __init__(self, height_px: int) -> None:
        unit = height_px / 480
        self.width_px = even(216 * unit)
        self._scale = 0.42 * unit
        self._bar_h = max(round(9 * unit), 4)
        self._left = round(20 * unit)
        self._right = self.width_px - self._left
        step = height_px * 0.074
        names = (*EXPRESSIONS, "valence", "arousal")
        starts = [
            height_px * 0.11 + step * i + (step * 0.7 if i >= len(EXPRESSIONS) else 0) for i in range(10)
        ]
        self._rows = {name: round(start) for name, start in zip(names, starts, strict=True)}
        self._empty = self._draw_empty(height_px)

    def draw(self, panel: ImageArray, expression: Expression | None, label: str | None) -> None:
        """Fill the panel (H, ``width_px``, 3), with ``label`` bright; all stays pale without one."""
        panel[:] = self._empty
        if expression is None:
            return
        for name, value in zip(EXPRESSIONS, expression.probabilities, strict=True):
            self._bar(panel, name, 0.0, float(value))
            if name == label:
                self._label(panel, name, TEXT)
        for name, value in (("valence", expression.valence), ("arousal", expression.arousal)):
            self._bar(panel, name, 0.5, 0.5 + 0.5 * value)

    def _bar(self, panel: ImageArray, name: str, start: float, end: float) -> None:
        """Fill a bar between two shares of its length."""
        low, high = sorted((min(max(start, 0.0), 1.0), min(max(end, 0.0), 1.0)))
        length = self._right - self._left
        x0, x1 = self._left + length * low, self._left + length * high
        if x1 - x0 >= 1:
            self._pill(panel, x0, x1, self._rows[name], COLORS[name])

    def _pill(self, panel: ImageArray, x0: float, x1: float, top: int, color: Color) -> None:
        """A horizontal bar with round ends, below the label whose line starts at ``top``."""
        radius = min(self._bar_h / 2, (x1 - x0) / 2)
        half = np.linspace(-np.pi / 2, np.pi / 2, 9)
        x = np.concatenate([x1 - radius + radius * np.cos(half), x0 + radius - radius * np.cos(half)])
        y = top + 1.6 * self._bar_h + radius * np.concatenate([np.sin(half), -np.sin(half)])
        outline = np.rint(np.stack([x, y], axis=1) * 2**SUBPIXEL_BITS).astype(np.int32)
        cv2.fillConvexPoly(panel, outline, color, cv2.LINE_AA, SUBPIXEL_BITS)

    def _label(self, panel: ImageArray, name: str, color: Color) -> None:
        place = (self._left, self._rows[name] + round(self._bar_h * 0.4))
        cv2.putText(panel, name, place, FONT, self._scale, color, 1, cv2.LINE_AA)

    def _draw_empty(self, height_px: int) -> ImageArray:
        panel = np.full((height_px, self.width_px, 3), BACKGROUND, np.uint8)
        title = (self._left, round(height_px * 0.062))
        cv2.putText(panel, "expression shown", title, FONT, self._scale * 1.05, TEXT, 1, cv2.LINE_AA)
        for name, top in self._rows.items():
            self._label(panel, name, FAINT)
            self._pill(panel, self._left, self._right, top, TRACK)
            if name not in EXPRESSIONS:  # The position of zero.
                middle, bar = self.width_px // 2, self._bar_h
                cv2.line(panel, (middle, top + bar), (middle, round(top + 2.2 * bar)), FAINT)
        return panel


class Weights:
    """A face state as 52 bars and the head's angles, in place of a picture.

    Args:
        width_px: width of the panel.
        height_px: height of the panel.
    """

    ROWS = len(BLENDSHAPES) // 2

    def __init__(self, width_px: int, height_px: int) -> None:
        self._size = (width_px, height_px)
        self._scale = 0.34 * min(width_px, height_px) / 480
        self._step = height_px / (self.ROWS + 2)
        self._empty = np.full((height_px, width_px, 3), BACKGROUND, np.uint8)
        for index, name in enumerate(BLENDSHAPES):
            self._text(self._empty, name, index)
            self._bar(self._empty, index, 1.0, TRACK)

    def draw(self, panel: ImageArray, state: FaceState | None) -> None:
        """Fill the panel (H, W, 3); without a face, all bars are empty."""
        panel[:] = self._empty
        if state is None:
            return
        for index in np.flatnonzero(state.weights >= 0.01).tolist():
            self._bar(panel, index, float(state.weights[index]), LANDMARK)
        yaw, pitch, roll = np.degrees(state.head_rad)
        self._text(panel, f"yaw {yaw:z.0f}, pitch {pitch:z.0f}, roll {roll:z.0f} deg", self.ROWS - 1, below=1)

    def _corner(self, index: int) -> tuple[float, float]:
        column, row = divmod(index, self.ROWS)
        return (0.03 + 0.49 * column) * self._size[0], (row + 0.5) * self._step

    def _text(self, panel: ImageArray, text: str, index: int, below: int = 0) -> None:
        left, top = self._corner(index)
        place = (round(left), round(top + (below + 0.7) * self._step))
        cv2.putText(panel, text, place, FONT, self._scale, TEXT if below else FAINT, 1, cv2.LINE_AA)

    def _bar(self, panel: ImageArray, index: int, share: float, color: Color) -> None:
        left, top = self._corner(index)
        start, length = left + 0.27 * self._size[0], 0.18 * self._size[0]
        begin = round(start), round(top + 0.35 * self._step)
        end = round(start + share * length), round(top + 0.7 * self._step)
        cv2.rectangle(panel, begin, end, color, -1)


def fit_picture(panel: ImageArray, image: ImageArray) -> ImageArray:
    """Draw a picture into the middle of a panel, as large as it fits; margins have the background's colour.

    Args:
        panel: (H, W, 3) uint8, drawn over.
        image: (h, w, 3) uint8 RGB.

    Returns:
        The part of the panel that the picture takes.
    """
    height, width = panel.shape[:2]
    scale = min(width / image.shape[1], height / image.shape[0])
    inner_w = min(max(round(image.shape[1] * scale), 1), width)
    inner_h = min(max(round(image.shape[0] * scale), 1), height)
    if abs(inner_w - width) <= 2 and abs(inner_h - height) <= 2:  # A rounding difference is not a margin.
        inner_w, inner_h = width, height
    else:
        panel[:] = BACKGROUND
    x, y = (width - inner_w) // 2, (height - inner_h) // 2
    view = panel[y : y + inner_h, x : x + inner_w]
    if (inner_h, inner_w) == image.shape[:2]:
        view[:] = image
    else:
        # Averaging areas is slow, and only necessary if a picture shrinks a lot.
        how = cv2.INTER_AREA if inner_w < 0.6 * image.shape[1] else cv2.INTER_LINEAR
        view[:] = cv2.resize(image, (inner_w, inner_h), interpolation=how)
    return view


def draw_landmarks(image: ImageArray, face: Face, stretch: FloatArray) -> None:
    """Draw a face's landmarks into a picture, in place.

    Args:
        image: (H, W, 3) uint8.
        face: the face, in the pixels of its own frame.
        stretch: (2,) scale from these pixels to the picture's pixels.
    """
    points = (face.landmarks_xy + 0.5) * stretch - 0.5
    size_px = float(np.linalg.norm((face.corners_xy[1] - face.corners_xy[0]) * stretch))
    # About 0.3% of the face's square, and thin enough that many points do not cover the face.
    radius = round(max(size_px * 0.003, 0.7) * 2**SUBPIXEL_BITS)
    limit = 4 * max(image.shape)
    near = points[(np.abs(points) < limit).all(axis=1)]
    for x, y in np.rint(near * 2**SUBPIXEL_BITS).astype(int).tolist():
        cv2.circle(image, (x, y), radius, LANDMARK, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def even(length: float) -> int:
    """The nearest even number, at least 2: H.264 halves its colour planes."""
    return max(2 * round(length / 2), 2)
