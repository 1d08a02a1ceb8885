"""The figure of a network's robustness, a self-contained SVG file."""

from __future__ import annotations

import math
from collections.abc import Sequence

from visavis.base.words import counted
from visavis.drawing.svg import document, heading, line, text
from visavis.evaluate.corruptions import CORRUPTIONS, SEVERITIES
from visavis.evaluate.robustness import Robustness, Score


def robustness_figure(result: Robustness) -> str:
    """Accuracy with its 95% interval at each severity, a panel for each corruption.

    Args:
        result: the measurement.
    """
    width, height, left, top, columns = 132, 130, 46, 78, 5
    scores = [result.clean, *(score for group in result.corrupted.values() for score in group)]
    highest = max(math.ceil(10 * max(score.interval_95[1] for score in scores)), 1) / 10
    parts = [
        heading(
            f"{result.dataset}, {result.split}: accuracy on {counted(result.n, 'face')}, dotted: the "
            "faces as they are"
        )
    ]
    for index, (name, group) in enumerate(result.corrupted.items()):
        row, column = divmod(index, columns)
        x, y = left + column * (width + 46), top + row * (height + 86)
        parts.append(text(x + width / 2, y - 10, name, "middle", "ink"))
        parts += _panel((x, y, width, height), highest, (result.clean, *group))
        parts.append(text(x + width / 2, y + height + 36, CORRUPTIONS[name].unit))
    rows = -(-len(result.corrupted) // columns)
    return document(left + columns * (width + 46), top + rows * (height + 86) - 30, parts, "Robustness")


def _panel(box: tuple[int, int, int, int], highest: float, scores: Sequence[Score]) -> list[str]:
    """One corruption's scores, the clean one first, in a box (x, y, width, height)."""
    x0, y0, width, height = box
    parts = [f'<rect class="strip" x="{x0}" y="{y0}" width="{width}" height="{height}"/>']

    def up(value: float) -> float:
        return y0 + height * (1 - value / highest)

    ticks = (0, highest / 2, highest)
    parts += [text(x0 - 6, up(share) + 4, f"{100 * share:.0f}%", "end") for share in ticks]
    clean = up(scores[0].accuracy)
    parts.append(line("grid", x0, clean, x0 + width, clean))
    places = [x0 + width * (0.1 + 0.8 * score.severity / SEVERITIES[-1]) for score in scores]
    points = " ".join(f"{x:.1f},{up(s.accuracy):.1f}" for x, s in zip(places, scores, strict=True))
    parts.append(f'<polyline class="line" points="{points}"/>')
    for x, score in zip(places, scores, strict=True):
        level = "as it is" if score.level is None else f"{score.level:g}"
        low, high = score.interval_95
        parts.append(line("line", x, up(low), x, up(high)))
        parts.append(
            f'<circle class="area" cx="{x:.1f}" cy="{up(score.accuracy):.1f}" r="4">'
            f"<title>{level}: {score.accuracy:.1%} ({low:.1%} to {high:.1%})</title></circle>"
        )
        parts.append(text(x, y0 + height + 18, level))
    return parts
