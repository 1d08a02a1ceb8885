"""Timelines of a track as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from visavis.channels import EXPRESSIONS, FACE_INDEX
from visavis.track import Track
from visavis.types import FloatArray

WIDTH, LEFT, RIGHT = 960, 92, 12
# More columns than this would not be visible, so longer runs are averaged.
COLUMNS = 480

# Channel of the chart -> (lowest, highest, unit).
CHANNELS: Mapping[str, tuple[float, float, str]] = {
    "eyes shut": (0.0, 1.0, ""),
    "jaw open": (0.0, 1.0, ""),
    "smile": (0.0, 1.0, ""),
    "yaw": (-40.0, 40.0, "°"),
}


def expression_chart(track: Track, colors: Mapping[str, str]) -> str:
    """Stacked probabilities of the eight expressions over time.

    Args:
        track: the run.
        colors: CSS colour of each expression.
    """
    height, top = 180, 8
    times_s, shares = thin(track.time_s, track.expression[:, -len(EXPRESSIONS) :])
    parts = []
    for first, last in runs(~np.isnan(shares[:, 0])):
        sums = np.cumsum(shares[first:last], axis=1)
        edges = np.pad(sums, ((0, 0), (1, 0))) / np.maximum(sums[:, -1:], 1e-6)
        across = _across(track, times_s[first:last])
        for index, name in enumerate(EXPRESSIONS):
            upper = _points(across, top + height * (1 - edges[:, index + 1]))
            lower = _points(across[::-1], top + height * (1 - edges[::-1, index]))
            parts.append(
                f'<polygon points="{upper} {lower}" fill="{colors[name]}"><title>{name}</title></polygon>'
            )
    levels = [(top, "100%"), (top + height / 2, "50%"), (top + height, "0%")]
    labels = "".join(_label(y, text) for y, text in levels)
    return _svg(
        top + height + 26, labels + "".join(parts) + _time_axis(track, top + height), "Expressions over time"
    )


def channel_chart(track: Track) -> str:
    """Lids, jaw, smile and turn of the head over time, with one strip for each."""
    height, gap, top = 62, 16, 8
    times_s, values = thin(track.time_s, channels(track.face))
    parts = []
    for row, (name, (low, high, unit)) in enumerate(CHANNELS.items()):
        y0 = top + row * (height + gap)
        levels = [(y0, f"{high:g}{unit}"), (y0 + height, f"{low:g}{unit}")]
        parts.append(
            f'<rect class="strip" x="{LEFT}" y="{y0}" width="{WIDTH - LEFT - RIGHT}" height="{height}"/>'
        )
        if low < 0 < high:
            zero = y0 + height * high / (high - low)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{zero}" y2="{zero}"/>')
        parts += [_label(y, text) for y, text in levels]
        parts.append(f'<text class="name" x="0" y="{y0 + height / 2 + 4}">{escape(name)}</text>')
        shown = np.clip((values[:, row] - low) / (high - low), 0.0, 1.0)
        for first, last in runs(~np.isnan(shown)):
            points = _points(_across(track, times_s[first:last]), y0 + height * (1 - shown[first:last]))
            parts.append(f'<polyline class="line" points="{points}"/>')
    bottom = top + len(CHANNELS) * (height + gap) - gap
    return _svg(bottom + 26, "".join(parts) + _time_axis(track, bottom), "Face channels over time")


def channels(face: FloatArray) -> FloatArray:
    """The channels of the chart (T, 4) from face states (T, 58)."""

    def mean(*names: str) -> FloatArray:
        return np.asarray(face[:, [FACE_INDEX[name] for name in names]].mean(axis=1), np.float32)

    columns = [
        mean("eyeBlinkLeft", "eyeBlinkRight"),
        mean("jawOpen"),
        mean("mouthSmileLeft", "mouthSmileRight"),
        np.rad2deg(mean("yaw")),
    ]
    return np.stack(columns, axis=1)


def thin(time_s: NDArray[np.float64], values: FloatArray) -> tuple[NDArray[np.float64], FloatArray]:
    """Average (T,) and (T, C) over at most 480 stretches; a stretch of only NaN stays NaN."""
    if len(time_s) <= COLUMNS:
        return time_s, values
    starts = np.unique(np.linspace(0, len(time_s), COLUMNS, endpoint=False).astype(int))
    known = ~np.isnan(values)
    counts = np.add.reduceat(known, starts, axis=0, dtype=np.int64)
    sums = np.add.reduceat(np.where(known, values, 0.0), starts, axis=0)
    lengths = np.diff(np.append(starts, len(time_s)))
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return np.add.reduceat(time_s, starts) / lengths, np.asarray(means, np.float32)


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of True as (first, one past the last)."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in steps.reshape(-1, 2)]


def _across(track: Track, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Horizontal position of each time."""
    per_s = (WIDTH - LEFT - RIGHT) / span_s(track)
    return np.asarray(LEFT + (time_s - track.time_s[0]) * per_s, np.float64)


def span_s(track: Track) -> float:
    """The time from the first frame to the end of the last frame."""
    return float(track.time_s[-1] - track.time_s[0]) + 1 / track.fps


def _points(x: NDArray[np.float64], y: NDArray[np.floating]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _label(y: float, text: str) -> str:
    return f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>'


def _time_axis(track: Track, y: float) -> str:
    span = span_s(track)
    step = tick_step(span)
    parts = [f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>']
    for index in range(int(span / step) + 1):
        x = LEFT + index * step * (WIDTH - LEFT - RIGHT) / span
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 4}"/>')
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{y + 18}" text-anchor="middle">{index * step:g} s</text>'
        )
    return "".join(parts)


def tick_step(span: float) -> float:
    """A round step (1, 2 or 5 times a power of ten) that makes about ten ticks."""
    power = 10.0 ** math.floor(math.log10(span / 10))
    return next(step * power for step in (1, 2, 5, 10) if span / (step * power) <= 13)


def _svg(height: float, body: str, label: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(label)}">{body}</svg>'


def legend(colors: Mapping[str, str], counts: Mapping[str, int], order: Sequence[str] = EXPRESSIONS) -> str:
    """Chips that name the colours, with each expression's share of the frames."""
    total = sum(counts.values())
    chips = []
    for name in order:
        share = f" <b>{counts.get(name, 0) / total:.0%}</b>" if total else ""
        chips.append(
            f'<span class="chip"><i style="background:{colors[name]}"></i>{escape(name)}{share}</span>'
        )
    return f'<p class="legend">{"".join(chips)}</p>'
