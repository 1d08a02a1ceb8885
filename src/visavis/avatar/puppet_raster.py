"""A posed drawing in, pixels out: areas, gradients, clips and ink with OpenCV on the processor."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.avatar.puppet_pen import Pen
from visavis.avatar.rig import Floats, Layer, Paint, Posed, Rig
from visavis.types import ImageArray

FINER = 2  # Areas are filled on a grid this many times finer, then averaged.
SHIFT = 4  # Bits after the point in the coordinates that OpenCV fills.
SWELL = 0.65  # OpenCV's smooth polygons reach this many grid steps too far on every side (measured).
FAINT = 0.002  # Layers of less opacity are not drawn.
RAMP = 256  # Pixels along a gradient's texture.

Mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Stencil:
    """Coverage 0..255 of one area: a mask (h, w) whose top left pixel stands at (x, y) of the picture."""

    x: int
    y: int
    mask: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """All polygons of one pose in the fixed-point numbers that OpenCV fills.

    Attributes:
        areas: (segments, samples, 2) int32 on the finer grid.
        ink: (N, 2) int32 on the finer grid, see :meth:`Pen.ribbons`.
        boxes: (layers, 4) x0, y0, x1, y1 in pixels, cut at the picture's edge.
    """

    areas: NDArray[np.int32]
    ink: NDArray[np.int32]
    boxes: list[list[int]]


class Raster:
    """Draws one rig at one size.

    Args:
        rig: the drawing.
        size_px: side of the picture.
    """

    def __init__(self, rig: Rig, size_px: int) -> None:
        self.rig = rig
        self.size_px = size_px
        self.scale = size_px / rig.size
        self._pen = Pen(rig)
        self._outlines = np.array([(layer.start, layer.outline_stop) for layer in rig.layers]).ravel()
        self._outlines = np.minimum(self._outlines, len(rig.points) - 1)  # reduceat takes no end
        self._margin = np.array([layer.line.width / 2 if layer.line else 0.0 for layer in rig.layers])
        self._batches = ink_batches(rig.layers)
        self._bounds = frozenset(layer.clip for layer in rig.layers if layer.clip is not None)
        self._textures = [texture(layer.fill) if layer.fill else None for layer in rig.layers]

    def paint(self, posed: Posed, image: ImageArray, *, backdrop: bool) -> None:
        """Draw the scene's layers, or the character's, over an image (size_px, size_px, 3) RGB."""
        sheet = self._sheet(posed)
        stencils: dict[int, Stencil | None] = {}
        for index, *others in self._batches:
            layer = self.rig.layers[index]
            opacity = posed.opacities[index]
            visible = opacity > FAINT
            if layer.backdrop != backdrop or not (visible or index in self._bounds):
                continue
            bounded = layer.clip is not None
            bound = stencils[layer.clip] if layer.clip is not None else None
            if layer.fill is not None:
                stencil = stencils[index] = self._area(sheet, index)
                if visible and (part := clipped(stencil, bound) if bounded else stencil):
                    self._fill(image, part, layer, index, posed)
            if layer.line is not None and visible:
                inked = self._ink(sheet, [index, *others])
                if part := clipped(inked, bound) if bounded else inked:
                    red, green, blue, alpha = layer.line.color.tolist()
                    blend(image, part, (int(red), int(green), int(blue)), alpha * opacity)

    def _sheet(self, posed: Posed) -> Sheet:
        traced = self._pen.trace(posed.points)
        fine = self.scale * FINER
        inset = traced.normal[:, :-1] * self._pen.outward * (SWELL / fine)
        # A curve lies within the box of its control points.
        low = np.minimum.reduceat(posed.points, self._outlines)[::2] - self._margin[:, None]
        high = np.maximum.reduceat(posed.points, self._outlines)[::2] + self._margin[:, None]
        boxes = np.concatenate([np.floor(low * self.scale) - 1, np.ceil(high * self.scale) + 1], axis=1)
        return Sheet(
            fixed_point((traced.curve[:, :-1] - inset) * fine),
            fixed_point(self._pen.ribbons(traced, SWELL / fine) * fine),
            np.clip(boxes, 0, self.size_px).astype(int).tolist(),
        )

    def _area(self, sheet: Sheet, index: int) -> Stencil | None:
        first, last = self._pen.spans[index]
        return self._stencil([sheet.areas[first:last].reshape(-1, 2)], sheet.boxes[index])

    def _stencil(self, polygons: list[NDArray[np.int32]], box: list[int]) -> Stencil | None:
        """Coverage of the union of polygons on the finer grid; None when outside the picture."""
        x0, y0, x1, y1 = box
        if x1 <= x0 or y1 <= y0:
            return None
        fine = np.zeros(((y1 - y0) * FINER, (x1 - x0) * FINER), np.uint8)
        origin = np.array([x0, y0], np.int32) * (FINER << SHIFT)
        for polygon in polygons:
            cv2.fillPoly(fine, [polygon - origin], 255, cv2.LINE_AA, SHIFT)
        mask = cv2.resize(fine, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        return Stencil(x0, y0, np.asarray(mask, np.uint8))

    def _fill(self, image: ImageArray, stencil: Stencil, layer: Layer, index: int, posed: Posed) -> None:
        colors = self._textures[index]
        if layer.fill is None or colors is None:
            return
        opacity = posed.opacities[index]
        if layer.fill.kind == "solid":
            red, green, blue, alpha = colors[0, 0].tolist()
            blend(image, stencil, (red, green, blue), opacity * alpha / 255)
            return
        anchors = posed.points[layer.outline_stop : layer.stop] * self.scale
        spread = place_gradient(stencil, anchors, colors)
        if colors.shape[2] == 4:
            red_plane, green_plane, blue_plane, alpha_plane = cv2.split(spread)
            mask = cv2.multiply(stencil.mask, alpha_plane, scale=1 / 255)
            stencil = Stencil(stencil.x, stencil.y, np.asarray(mask, np.uint8))
            spread = np.asarray(cv2.merge((red_plane, green_plane, blue_plane)), np.uint8)
        blend(image, stencil, spread, opacity)

    def _ink(self, sheet: Sheet, batch: list[int]) -> Stencil | None:
        strokes = [sheet.ink[stroke] for index in batch for stroke in self._pen.strokes[index]]
        boxes = [sheet.boxes[index] for index in batch]
        x0, y0 = (min(box[side] for box in boxes) for side in (0, 1))
        x1, y1 = (max(box[side] for box in boxes) for side in (2, 3))
        return self._stencil(strokes, [x0, y0, x1, y1])


def ink_batches(layers: tuple[Layer, ...]) -> list[list[int]]:
    """Layer indices in drawing order; neighbours that are nothing but the same opaque ink stand together."""
    batches: list[list[int]] = []
    tint: tuple[object, ...] | None = None
    for index, layer in enumerate(layers):
        free = layer.line is not None and layer.fill is None and layer.clip is None
        steady = layer.opacity == 1 and not layer.fades
        previous, tint = tint, None
        if layer.line is not None and free and steady and layer.line.color[3] == 1:
            tint = (layer.backdrop, *layer.line.color.tolist())
        if tint is not None and tint == previous:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def fixed_point(grid: Floats) -> NDArray[np.int32]:
    """Grid coordinates as OpenCV's integers; it counts from pixel centres, the drawing from corners."""
    return np.rint((grid - 0.5) * (1 << SHIFT)).astype(np.int32)


