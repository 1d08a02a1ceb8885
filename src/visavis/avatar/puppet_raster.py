"""The renderer of a posed drawing: areas, gradients, clips and ink, drawn by ThorVG on the processor."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.avatar.puppet_pen import Pen
from visavis.avatar.rig import Layer, Paint, Posed, Rig
from visavis.avatar.thorvg import CLOSE, CUBIC_TO, LINE_TO, MOVE_TO, NO_OPTIONS, RGBA, Matrix, thorvg
from visavis.types import ImageArray

POINT_BYTES = 8  # Two float32.
STOP = np.dtype([("offset", np.float32), ("rgba", np.uint8, 4)])
# The library's canvases share their scratch memory.
_DRAWING = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """One closed outline among the points of a pose.

    Attributes:
        first: its first point.
        count: how many points it has.
        commands: uint8 commands of ThorVG that join them.
        address: where the commands lie in memory.
    """

    first: int
    count: int
    commands: NDArray[np.uint8]
    address: int

    @classmethod
    def of(cls, first: int, commands: list[int]) -> Self:
        """The path with as many points as its commands need."""
        count = sum({CLOSE: 0, CUBIC_TO: 3}.get(command, 1) for command in commands)
        stored = np.array(commands, np.uint8)
        return cls(first, count, stored, stored.ctypes.data)


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The area or the ink of one layer.

    Attributes:
        layer: the layer's index.
        handle: the shape in ThorVG.
        paths: its outlines.
        inked: whether the outlines are ink, not area.
        clip: the shape in ThorVG that clips this one; None if nothing does.
        bound: the outline of the clip.
        gradient: the gradient in ThorVG; None for a solid colour.
        anchors: which points place the gradient, see :class:`~visavis.avatar.rig.Paint`.
    """

    layer: int
    handle: int
    paths: tuple[Path, ...]
    inked: bool
    clip: int | None
    bound: Path | None
    gradient: int | None
    anchors: slice


