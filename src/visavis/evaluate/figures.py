"""Figures of a network's results as self-contained SVG files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from visavis.base.words import counted
from visavis.datasets.faces import LabeledFaces
from visavis.drawing.svg import document, heading, line, save_svg, text
from visavis.errors import InputError
from visavis.evaluate.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from visavis.evaluate.expressions import Evaluation
from visavis.evaluate.robustness import Robustness, Score
from visavis.metrics.expression import Reliability

# Text on a cell with more than this share changes its colour.
_STRONG = 0.55


def save_evaluation(
    folder: Path,
    result: Evaluation,
    splits: Sequence[LabeledFaces],
    after: Reliability | None = None,
) -> list[Path]:
    """Write ``confusion.svg``, ``classes.svg`` and ``calibration.svg`` into a folder, created if missing.

    Args:
        folder: folder for the files.
        result: result of the evaluation.
        splits: splits in which classes are counted.
        after: reliability with a temperature; None without.

    Returns:
        The files.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}; choose another folder") from error
    drawn = {
        "confusion.svg": confusion_figure(result),
        "classes.svg": class_figure(splits),
        "calibration.svg": calibration_figure(result, after),
    }
    for name, svg in drawn.items():
        save_svg(folder / name, svg)
    return [folder / name for name in drawn]


def confusion_figure(result: Evaluation) -> str:
    """For each class (row), the shares of its faces that were answered with each class (column)."""
    cell, left, top = 64, 110, 74
    side = cell * len(result.names)
    parts = [
        heading(
            f"{result.dataset}, {result.split}: {counted(result.n, 'face')}, rows the truth, columns the "
            "answers"
        )
    ]
    for row, (name, counts) in enumerate(zip(result.names, result.confusion, strict=True)):
        y, faces = top + row * cell, int(counts.sum())
        parts.append(text(left - 10, y + cell / 2 + 4, name, "end", "ink"))
        parts.append(text(left + (row + 0.5) * cell, top - 10, name))
        for column, count in enumerate(counts):
            share, x = count / max(faces, 1), left + column * cell
            parts.append(f'<rect class="strip" x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}"/>')
            parts.append(
                f'<rect class="area" x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" '
                f'fill-opacity="{share:.3f}"><title>{count} of {faces} {escape(name)} answered '
                f"{escape(result.names[column])}</title></rect>"
            )
            shown = f"{100 * share:.0f}%" if faces else "-"
            color = "on" if share > _STRONG else "ink"
            parts.append(text(x + cell / 2 - 1, y + cell / 2 + 3, shown, "middle", color))
    return document(max(left + side + 20, 560), top + side + 18, parts, "Confusion matrix")


def class_figure(splits: Sequence[LabeledFaces]) -> str:
    """How many faces each class has, as a share of its split.

    Args:
        splits: one or more with the same labels.

    Raises:
        InputError: there is no split, or the labels differ.
    """
    if not splits or any(split.names != splits[0].names for split in splits):
        raise InputError("class counts need splits with the same labels")
    bar, gap, left, width, several = 18, 14, 110, 520, len(splits) > 1
    names, step = splits[0].names, bar * len(splits) + gap
    largest = max(max(split.counts.values()) / len(split) for split in splits)
    parts = [
        heading(f"{splits[0].name}: " + ", ".join(f"{s.split} {counted(len(s), 'face')}" for s in splits))
    ]
    for row, name in enumerate(names):
        y = 50 + row * step
        parts.append(text(left - 10, y + bar * len(splits) / 2 + 4, name, "end", "ink"))
        for place, split in enumerate(splits):
            share = split.counts[name] / len(split)
            kind, length = "faint" if place else "area", width * share / largest
            top = y + place * bar
            parts.append(
                f'<rect class="{kind}" x="{left}" y="{top}" width="{length:.1f}" height="{bar - 2}"/>'
            )
            words = f"{split.counts[name]} ({100 * share:.1f}%)" + (f" {split.split}" if several else "")
            parts.append(text(left + length + 8, top + bar - 5, words, "start"))
    return document(left + width + 170, 50 + len(names) * step + 8, parts, "Faces of each class")


def calibration_figure(result: Evaluation, after: Reliability | None = None) -> str:
    """Confidence (x) and accuracy (y); on the dotted line they agree. A dot's area is the number of faces.

    Args:
        result: result of the evaluation.
        after: the same answers with a temperature; None without.
    """
    side, left, top = 400, 60, 66
    lines = [("line", "area", result.reliability, "as it is")]
    if after is not None:
        lines.append(("other", "dot", after, "with the temperature"))
    parts = [heading(f"{result.dataset}, {result.split}: {counted(result.n, 'face')}")]
    parts.append(f'<rect class="strip" x="{left}" y="{top}" width="{side}" height="{side}"/>')
    for tick in range(0, 101, 20):
        along = side * tick / 100
        parts.append(text(left - 8, top + side - along + 4, f"{tick}%", "end"))
        parts.append(text(left + along, top + side + 18, f"{tick}%"))
    parts.append(line("grid", left, top + side, left + side, top))
    parts.append(text(left + side / 2, top + side + 38, "confidence across, accuracy upward"))
    for place, (kind, dots, bins, words) in enumerate(lines):
        # Bottom right, where no network is: sure and mostly wrong.
        y = top + side - 18 - 18 * place
        words = f"{words}: ECE {100 * bins.error:.1f}%"
        parts.append(text(left + side - 50, y + 4, words, "end", "ink"))
        parts.append(line(kind, left + side - 42, y, left + side - 12, y))
        there = bins.faces > 0
        places = [
            (left + side * x, top + side * (1 - y), 12 * math.sqrt(n / result.n) + 1.5)
            for x, y, n in zip(bins.confidence[there], bins.accuracy[there], bins.faces[there], strict=True)
        ]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
        parts += [f'<circle class="{dots}" cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}"/>' for x, y, r in places]
    return document(left + side + 40, top + side + 54, parts, "Calibration")


def robustness_figure(result: Robustness, corruptions: Mapping[str, Corruption] = CORRUPTIONS) -> str:
    """Accuracy with its 95% interval at each severity, a panel for each corruption.

    Args:
        result: the measurement.
        corruptions: the measured corruptions, for their units.
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
        parts.append(text(x + width / 2, y + height + 36, corruptions[name].unit))
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
