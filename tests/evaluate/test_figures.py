"""Figures: well-formed files without external parts, with the data's marks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from support.svg import SVG, read_svg
from visavis.drawing.svg import svg_path
from visavis.errors import InputError
from visavis.evaluate.corruptions import CORRUPTIONS, SEVERITIES
from visavis.evaluate.figures import robustness_figure
from visavis.evaluate.robustness import Robustness, Score


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


def test_the_figure_is_well_formed_and_all_of_it_can_be_seen() -> None:
    svg = robustness_figure(robustness())
    root = read_svg(svg)
    width, height = (float(root.attrib[key]) for key in ("width", "height"))
    for element in root.iter():
        for key, end in (("x", width), ("cx", width), ("x2", width), ("y", height), ("cy", height)):
            assert 0 <= float(element.attrib.get(key, 0)) <= end
    assert "nan" not in svg
    assert "prefers-color-scheme: dark" in svg


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
    read_svg(robustness_figure(replace(robustness(), dataset="<b>&", split='a"<script>')))


@pytest.mark.parametrize("name", ["r.png", "r", ".svg"])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="figures are SVG files"):
        svg_path(Path(name))
    assert svg_path(Path("r.SVG")) == Path("r.SVG")
