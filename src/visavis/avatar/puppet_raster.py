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
    """One or several closed outlines that follow each other among the points of a pose.

    Attributes:
        offset: bytes from the first point of the pose to the first of the path.
        count: how many points it has.
        commands: uint8 commands of ThorVG that join them.
        address: where the commands lie in memory.
    """

    offset: int
    count: int
    commands: NDArray[np.uint8]
    address: int

    @classmethod
    def of(cls, first: int, commands: list[int]) -> Self:
        """The path from a point on, with as many points as its commands need."""
        count = sum({CLOSE: 0, CUBIC_TO: 3}.get(command, 1) for command in commands)
        stored = np.array(commands, np.uint8)
        return cls(POINT_BYTES * first, count, stored, stored.ctypes.data)


@dataclass(slots=True, eq=False)
class Shape:
    """The area or the ink of one layer.

    Attributes:
        layer: the layer's index.
        handle: the shape in ThorVG.
        path: its outlines.
        inked: whether the outlines are ink, not area.
        gradient: the gradient in ThorVG; None for a solid colour.
        anchors: which points place the gradient, see :class:`~visavis.avatar.rig.Paint`.
        opacity: the last one that ThorVG was told, 0..255.
    """

    layer: int
    handle: int
    path: Path
    inked: bool
    gradient: int | None
    anchors: slice
    opacity: int = 255


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
        # The outlines of the layers: cubic Bézier segments among the rig's points.
        self._areas = [
            Path.of(layer.start, [MOVE_TO, *[CUBIC_TO] * layer.segments, CLOSE]) for layer in rig.layers
        ]
        self._ink, ink_paths = ink(self._pen.strokes)
        self._shapes: list[Shape] = []
        # The shapes that clip, each with the layer whose area bounds the shapes of its scene.
        self._clips: list[tuple[int, int]] = []
        self._scene = 0
        self._traced = False
        for index, layer in enumerate(rig.layers):
            if layer.backdrop != backdrop:
                continue
            self._enter(layer.clip)
            if layer.fill is not None:
                self._add(index, layer, self._areas[index], layer.fill, inked=False)
            if layer.line is not None:
                tint = Paint("solid", np.concatenate([[0.0], layer.line.color])[None])
                self._add(index, layer, ink_paths[index], tint, inked=True)

    def paint(self, posed: Posed, below: ImageArray) -> ImageArray:
        """Draw over an opaque image (size_px, size_px, 4) RGBA.

        Returns:
            (size_px, size_px, 3) uint8 RGB.
        """
        np.copyto(self._pixels, below)
        self._draw(posed)
        return np.asarray(cv2.cvtColor(self._pixels, cv2.COLOR_RGBA2RGB), np.uint8)

    def cut_out(self, posed: Posed) -> ImageArray:
        """Draw on nothing.

        Returns:
            (size_px, size_px, 4) uint8 RGBA, colours multiplied by alpha; the next call draws over it.
        """
        self._pixels[:] = 0
        self._draw(posed)
        return self._pixels

    def _draw(self, posed: Posed) -> None:
        vg = self._vg
        points = np.ascontiguousarray(posed.points * self._scale, np.float32)
        ribbons = self._pen.ribbons(self._pen.trace(posed.points))
        inked = np.ascontiguousarray(ribbons[self._ink] * self._scale, np.float32)
        addresses = points.ctypes.data, inked.ctypes.data
        for shape in self._shapes:
            handle, path = shape.handle, shape.path
            opacity = round(255 * posed.opacities[shape.layer])
            if opacity != shape.opacity:
                vg.set_opacity(handle, opacity)
                shape.opacity = opacity
            # The first time, hidden shapes too: ThorVG crashes if a clip never had a path.
            if opacity == 0 and self._traced:
                continue
            self._trace(handle, path, addresses[shape.inked])
            if shape.gradient is not None:
                self._place(shape.gradient, points[shape.anchors])
                vg.set_gradient(handle, shape.gradient)  # The gradient is placed again.
        for clip, layer in self._clips:
            self._trace(clip, self._areas[layer], addresses[0])
        self._traced = True
        with _DRAWING:
            vg.update(self._canvas)
            vg.draw(self._canvas, False)
            vg.sync(self._canvas)

    def _enter(self, clip: int | None) -> None:
        """Bound the shapes that follow by a layer's area; neighbours with one bound share a scene."""
        vg = self._vg
        if clip is None:
            self._scene = 0
        elif not self._scene or self._clips[-1][1] != clip:
            self._scene, bound = vg.new_scene(), vg.new_shape()
            vg.add(self._canvas, self._scene)
            vg.set_clip(self._scene, bound)
            self._clips.append((bound, clip))

    def _add(self, index: int, layer: Layer, path: Path, fill: Paint, *, inked: bool) -> None:
        vg, shape, gradient = self._vg, self._vg.new_shape(), None
        if self._scene:
            vg.add_to_scene(self._scene, shape)
        else:
            vg.add(self._canvas, shape)
        stops = color_stops(fill)
        if fill.kind == "solid":
            vg.set_color(shape, *stops["rgba"][0].tolist())
        else:
            linear = fill.kind == "linear"
            gradient = vg.new_linear_gradient() if linear else vg.new_radial_gradient()
            vg.set_color_stops(gradient, stops.ctypes.data, len(stops))
            if not linear:
                vg.set_circles(gradient, 0, 0, 1, 0, 0, 0)
            vg.set_gradient(shape, gradient)
        anchors = slice(layer.outline_stop, layer.stop)
        self._shapes.append(Shape(index, shape, path, inked, gradient, anchors))

    def _trace(self, shape: int, path: Path, address: int) -> None:
        self._vg.reset(shape)
        self._vg.append_path(shape, path.address, len(path.commands), address + path.offset, path.count)

    def _place(self, gradient: int, anchors: NDArray[np.float32]) -> None:
        if len(anchors) == 2:
            self._vg.set_line(gradient, *anchors.ravel().tolist())
            return
        (x, y), (right_x, right_y), (down_x, down_y) = anchors.tolist()
        matrix = (right_x - x, down_x - x, x, right_y - y, down_y - y, y, 0, 0, 1)
        self._vg.set_transform(gradient, Matrix(*matrix))


def ink(strokes: list[list[NDArray[np.intp]]]) -> tuple[NDArray[np.intp], list[Path]]:
    """All strokes one after another, as indices into the pen's ribbons, and each layer's path among them."""
    order, paths, first = [np.empty(0, np.intp)], [], 0
    for of_layer in strokes:
        commands = []
        for corners in of_layer:
            commands += [MOVE_TO, *[LINE_TO] * (len(corners) - 1), CLOSE]
        order += of_layer
        path = Path.of(first, commands)
        paths.append(path)
        first += path.count
    return np.concatenate(order), paths


def color_stops(paint: Paint) -> NDArray[np.void]:
    """A paint's colours in ThorVG's format: alpha is 0..255, too."""
    stops = np.zeros(len(paint.stops), STOP)
    stops["offset"] = paint.stops[:, 0]
    stops["rgba"] = np.rint(paint.stops[:, 1:] * [1, 1, 1, 255])
    return stops
