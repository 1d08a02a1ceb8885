"""visavis report: the same measurements as evaluate, and runs in any state."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TextIO
from xml.etree import ElementTree

import pytest

from support.tiny_report import row
from visavis.cli.evaluate import evaluation_json
from visavis.datasets.registry import find_dataset
from visavis.errors import InputError
from visavis.evaluate.expressions import Model, evaluate
from visavis.metrics.expression import negative_log_likelihood
from visavis_train.expression.report import paper
from visavis_train.expression.report.command import report_runs
from visavis_train.expression.report.runs import read_runs
from visavis_train.expression.report.tables import Table, duration


class Reader(HTMLParser):
    """Collects what a page would load, and whether its elements are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for key, value in attrs if key in ("src", "href", "xlink:href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts are drawn but not painted, which takes most of a report's time."""
    from matplotlib.figure import Figure

    def empty(figure: Figure, file: TextIO, **_: Any) -> None:
        file.write("<svg></svg>")

    monkeypatch.setattr(Figure, "savefig", empty)


def test_figures_are_those_of_evaluate(
    trained: Path, make_run: Callable[..., Path], data: Path, tmp_path: Path
) -> None:
    facts = report_runs(
        [trained, make_run("b", "other"), make_run("c", "young", finished=False)], tmp_path / "out"
    )
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == json.loads(json.dumps(facts))
    found = find_dataset(data)
    faces = found.read()
    rights = []
    for run, folder in zip(facts["runs"], (trained, tmp_path / "b"), strict=False):
        model = Model.load(folder / "expression.onnx")
        result = evaluate(faces, model.classifier, training=found.read("Training"))
        expected = evaluation_json(result, model)
        assert {**run["evaluation"], "ms_per_face": 0} == {**expected, "ms_per_face": 0}
        assert run["evaluation"]["ms_per_face"] > 0
        assert run["loss"] == round(negative_log_likelihood(result.probabilities, faces.labels), 4)
        rights.append(result.probabilities.argmax(axis=1) == faces.labels)
    page, text = ((tmp_path / "out" / name).read_text("utf-8") for name in ("report.html", "report.md"))
    for run in facts["runs"][:2]:
        low, high = run["evaluation"]["interval_95"]
        cell = f"{run['evaluation']['accuracy']:.1%} ({low:.1%} to {high:.1%})"
        assert cell in page
        assert cell in text
    (pair,) = facts["pairs"]
    assert (pair["first"], pair["second"], pair["n"]) == ("trained", "other", len(faces))
    assert pair["difference"] == pytest.approx(rights[0].mean() - rights[1].mean())
    assert facts["unpaired"] is None
    counts = facts["counts"]["FER-2013"]
    assert {name: sum(split.values()) for name, split in counts.items()} == {
        "Training": 140,
        "PublicTest": 35,
    }
    young = facts["runs"][2]
    assert (young["status"], young["evaluation"]) == ("not finished: 2 of 40 epochs", None)
    assert [line["loss"] for line in young["log"]] == [1.5, 1.25]
    assert "50.0% so far (epoch 2)" in page
    assert "| other | hybrid | nothing | 1.14 M | 59.2 M |" in text
    assert "2 (1) | 2 min | 7 | Abacus, 3 threads |" in text


def test_the_page_loads_nothing_and_its_charts_are_whole(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    report_runs([make_run("a", "<b>&"), make_run("b", "x", finished=False)], tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert "script" not in reader.tags
    assert "b" not in reader.tags  # Names are text, never markup.
    assert all(place.startswith("#") for place in reader.loads)
    assert "url(http" not in page
    charts = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    assert len(charts) == 6
    identifiers: list[str] = []
    for chart in charts:
        root = ElementTree.fromstring(chart)  # noqa: S314 (our own)
        assert root.get("role") == "img"
        assert root.get("aria-label")
        identifiers += [element.get("id", "") for element in root.iter() if element.get("id")]
        assert "font-family: system-ui" in chart
        # Every colour is one of the page's: it follows light and dark.
        assert set(re.findall(r"(?:fill|stroke): ([^;\"]+)", chart)) <= {
            "none", *(f"var(--{name})" for name in ("ink", "soft", "edge", "heat")),
            *(f"var(--series-{number})" for number in range(8)),
        }  # fmt: skip
    assert len(set(identifiers)) == len(identifiers)
    for number in paper.TABLE_1:
        assert f"{number.accuracy:.1%}" in page
    assert "84.43 MB is the size of an int8 model" in page
    assert "choose their epoch on PublicTest" in page


@pytest.mark.usefixtures("unpainted")
def test_different_faces_are_not_paired(make_run: Callable[..., Path], data: Path, tmp_path: Path) -> None:
    other = tmp_path / "faces"
    other.mkdir()
    lines = (data / "fer2013.csv").read_text().splitlines()
    (other / "fer2013.csv").write_text("\n".join(lines[:-1]) + "\n")  # One face fewer.
    runs = [make_run("a", "one"), make_run("b", "two", other)]
    facts = report_runs(runs, tmp_path / "out")
    assert facts["pairs"] == []
    assert facts["unpaired"].startswith(
        "Runs that were measured on different faces are not compared face by face "
        "(one: 35 faces of FER-2013 PublicTest; two: 34 faces of FER-2013 PublicTest)"
    )
    assert len(facts["counts"]) == 2
    together = report_runs(runs, tmp_path / "out", data=other)
    assert together["unpaired"] is None
    assert [(pair["n"], pair["difference"]) for pair in together["pairs"]] == [(34, 0.0)]


def test_a_killed_run_is_read_up_to_its_last_whole_line(make_run: Callable[..., Path]) -> None:
    folder = make_run(finished=False)
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"epoch": 2, "lo')
    (run,) = read_runs([folder])
    assert [epoch.epoch for epoch in run.epochs] == [0, 1]


def test_a_log_of_an_earlier_version_is_read(make_run: Callable[..., Path]) -> None:
    folder = make_run(finished=False)
    (folder / "log.jsonl").write_text('{"epoch": 0, "loss": 1, "seconds": 2, "fer2013_accuracy": 0.5}\n')
    (run,) = read_runs([folder])
    assert (run.epochs[0].accuracy, run.epochs[0].validation_loss) == (0.5, None)


def test_a_run_that_went_on_has_not_ended(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    assert read_runs([folder])[0].status == "finished"
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps(row(2, 0.5)) + "\n")
    assert read_runs([folder])[0].status == "not finished: 3 of 40 epochs"


def test_runs_of_one_name_are_told_apart(make_run: Callable[..., Path]) -> None:
    one, two, three = make_run("a"), make_run("b"), make_run("c", "else")
    assert [run.name for run in read_runs([one, two, three])] == [f"tiny ({one})", f"tiny ({two})", "else"]


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({}, "nothing"),
        ({"init": "runs/taught/best.safetensors"}, "taught"),
        ({"init": "best.safetensors"}, "best.safetensors"),
        ({"init": "assets/expression.onnx"}, "assets/expression.onnx"),
        ({"model": {"kind": "sae"}}, "its streams"),
        ({"model": {"kind": "timm", "name": "resnet50", "pretrained": True}}, "a hub"),
    ],
)
@pytest.mark.usefixtures("unpainted")
def test_where_a_run_began_is_told(
    changes: dict[str, Any], start: str, make_run: Callable[..., Path], tmp_path: Path
) -> None:
    config = make_run(finished=False) / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | changes))
    facts = report_runs([config.parent], tmp_path / "out")
    assert facts["runs"][0]["start"] == start
    assert f" | {start} | " in (tmp_path / "out" / "report.md").read_text("utf-8")


