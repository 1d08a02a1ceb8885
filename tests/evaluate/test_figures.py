"""Figures: well-formed files without external parts, with the data's marks."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from support.gray_faces import GrayReader, faces
from support.svg import SVG, read_svg
from visavis.base.clock import ManualClock
from visavis.datasets.faces import LabeledFaces
from visavis.drawing.svg import svg_path
from visavis.errors import InputError
from visavis.evaluate.corruptions import CORRUPTIONS, SEVERITIES
from visavis.evaluate.expressions import Evaluation, evaluate
from visavis.evaluate.figures import (
    calibration_figure,
    class_figure,
    confusion_figure,
    robustness_figure,
    save_evaluation,
)
from visavis.evaluate.robustness import Robustness, Score
from visavis.expression.labels import FER2013_LABELS


def data(split: str = "test") -> LabeledFaces:
    return faces("FER-2013", FER2013_LABELS, [0, 0, 0, 1, 2, 3], [0, 0, 10, 10, 20, 30], split)


def evaluation() -> Evaluation:
    return evaluate(data(), GrayReader(), clock=ManualClock())  # type: ignore[arg-type]


def robustness() -> Robustness:
    def score(severity: int, level: float | None, accuracy: float) -> Score:
        return Score(severity, level, accuracy, (accuracy - 0.1, accuracy + 0.1), accuracy, 1.0)

    groups = {
        name: tuple(score(s, level, 0.6 - 0.1 * s) for s, level in zip(SEVERITIES, kind.levels, strict=True))
        for name, kind in CORRUPTIONS.items()
    }
    return Robustness("FER-2013", "test", 6, 0, score(0, None, 0.6), groups)


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize(
    "svg",
    [
        confusion_figure(evaluation()),
        class_figure([data(), data("Training")]),
        calibration_figure(evaluation(), evaluation().reliability),
        robustness_figure(robustness()),
    ],
)
def test_a_figure_is_well_formed_and_all_of_it_can_be_seen(svg: str) -> None:
    root = read_svg(svg)
    width, height = (float(root.attrib[key]) for key in ("width", "height"))
    for element in root.iter():
        for key, end in (("x", width), ("cx", width), ("x2", width), ("y", height), ("cy", height)):
            assert 0 <= float(element.attrib.get(key, 0)) <= end
    assert "nan" not in svg
    assert "prefers-color-scheme: dark" in svg


def test_confusion_shows_the_shares_of_each_row() -> None:
    root = read_svg(confusion_figure(evaluation()))
    cells = [element for element in root.iter(f"{SVG}rect") if "fill-opacity" in element.attrib]
    assert len(cells) == 49
    shares = np.asarray([float(cell.attrib["fill-opacity"]) for cell in cells]).reshape(7, 7)
    confusion = evaluation().confusion
    expected = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(shares, expected, atol=5e-4)
    assert texts(root).count("67%") == texts(root).count("33%") == 1
    assert texts(root).count("-") == 3 * 7  # Classes without faces have no shares.
    assert cells[1].find(f"{SVG}title").text == "1 of 3 angry answered disgust"  # type: ignore[union-attr]


def test_bars_are_as_long_as_the_shares() -> None:
    root = read_svg(class_figure([data(), data("Training")]))
    bars = [
        [float(e.attrib["width"]) for e in root.iter(f"{SVG}rect") if e.attrib["class"] == kind]
        for kind in ("area", "faint")
    ]
    assert bars[0] == bars[1]
    np.testing.assert_allclose(
        np.asarray(bars[0]) / max(bars[0]), np.asarray([3, 1, 1, 1, 0, 0, 0]) / 3, atol=1e-3
    )
    assert "3 (50.0%) Training" in texts(root)
    assert "3 (50.0%)" in texts(read_svg(class_figure([data()])))


def test_class_counts_need_one_set_of_labels() -> None:
    with pytest.raises(InputError, match="the same labels"):
        class_figure([data(), faces("mine", ("happy",), [0], [10])])
    with pytest.raises(InputError, match="the same labels"):
        class_figure([])


def test_calibration_has_a_dot_for_each_bin_with_faces() -> None:
    root = read_svg(calibration_figure(evaluation()))
    dots = list(root.iter(f"{SVG}circle"))
    assert len(dots) == (evaluation().reliability.faces > 0).sum() == 1
    frame = next(e for e in root.iter(f"{SVG}rect") if e.attrib["class"] == "strip").attrib
    x, y, side = (float(frame[key]) for key in ("x", "y", "width"))
    assert float(dots[0].attrib["cx"]) == pytest.approx(x + 0.9 * side, abs=0.1)
    assert float(dots[0].attrib["cy"]) == pytest.approx(y + side / 6, abs=0.1)
    assert len(list(root.iter(f"{SVG}polyline"))) == 1
    both = read_svg(calibration_figure(evaluation(), evaluation().reliability))
    assert len(list(both.iter(f"{SVG}polyline"))) == 2


def test_a_network_that_is_always_wrong_has_figures_too() -> None:
    wrong = Score(0, None, 0.0, (0.0, 0.0), 0.0, 1.0)
    read_svg(robustness_figure(Robustness("FER-2013", "test", 6, 0, wrong, {"blur": (wrong,) * 3})))


def test_robustness_has_a_panel_for_each_corruption_and_falls_where_accuracy_does() -> None:
    root = read_svg(robustness_figure(robustness()))
    lines = list(root.iter(f"{SVG}polyline"))
    assert len(lines) == len(CORRUPTIONS)
    for line in lines:
        heights = [float(point.split(",")[1]) for point in line.attrib["points"].split()]
        assert len(heights) == 1 + len(SEVERITIES)
        steps = np.diff(heights)
        assert (steps > 0).all()  # Down the page.
        np.testing.assert_allclose(steps, steps[0], atol=0.2)
    for name, kind in CORRUPTIONS.items():
        assert name in texts(root)
        assert kind.unit in texts(root)


def test_names_from_outside_cannot_add_markup() -> None:
    wild = faces("<b>&", ("happy", "anger"), [0, 1], [10, 60], 'a"<script>')
    result = evaluate(wild, GrayReader(), clock=ManualClock())  # type: ignore[arg-type]
    for svg in (confusion_figure(result), class_figure([wild]), calibration_figure(result)):
        read_svg(svg)


def test_three_files_are_written(tmp_path: Path) -> None:
    written = save_evaluation(tmp_path / "new", evaluation(), [data()])
    assert [path.name for path in written] == ["confusion.svg", "classes.svg", "calibration.svg"]
    for path in written:
        read_svg(path.read_text("utf-8"))


@pytest.mark.parametrize("name", ["r.png", "r", ".svg"])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="figures are SVG files"):
        svg_path(Path(name))
    assert svg_path(Path("r.SVG")) == Path("r.SVG")
