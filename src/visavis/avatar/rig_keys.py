"""Keys of the rig: how far every point moves for given parameter values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """How a layer's points move when parameters leave their rest.

    Attributes:
        hats: (parameter index, left, peak, right): the key's weight is the product of these hat functions.
        delta: (n, 2) offsets in drawing units of the layer's points at full weight.
    """

    hats: tuple[tuple[int, float, float, float], ...]
    delta: Floats


class KeyTable:
    """All keys of a drawing, weighted at once.

    Args:
        keys: keys, each with the index of its layer's first point.
        points: number of points of the drawing.
    """

    def __init__(self, keys: Sequence[tuple[int, Key]], points: int) -> None:
        self._points = points
        widest = max((len(key.hats) for _, key in keys), default=0)
        # A hat without sides is 1 everywhere; it pads keys that have fewer hats.
        everywhere = (0, 0.0, 0.0, 0.0)
        hats = np.array([[*key.hats, *[everywhere] * (widest - len(key.hats))] for _, key in keys])
        self._parameter, self._left, self._peak, self._right = np.moveaxis(
            hats.reshape(len(keys), widest, 4), 2, 0
        )
        self._parameter = self._parameter.astype(np.intp)
        moved = [np.arange(start, start + len(key.delta)) for start, key in keys]
        self._rows = np.concatenate([np.empty(0, np.intp), *moved])
        deltas = np.concatenate([np.empty((0, 2)), *[key.delta for _, key in keys]])
        self._delta = np.ascontiguousarray(deltas.T)
        self._key = np.repeat(np.arange(len(keys)), [len(rows) for rows in moved])

    def weights(self, values: Floats) -> Floats:
        """Weight (keys,) of each key: 1 if every parameter is at its peak, 0 beyond its neighbours."""
        value = values[self._parameter]
        rise, fall = self._peak - self._left, self._right - self._peak
        up = np.divide(value - self._left, rise, out=np.ones_like(value), where=rise > 0)
        down = np.divide(self._right - value, fall, out=np.ones_like(value), where=fall > 0)
        return np.asarray(np.clip(np.minimum(up, down), 0, 1).prod(axis=1), np.float64)

    def offsets(self, values: Floats) -> Floats:
        """Offsets (2, points) in drawing units, across and down, at the parameters' values (P,)."""
        weights = self.weights(values)[self._key]
        return np.stack([np.bincount(self._rows, axis * weights, self._points) for axis in self._delta])
