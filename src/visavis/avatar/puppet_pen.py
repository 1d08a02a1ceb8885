"""Polygons of the drawing's tapered ink lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.avatar.rig import Layer, Line, Rig
from visavis.avatar.rig_keys import Floats

SAMPLES = 8  # Straight pieces for each cubic segment, here and in the browser's ink lines.


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """All inked curves of a drawing as points.

    Attributes:
        curve: (2, segments, SAMPLES + 1) x and y in drawing units.
        normal: (2, segments, SAMPLES + 1) unit normals, to the right of the curve's direction on a screen.
    """

    curve: Floats
    normal: Floats


class Pen:
    """Turns the control points of one rig into polygons.

    Attributes:
        half: (segments, SAMPLES + 1) half width of the ink in drawing units, of all layers with a line.
        strokes: for each layer, index arrays into ``(left, right)`` joined as in :meth:`ribbons`.
    """

    def __init__(self, rig: Rig) -> None:
        t = np.linspace(0.0, 1.0, SAMPLES + 1)
        s = 1 - t
        self._basis = np.stack([s**3, 3 * s * s * t, 3 * s * t * t, t**3])
        self._slope = np.stack([-3 * s * s, 3 * s * (s - 2 * t), 3 * t * (2 * s - t), 3 * t * t])
        inked = [layer for layer in rig.layers if layer.line]
        self._segments = np.concatenate(
            [
                np.empty((0, 4), np.intp),
                *(layer.start + 3 * np.arange(layer.segments)[:, None] + np.arange(4) for layer in inked),
            ]
        )
        self.half = np.zeros((len(self._segments), SAMPLES + 1))
        self.strokes: list[list[NDArray[np.intp]]] = []
        first = 0
        for layer in rig.layers:
            self.strokes.append(self._runs(layer, layer.line, first) if layer.line else [])
            first += layer.segments if layer.line else 0

    def _runs(self, layer: Layer, line: Line, first: int) -> list[NDArray[np.intp]]:
        """Write a layer's widths and list the corners of its strokes' polygons."""
        out = []
        total = self.half.size
        for start, count in line.runs:
            segments = first + (start + np.arange(count)) % layer.segments
            places = (segments[:, None] * (SAMPLES + 1) + np.arange(SAMPLES + 1)).ravel()
            keep = np.ones(len(places), np.bool_)
            keep[SAMPLES + 1 :: SAMPLES + 1] = False  # A segment begins where the one before it ended.
            width = taper(int(keep.sum()), *line.taper) * (line.width / 2)
            self.half.flat[places] = width[np.cumsum(keep) - 1]
            along = places[keep]
            out.append(np.concatenate([along, total + along[::-1]]))
        return out

    def trace(self, points: Floats) -> Traced:
        """Sample every inked curve; ``points`` (P, 2) are points of the posed rig."""
        controls = points.T[:, self._segments]
        x, y = controls @ self._slope
        length = np.maximum(np.sqrt(x * x + y * y), 1e-9)
        return Traced(controls @ self._basis, np.stack([-y / length, x / length]))

    def ribbons(self, traced: Traced) -> Floats:
        """Both sides (2 * segments * (SAMPLES + 1), 2) of all ink; :attr:`strokes` index them."""
        reach = traced.normal * self.half
        sides = np.concatenate([traced.curve + reach, traced.curve - reach], axis=1)
        return sides.reshape(2, -1).T


def taper(count: int, start: float, end: float) -> Floats:
    """Relative width (count,) along a stroke: 1 in the middle, ``start`` and ``end`` at its ends."""
    t = np.linspace(0.0, 1.0, count)
    swell = 1 - (2 * t - 1) ** 2
    tip = np.where(t < 0.5, start, end)
    return np.asarray(tip + (1 - tip) * swell, np.float64)
