"""SVG figures of the tokens that a network keeps of faces."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.drawing.svg import document, heading, text
from visavis.errors import VisavisError
from visavis.types import BoolArray, ImageArray
from visavis_train.expression.sparsity.kept import Kept

EXAMPLES = 3
# The colour of a cell that is kept for all faces, and its opacity.
_HEAT_RGB, _COVER = (235, 110, 30), 0.8
# Brightness of a dropped token.
_DIM = 0.2
_CELL_PX, _GAP_PX, _LEFT_PX, _TOP_PX = 96, 10, 84, 78


def maps_figure(
    maps: Mapping[str, NDArray[np.float64]],
    means: Mapping[str, ImageArray],
    faces: Mapping[str, int],
    layers: Sequence[int],
) -> str:
    """The share of faces for which a token is kept, as a heat map over their mean face.

    Args:
        maps: column -> (L, cells); see :meth:`Kept.maps`.
        means: column -> (S, S) mean face.
        faces: column -> number of faces.
        layers: numbers of the layers, one row for each.
    """
    parts = [heading("Tokens kept: the share of the faces, over their mean")]
    for column, (name, shares) in enumerate(maps.items()):
        x = _LEFT_PX + column * (_CELL_PX + _GAP_PX)
        parts.append(text(x + _CELL_PX / 2, _TOP_PX - 24, name, kind="ink"))
        parts.append(text(x + _CELL_PX / 2, _TOP_PX - 8, f"{faces[name]} faces"))
        for row, share in enumerate(shares):
            y = _TOP_PX + row * (_CELL_PX + _GAP_PX)
            words = f"{name}, layer {layers[row]}"
            parts.append(_image(heat(means[name], share), x, y, words))
    for row, layer in enumerate(layers):
        y = _TOP_PX + row * (_CELL_PX + _GAP_PX)
        parts.append(text(_LEFT_PX - 10, y + _CELL_PX / 2 + 4, f"layer {layer}", "end", "ink"))
    bottom = _TOP_PX + len(layers) * (_CELL_PX + _GAP_PX)
    parts += _scale(_LEFT_PX, bottom + 6)
    return document(_width(len(maps)), bottom + 52, parts, "Tokens kept, by layer and label")


def examples_figure(pictures: ImageArray, kept: Kept, labels: NDArray[np.int64], names: Sequence[str]) -> str:
    """Three random faces of each label, unchanged and with the dropped tokens dimmed.

    Args:
        pictures: (N, S, S) uint8.
        kept: the kept tokens of the pictures.
        labels: (N,).
        names: of the labels.
    """
    rng, parts = np.random.default_rng(0), [heading("Three faces of each label: dropped tokens are dark")]
    rows = ["as it is", *(f"layer {layer}" for layer in kept.layers)]
    there = [number for number in range(len(names)) if (labels == number).any()]
    height = len(rows) * _CELL_PX + 2 * _GAP_PX
    for column, number in enumerate(there):
        x = _LEFT_PX + column * (_CELL_PX + _GAP_PX)
        parts.append(text(x + _CELL_PX / 2, _TOP_PX - 8, names[number], kind="ink"))
        of_label = np.flatnonzero(labels == number)
        chosen = rng.choice(of_label, min(EXAMPLES, len(of_label)), replace=False)
        for example, face in enumerate(chosen.tolist()):
            shown = [pictures[face], *(dimmed(pictures[face], mask[face]) for mask in kept.masks)]
            for row, picture in enumerate(shown):
                y = _TOP_PX + example * height + row * _CELL_PX
                parts.append(_image(picture, x, y, f"{names[number]}, face {face}, {rows[row]}"))
    for example in range(EXAMPLES):
        for row, words in enumerate(rows):
            middle = _TOP_PX + example * height + (row + 0.5) * _CELL_PX
            parts.append(text(_LEFT_PX - 10, middle + 4, words, "end", "ink"))
    return document(
        _width(len(there)), _TOP_PX + EXAMPLES * height, parts, "Faces and the tokens kept of them"
    )


def heat(picture: ImageArray, shares: NDArray[np.float64]) -> ImageArray:
    """A grey picture (S, S) under the colour of each cell's share (cells,), 0 to 1: RGB (S, S, 3)."""
    cover = _COVER * _over(shares, len(picture))[..., None]
    shown = (1 - cover) * picture[..., None] + cover * np.asarray(_HEAT_RGB)
    return np.asarray(np.rint(shown), np.uint8)


def dimmed(picture: ImageArray, kept: BoolArray) -> ImageArray:
    """A grey picture (S, S) with dark cells where (cells,) are not kept."""
    light = _over(np.where(kept, 1.0, _DIM), len(picture))
    return np.asarray(np.rint(light * picture), np.uint8)


def _over(values: NDArray[np.float64], side_px: int) -> NDArray[np.float64]:
    """Values of cells (cells,) at the pixels (S, S) that they cover."""
    grid = math.isqrt(len(values))
    return np.asarray(np.kron(values.reshape(grid, grid), np.ones((side_px // grid, side_px // grid))))


def _scale(x: float, y: float) -> list[str]:
    """The legend of the colours."""
    gray, steps = np.full((1, 1), 128, np.uint8), np.linspace(0, 1, 6)
    parts = []
    for place, share in enumerate(steps.tolist()):
        color = ",".join(str(v) for v in heat(gray, np.asarray([share]))[0, 0].tolist())
        parts.append(f'<rect x="{x + 40 * place:g}" y="{y:g}" width="40" height="14" fill="rgb({color})"/>')
        parts.append(text(x + 40 * place + 20, y + 30, f"{share:.0%}"))
    return parts


def _width(columns: int) -> float:
    return max(_LEFT_PX + columns * (_CELL_PX + _GAP_PX) + 10, 560)


def _image(picture: ImageArray, x: float, y: float, words: str) -> str:
    """A picture, grey or RGB, as an element of the figure."""
    good, png = cv2.imencode(".png", picture[..., ::-1] if picture.ndim == 3 else picture)
    if not good:
        raise VisavisError(f"OpenCV cannot write a PNG of {picture.shape}")
    data = base64.b64encode(png.tobytes()).decode("ascii")
    return (
        f'<image x="{x:g}" y="{y:g}" width="{_CELL_PX}" height="{_CELL_PX}" '
        f'style="image-rendering: pixelated" href="data:image/png;base64,{data}">'
        f"<title>{escape(words)}</title></image>"
    )
