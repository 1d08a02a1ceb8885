"""Fitting a curve of few points to samples: straight lines, and cubic Beziers where these need fewer points.

Each segment begins where the last one ends, and reaches as far as the tolerance allows. Its end is free
within the tolerance. A straight line costs one point, a Bezier three, so a Bezier is used where it reaches
further than three lines. Its handles stand at thirds of the time, so that its value is a cubic of the time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from visavis.motion.curves import Kind, Segment

Floats = NDArray[np.float64]
# Index of the sample at which a line ends, and the line's value there.
End = tuple[int, float]

# Samples that a line or Bezier is first tried on; the window grows while the fit holds.
FIRST_REACH = 32
# Lines that cost as many points as one Bezier.
LINES = 3
# A line may end this many samples before the last one that it reaches, and at these shares of its slopes.
SHORTER = 3
SHARES = (0.5, 0.0, 1.0)
# Rounds of Lawson's algorithm, which turns least squares into the smallest largest error
# (Rice & Usow, "The Lawson algorithm and extensions", Mathematics of Computation 22, 1968).
ROUNDS = 8
# A fit whose first error is this many times too large is given up.
HOPELESS = 4.0


def fit_segments(time_s: Floats, values: Floats, tolerance: float) -> tuple[Segment, ...]:
    """Segments from the first sample to the last one's time.

    Args:
        time_s: (N,) increasing times.
        values: (N,) samples.
        tolerance: largest distance of the curve from a sample, above 0.

    Returns:
        No segments for one sample; one line for samples that stay within the tolerance of the first one.
    """
    segments = []
    at, value = 0, float(values[0])
    while at < len(values) - 1:
        ends = list(_lines(time_s, values, at, value, tolerance))
        far = ends[-1][0]
        bezier = None
        if len(ends) == LINES and far < len(values) - 1:
            bezier = _longest_bezier(time_s, values, at, value, tolerance, far)
        if bezier is None:
            at, value = ends[0]
            segments.append(Segment(Kind.LINEAR, ((float(time_s[at]), value),)))
        else:
            start_s, (at, heights) = time_s[at], bezier
            value = heights[-1]
            times = np.linspace(start_s, time_s[at], 4)[1:].tolist()
            segments.append(Segment(Kind.BEZIER, tuple(zip(times, heights, strict=True))))
    return tuple(segments)


def _lines(time_s: Floats, values: Floats, at: int, value: float, tolerance: float) -> Iterator[End]:
    """The ends, index and value, of up to three lines in a row, each as long as possible."""
    for _ in range(LINES):
        if at < len(values) - 1:
            at, value = _longest_line(time_s, values, at, value, tolerance)
            yield at, value


def _longest_line(time_s: Floats, values: Floats, at: int, value: float, tolerance: float) -> End:
    """The end of a line from (at, value): of the longest lines the one after which the next is longest."""
    past_s, lowest, highest = _slopes(time_s, values, at, value, tolerance)
    if at + len(past_s) == len(values) - 1:
        return at + len(past_s), float(value + (lowest[-1] + highest[-1]) / 2 * past_s[-1])
    ends = [
        (at + 1 + last, float(value + (lowest[last] + share * (highest[last] - lowest[last])) * past_s[last]))
        for last in range(len(past_s) - 1, max(len(past_s) - 1 - SHORTER, -1), -1)
        for share in SHARES
    ]
    return max(ends, key=lambda end: end[0] + len(_slopes(time_s, values, end[0], end[1], tolerance)[0]))


def _slopes(
    time_s: Floats, values: Floats, at: int, value: float, tolerance: float
) -> tuple[Floats, Floats, Floats]:
    """Seconds from a start to each sample that a line from there can reach, and its lowest and highest slope.

    A line that reaches a sample must suit each sample on the way.
    """
    reach = FIRST_REACH
    while True:
        stop = min(at + reach, len(values) - 1) + 1
        past_s = time_s[at + 1 : stop] - time_s[at]
        highest = np.minimum.accumulate((values[at + 1 : stop] + tolerance - value) / past_s)
        lowest = np.maximum.accumulate((values[at + 1 : stop] - tolerance - value) / past_s)
        misfits = np.flatnonzero(lowest > highest)
        if len(misfits) or stop == len(values):
            most = misfits[0] if len(misfits) else len(past_s)
            return past_s[:most], lowest[:most], highest[:most]
        reach *= 4


def _longest_bezier(
    time_s: Floats, values: Floats, at: int, value: float, tolerance: float, beyond: int
) -> tuple[int, list[float]] | None:
    """The end and the three heights of a Bezier that reaches beyond a sample; None if it cannot."""
    low, step, high = beyond, 1, len(values)
    best: tuple[int, list[float]] | None = None
    while high - low > 1:
        middle = min(low + step, len(values) - 1) if high == len(values) else (low + high) // 2
        heights = _bezier(time_s[at : middle + 1], values[at : middle + 1], value, tolerance)
        if heights is None:
            high = middle
            if best is None:
                return None
        else:
            best, low, step = (middle, heights), middle, 2 * step
    return best


def _bezier(time_s: Floats, values: Floats, value: float, tolerance: float) -> list[float] | None:
    """The heights of both handles and of the end; None if no Bezier stays within the tolerance."""
    t = (time_s[1:] - time_s[0]) / (time_s[-1] - time_s[0])
    u = 1 - t
    basis = np.stack([3 * u * u * t, 3 * u * t * t, t * t * t], axis=1)
    wanted = values[1:] - u**3 * value
    weights = np.ones(len(t))
    for _ in range(ROUNDS):
        weighted = basis * (weights / weights.sum())[:, None]
        heights = np.linalg.solve(weighted.T @ basis + 1e-12 * np.eye(3), weighted.T @ wanted)
        missed = np.abs(basis @ heights - wanted)
        worst = missed.max()
        if worst <= tolerance:
            return [float(height) for height in heights]
        if worst > HOPELESS * tolerance:
            return None
        weights *= missed + 1e-3 * tolerance
    return None