class Raster:
    """Draws the scene or the character of one rig at one size.

    Args:
        rig: the drawing.
        size_px: side of the picture.
        backdrop: draw the layers of the scene instead of the character's.

    Raises:
        VisavisError: ThorVG cannot be loaded.
    """

    def __init__(self, rig: Rig, size_px: int, *, backdrop: bool) -> None:
        self.size_px = size_px
        self._vg = vg = thorvg()
        self._scale = size_px / rig.size
        self._pen = Pen(rig)
        self._pixels = np.zeros((size_px, size_px, 4), np.uint8)
        self._canvas = vg.new_canvas(NO_OPTIONS)
        weakref.finalize(self, vg.destroy, self._canvas)
        vg.set_target(self._canvas, self._pixels.ctypes.data, size_px, size_px, size_px, RGBA)
        self._areas = [area_path(layer) for layer in rig.layers]
        self._ink, ink_paths = ink(self._pen.strokes)
        self._shapes: list[Shape] = []
        self._traced = False
        for index, layer in enumerate(rig.layers):
            if layer.backdrop == backdrop and layer.fill is not None:
                self._add(index, layer, (self._areas[index],), layer.fill, inked=False)
            if layer.backdrop == backdrop and layer.line is not None:
                tint = Paint("solid", np.concatenate([[0.0], layer.line.color])[None])
                self._add(index, layer, ink_paths[index], tint, inked=True)

    def paint(self, posed: Posed, image: ImageArray) -> None:
        """Draw over an image (size_px, size_px, 3) RGB."""
        cv2.cvtColor(image, cv2.COLOR_RGB2RGBA, dst=self._pixels)
        points = np.ascontiguousarray(posed.points * self._scale, np.float32)
        ribbons = self._pen.ribbons(self._pen.trace(posed.points))
        inked = np.ascontiguousarray(ribbons[self._ink] * self._scale, np.float32)
        addresses = points.ctypes.data, inked.ctypes.data
        for shape in self._shapes:
            opacity = round(255 * posed.opacities[shape.layer])
            self._vg.set_opacity(shape.handle, opacity)
            # The first time, hidden shapes too: ThorVG crashes if a clip never had a path.
            if opacity == 0 and self._traced:
                continue
            self._trace(shape.handle, shape.paths, addresses[shape.inked])
            if shape.clip is not None and shape.bound is not None:
                self._trace(shape.clip, (shape.bound,), addresses[0])
            if shape.gradient is not None:
                self._place(shape.gradient, points[shape.anchors])
                self._vg.set_gradient(shape.handle, shape.gradient)  # The gradient is placed again.
        self._traced = True
        with _DRAWING:
            self._vg.update(self._canvas)
            self._vg.draw(self._canvas, False)
            self._vg.sync(self._canvas)
        cv2.cvtColor(self._pixels, cv2.COLOR_RGBA2RGB, dst=image)

    def _add(self, index: int, layer: Layer, paths: tuple[Path, ...], fill: Paint, *, inked: bool) -> None:
        shape = self._vg.new_shape()
        self._vg.add(self._canvas, shape)
        clip, gradient = None, None
        if layer.clip is not None:
            clip = self._vg.new_shape()
            self._vg.set_clip(shape, clip)
        stops = color_stops(fill)
        if fill.kind == "solid":
            self._vg.set_color(shape, *stops["rgba"][0].tolist())
        else:
            linear = fill.kind == "linear"
            gradient = self._vg.new_linear_gradient() if linear else self._vg.new_radial_gradient()
            self._vg.set_color_stops(gradient, stops.ctypes.data, len(stops))
            if not linear:
                self._vg.set_circles(gradient, 0, 0, 1, 0, 0, 0)
            self._vg.set_gradient(shape, gradient)
        bound = None if layer.clip is None else self._areas[layer.clip]
        anchors = slice(layer.outline_stop, layer.stop)
        self._shapes.append(Shape(index, shape, paths, inked, clip, bound, gradient, anchors))

    def _trace(self, shape: int, paths: tuple[Path, ...], address: int) -> None:
        self._vg.reset(shape)
        for path in paths:
            start = address + POINT_BYTES * path.first
            self._vg.append_path(shape, path.address, len(path.commands), start, path.count)

    def _place(self, gradient: int, anchors: NDArray[np.float32]) -> None:
        if len(anchors) == 2:
            self._vg.set_line(gradient, *anchors.ravel().tolist())
            return
        (x, y), (right_x, right_y), (down_x, down_y) = anchors.tolist()
        matrix = (right_x - x, down_x - x, x, right_y - y, down_y - y, y, 0, 0, 1)
        self._vg.set_transform(gradient, Matrix(*matrix))


def area_path(layer: Layer) -> Path:
    """The outline of a layer: cubic Bézier segments among the rig's points."""
    return Path.of(layer.start, [MOVE_TO, *[CUBIC_TO] * layer.segments, CLOSE])


def ink(strokes: list[list[NDArray[np.intp]]]) -> tuple[NDArray[np.intp], list[tuple[Path, ...]]]:
    """All strokes one after another, as indices into the pen's ribbons, and each layer's paths among them."""
    order, paths, first = [np.empty(0, np.intp)], [], 0
    for of_layer in strokes:
        own = []
        for corners in of_layer:
            own.append(Path.of(first, [MOVE_TO, *[LINE_TO] * (len(corners) - 1), CLOSE]))
            first += len(corners)
            order.append(corners)
        paths.append(tuple(own))
    return np.concatenate(order), paths


def color_stops(paint: Paint) -> NDArray[np.void]:
    """A paint's colours in ThorVG's format: alpha is 0..255, too."""
    stops = np.zeros(len(paint.stops), STOP)
    stops["offset"] = paint.stops[:, 0]
    stops["rgba"] = np.rint(paint.stops[:, 1:] * [1, 1, 1, 255])
    return stops
