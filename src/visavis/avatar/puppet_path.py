"""Hand-written outlines as cubic Bézier curves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError

Points = NDArray[np.float64]


def parse_knots(text: str) -> tuple[Points, list[bool]]:
    """Read an outline such as ``"10,20 30,5^ 50,20"``: knots, ``^`` after those that are corners.

    Returns:
        (N, 2) knots in drawing units and, for each, whether it is a corner.

    Raises:
        InputError: there are fewer than two knots, or a knot is not ``x,y``.
    """
    knots, corners = [], []
    for word in text.split():
        x, comma, y = word.removesuffix("^").partition(",")
        try:
            knots.append((float(x), float(y)))
        except ValueError as error:
            raise InputError(f"outline: found {word!r}; expected 'x,y' or 'x,y^'") from error
        if not comma:
            raise InputError(f"outline: found {word!r}; expected 'x,y' or 'x,y^'")
        corners.append(word.endswith("^"))
    if len(knots) < 2:
        raise InputError(f"outline: found {len(knots)} knots in {text!r}; expected at least 2")
    return np.array(knots), corners


def controls(knots: Points, corners: list[bool], closed: bool) -> Points:
    """Control points (3 S + 1, 2) of the smooth curve of S cubic segments through the knots.

    The tangent at a knot is the tangent of the parabola through it and its neighbours, and handles are as
    long as on a circle's arc; at a corner, each side is a separate quadratic. A closed curve repeats its
    first point at its end.
    """
    count = len(knots)
    step = np.roll(knots, -1, axis=0) - knots
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-6)
    unit = step / length[:, None]
    before, behind = np.roll(unit, 1, axis=0), np.roll(length, 1)
    tangent = before * length[:, None] + unit * behind[:, None]
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-6)[:, None]
    sharp = np.array(corners)
    if not closed:
        sharp[[0, -1]] = True
    segments = count if closed else count - 1
    out = [knots[0]]
    for i in range(segments):
        j = (i + 1) % count
        a, b = knots[i], knots[j]
        alike = float(tangent[i] @ tangent[j])
        handle = length[i] * 2 / (3 * (1 + np.sqrt(max(0.0, (1 + alike) / 2))))
        first, second = a + tangent[i] * handle, b - tangent[j] * handle
        if sharp[i] and sharp[j]:
            first, second = a + (b - a) / 3, b - (b - a) / 3
        elif sharp[i]:
            first = a + (b + 1.5 * (second - b) - a) * (2 / 3)
        elif sharp[j]:
            second = b + (a + 1.5 * (first - a) - b) * (2 / 3)
        out += [first, second, b]
    return np.array(out)


def smooth_runs(corners: list[bool], closed: bool) -> list[tuple[int, int]]:
    """Split a curve's segments at its corners: (first segment, number of segments) of each smooth run.

    A run may cross the seam of a closed curve. A closed curve without corners is one run.
    """
    count = len(corners)
    cuts = [i for i, corner in enumerate(corners) if corner]
    if not closed:
        ends = sorted({0, count - 1, *cuts})
        return [(a, b - a) for a, b in pairwise(ends)]
    if not cuts:
        return [(0, count)]
    return [(a, (b - a - 1) % count + 1) for a, b in zip(cuts, cuts[1:] + cuts[:1], strict=True)]