def clipped(stencil: Stencil | None, bound: Stencil | None) -> Stencil | None:
    """The part of a stencil that lies within another."""
    if stencil is None or bound is None:
        return None
    x0, y0 = max(stencil.x, bound.x), max(stencil.y, bound.y)
    x1 = min(stencil.x + stencil.mask.shape[1], bound.x + bound.mask.shape[1])
    y1 = min(stencil.y + stencil.mask.shape[0], bound.y + bound.mask.shape[0])
    if x1 <= x0 or y1 <= y0:
        return None
    a = stencil.mask[y0 - stencil.y : y1 - stencil.y, x0 - stencil.x : x1 - stencil.x]
    b = bound.mask[y0 - bound.y : y1 - bound.y, x0 - bound.x : x1 - bound.x]
    return Stencil(x0, y0, np.asarray(cv2.multiply(a, b, scale=1 / 255), np.uint8))


def texture(paint: Paint) -> ImageArray:
    """A paint's colours as a small picture, RGB, or RGBA where some are translucent (solid: always RGBA).

    Solid: (1, 1, 4). Linear: (1, RAMP, c). Radial: (2 RAMP, 2 RAMP, c), its rim RAMP pixels from its centre.
    """
    if paint.kind == "solid":
        at = np.zeros((1, 1))
    elif paint.kind == "linear":
        at = np.linspace(0, 1, RAMP)[None]
    else:
        side = (np.arange(2 * RAMP) + 0.5) / RAMP - 1
        at = np.hypot(side[:, None], side[None])
    channels = [np.interp(at, paint.stops[:, 0], paint.stops[:, i]) for i in range(1, 5)]
    channels[3] *= 255
    opaque = paint.kind != "solid" and float(paint.stops[:, 4].min()) == 1
    return np.rint(np.stack(channels[: 3 if opaque else 4], axis=-1)).astype(np.uint8)


def place_gradient(stencil: Stencil, anchors: Floats, colors: ImageArray) -> ImageArray:
    """A gradient's texture spread over a stencil's pixels (h, w, c).

    Args:
        stencil: where.
        anchors: in pixels: (2, 2) both ends of a linear gradient, or (3, 2) centre and half axes of a radial.
        colors: from :func:`texture`.
    """
    x, y = (anchors[0] - (stencil.x + 0.5, stencil.y + 0.5)).tolist()
    (ax, ay), *more = (anchors[1:] - anchors[0]).tolist()
    if more:
        bx, by = more[0]
        size = RAMP / nonzero(ax * by - ay * bx)
        rows = [(by * size, -bx * size), (-ay * size, ax * size)]
        origin = RAMP - 0.5
    else:
        size = (RAMP - 1) / nonzero(ax * ax + ay * ay)
        rows = [(ax * size, ay * size), (0.0, 0.0)]
        origin = 0.0
    affine = np.array([(u, v, origin - u * x - v * y) for u, v in rows])
    height, width = stencil.mask.shape
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    spread = cv2.warpAffine(colors, affine, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(spread, np.uint8)


def nonzero(value: float) -> float:
    """The value, kept away from zero."""
    return value if abs(value) > 1e-9 else 1e-9


def blend(
    image: ImageArray, stencil: Stencil, color: ImageArray | tuple[int, int, int], opacity: float
) -> None:
    """Lay a colour, or a picture (h, w, 3), over the image where the stencil covers it."""
    mask = stencil.mask
    height, width = mask.shape
    part = image[stencil.y : stencil.y + height, stencil.x : stencil.x + width]
    if opacity < 1:
        mask = np.asarray(cv2.convertScaleAbs(mask, alpha=opacity), np.uint8)
    if isinstance(color, tuple):
        over = cv2.merge([cv2.convertScaleAbs(mask, alpha=value / 255) for value in color])
    else:
        over = cv2.multiply(cv2.merge((mask, mask, mask)), color, scale=1 / 255)
    left = cv2.bitwise_not(mask)
    under = cv2.multiply(part, cv2.merge((left, left, left)), scale=1 / 255)
    cv2.add(over, under, dst=part)
