"""The report's charts as inline SVG, in the page's colours."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter

from visavis_train.expression.report import paper
from visavis_train.expression.report.findings import Findings, Measured

# Matplotlib needs colours, but the page has different ones in its light and dark mode. So charts use these
# colours, which are then replaced by the page's CSS variables.
INK, SOFT, EDGE, HEAT = "#010203", "#010204", "#010205", "#010206"
SERIES = tuple(f"#0103{number:02x}" for number in range(8))
VARIABLES = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    EDGE: "var(--edge)",
    HEAT: "var(--heat)",
    **{color: f"var(--series-{number})" for number, color in enumerate(SERIES)},
}
# For more runs than colours.
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.5)))
# Width of a chart over the page, and over half of it, in inches of 72 units.
WIDE, HALF = 9.0, 4.6


@dataclass(slots=True)
class Chart:
    """A chart during drawing.

    Attributes:
        axes: to draw on.
        svg: the finished drawing; empty until the drawing has ended.
    """

    axes: Axes
    svg: str = ""


@contextmanager
def _chart(label: str, width: float, height: float) -> Iterator[Chart]:
    """Draw in the block; ``label`` describes the chart for screen readers."""
    with mpl.rc_context(
        {
            "svg.hashsalt": label,
            "svg.fonttype": "none",
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "text.parse_math": False,  # A run's name may hold dollar signs.
            "text.color": INK,
            "axes.labelcolor": SOFT,
            "axes.edgecolor": SOFT,
            "axes.titlesize": 9.5,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "xtick.color": SOFT,
            "ytick.color": SOFT,
            "grid.color": EDGE,
            "legend.frameon": False,
            "figure.constrained_layout.use": True,
        }
    ):
        figure = Figure(figsize=(width, height))
        chart = Chart(figure.subplots())
        yield chart
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    chart.svg = _inline(text.getvalue(), label)


def _inline(svg: str, label: str) -> str:
    """A Matplotlib SVG as an element of a page, without prologue, names, fixed size, fonts and colours."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style .*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r' id="[\w.]+_\d+"', "", body)
    body = re.sub(r'(<svg [^>]*?)width="\S+" height="\S+"', r"\1", body, count=1)
    body = body.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
    body = re.sub(r"font-family: [^;\"]*", "font-family: system-ui, sans-serif", body)
    body = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 system-ui, sans-serif", body)
    for color, variable in VARIABLES.items():
        body = body.replace(color, variable)
    return body


def class_counts_figure(name: str, split: str, counts: Mapping[str, int]) -> str:
    """Figure 1: faces of each label in a split."""
    with _chart(f"{name}, {split}: faces of each label", WIDE, 2.6) as chart:
        bars = chart.axes.bar(list(counts), list(counts.values()), color=SERIES[0], width=0.66)
        chart.axes.bar_label(bars, [f"{count:,}" for count in counts.values()], color=INK, padding=2)
        chart.axes.set_ylabel("faces")
        chart.axes.tick_params(axis="x", length=0, labelcolor=INK)
        chart.axes.margins(y=0.12)
    return chart.svg


def accuracy_curves(findings: Findings) -> str:
    """Figure 3: accuracy for each epoch, on the split that chooses the best epoch."""
    with _chart("accuracy on PublicTest after each epoch, by run, with the paper's", WIDE, 3.8) as chart:
        epochs = [row.epoch for row in paper.TABLE_1]
        _paper_line(chart.axes, epochs, [row.accuracy for row in paper.TABLE_1], "paper: ViT, validation")
        for number, each in enumerate(findings.runs):
            values = [row.accuracy for row in each.run.epochs]
            _line(chart.axes, number, values, each.run.name)
            if each.run.release is not None:
                chosen = each.run.release.best_epoch
                chart.axes.plot([chosen], values[chosen - 1 : chosen], "o", color=_color(number))
        chart.axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        _finish_curves(chart.axes, "accuracy")
    return chart.svg


def loss_curves(findings: Findings) -> str:
    """Table 1's losses: training loss of each run for each epoch."""
    with _chart("loss of each epoch, by run, with the paper's", WIDE, 3.8) as chart:
        epochs = [row.epoch for row in paper.TABLE_1]
        for what, values, dash in (
            ("training", [row.training_loss for row in paper.TABLE_1], "--"),
            ("validation", [row.validation_loss for row in paper.TABLE_1], ":"),
        ):
            _paper_line(chart.axes, epochs, values, f"paper: ViT, {what}", dash)
        for number, each in enumerate(findings.runs):
            _line(chart.axes, number, [row.loss for row in each.run.epochs], f"{each.run.name}, training")
        _finish_curves(chart.axes, "loss")
    return chart.svg