def test_what_was_not_run_is_listed(make_run: Callable[..., Path], tmp_path: Path) -> None:
    files = tmp_path / "experiments"
    files.mkdir()
    (files / "tiny.toml").write_text("name = 'tiny'")
    (files / "big.toml").write_text("# Needs a GPU, and\n# time. More.\nname = 'big'\nout = '/nowhere'")
    (files / "done.toml").write_text(f"name = 'done'\nout = '{make_run('b')}'")
    (files / "face.toml").write_text("task = 'face'")
    quantized = tmp_path / "q.json"
    quantized.write_text('{"variants": [{"name": "tiny, int8", "bytes": 1200000}]}')
    facts = report_runs([make_run()], tmp_path / "out", experiments=files, quantized=quantized)
    assert [(each["name"], each["status"], each["what"]) for each in facts["not_run"]] == [
        ("big", "not run", "Needs a GPU, and time."),
        ("done", "run, but not given here", ""),
    ]
    assert facts["quantized"] == [{"name": "tiny, int8", "size_bytes": 1200000}]
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert (files / "big.toml").as_posix() in page
    assert ">tiny, int8</text>" in page
    assert ">1.20 MB</text>" in page


def test_tables() -> None:
    assert Table(("a", "b"), (("x|y", "1"),)).markdown() == "| a | b |\n| --- | --- |\n| x\\|y | 1 |\n"
    with pytest.raises(InputError, match="a row of 1 cells in a table of 2 columns"):
        Table(("a", "b"), (("x",),))
    assert [duration(seconds) for seconds in (59, 61, 7859.5)] == ["59 s", "1 min", "2 h 11 min"]