def _color(number: int) -> str:
    return SERIES[number % len(SERIES)]


def _line(axes: Axes, number: int, values: Sequence[float], label: str) -> None:
    """A run's figures over its epochs; a point for a single epoch."""
    dash = DASHES[number // len(SERIES) % len(DASHES)]
    marker = "." if len(values) == 1 else ""
    epochs = range(1, len(values) + 1)
    axes.plot(epochs, values, color=_color(number), linestyle=dash, marker=marker, linewidth=1.8, label=label)


def _paper_line(
    axes: Axes, epochs: Sequence[int], values: Sequence[float], label: str, dash: str = "--"
) -> None:
    axes.plot(
        epochs, values, color=INK, linestyle=dash, marker="D", markersize=3.5, linewidth=1.2, label=label
    )


def _finish_curves(axes: Axes, what: str) -> None:
    axes.set_xlabel("epoch")
    axes.set_ylabel(what)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")
    # Next to the lines, so that it never covers them.
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)


def confusion(measured: Measured, name: str) -> str:
    """Figure 4: faces of each label (row) by the network's answer (column), shaded by share of the row."""
    counts, names = measured.evaluation.confusion, measured.evaluation.names
    with _chart(f"{name}: confusion matrix on {measured.split}", HALF, HALF) as chart:
        axes = chart.axes
        for row, line in enumerate(counts):
            for column, count in enumerate(line):
                share = count / max(line.sum(), 1)
                axes.add_patch(Rectangle((column, row), 1, 1, facecolor=HEAT, alpha=share, edgecolor="none"))
                axes.text(column + 0.5, row + 0.5, str(count), ha="center", va="center")
        places = [index + 0.5 for index in range(len(names))]
        axes.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(places, names)
        axes.set(xlim=(0, len(names)), ylim=(len(names), 0), aspect="equal", xlabel="answer", ylabel="truth")
        axes.tick_params(length=0, labelcolor=INK)
        axes.spines[:].set_visible(False)
        axes.set_title(name)
    return chart.svg


def accuracies(findings: Findings) -> str:
    """Accuracy of every finished run with its interval, and the paper's."""
    finished = [(each.run.name, each.measured) for each in findings.runs if each.measured is not None]
    rows = [f"paper: {model.name}" for model in paper.MODELS] + [name for name, _ in finished]
    with _chart("accuracy of every model, with 95% intervals", WIDE, _height(rows)) as chart:
        axes = chart.axes
        for place, model in enumerate(paper.MODELS):
            _mark(axes, model.accuracy, place, "D", INK, f"{model.accuracy:.1%}, no interval")
        for place, (_, measured) in enumerate(finished, start=len(paper.MODELS)):
            low, high = measured.evaluation.interval_95
            axes.plot([low, high], [place, place], color=SERIES[0], linewidth=2)
            scores = measured.evaluation.scores
            _mark(axes, scores.accuracy, place, "o", SERIES[0], f"{scores.accuracy:.1%}, {measured.split}")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.margins(x=0.15)
        _finish_rows(axes, rows)
    return chart.svg


def sizes(sizes_bytes: Mapping[str, float]) -> str:
    """Sizes on a logarithmic scale; names that begin with ``paper`` have the paper's mark."""
    rows = list(sizes_bytes)
    with _chart("sizes of the models", WIDE, _height(rows)) as chart:
        for place, (name, size) in enumerate(sizes_bytes.items()):
            ours = not name.startswith("paper")
            text = f"{size / 1e6:.2f} MB" if size < 1e7 else f"{size / 1e6:.0f} MB"
            _mark(chart.axes, size / 1e6, place, *(("o", SERIES[0]) if ours else ("D", INK)), text)
        chart.axes.set_xscale("log")
        chart.axes.xaxis.set_major_formatter("{x:g}")
        chart.axes.xaxis.set_minor_formatter(NullFormatter())
        chart.axes.set_xlabel("MB (1,000,000 bytes), logarithmic")
        chart.axes.margins(x=0.15)
        _finish_rows(chart.axes, rows)
    return chart.svg


def _height(rows: Sequence[str]) -> float:
    return 0.8 + 0.3 * len(rows)


def _mark(axes: Axes, x: float, place: int, marker: str, color: str, text: str) -> None:
    axes.plot([x], [place], marker, color=color, markersize=6)
    axes.annotate(text, (x, place), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8)


def _finish_rows(axes: Axes, rows: Sequence[str]) -> None:
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.6, -0.9)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
