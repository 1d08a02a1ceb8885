"""visavis evaluate robustness: the promised figures, and bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import tiny_sparse
from support.pictures import picture
from support.svg import read_svg
from support.tiny_fer import write_faces
from visavis.base import networks
from visavis.evaluate.corruptions import CORRUPTIONS, SEVERITIES

FIELDS = "dataset split n limit seed clean mean_corrupted_accuracy corruptions model".split()
SCORE = "severity level accuracy interval_95 mean_accuracy kept".split()


@pytest.fixture
def fer2013(tmp_path: Path) -> Path:
    """Six faces to train on, six to test on."""
    usages = ["Training"] * 6 + ["PublicTest"] * 6
    return write_faces(tmp_path, [(seed % 6, picture(seed), usage) for seed, usage in enumerate(usages)])


@pytest.mark.slow
def test_json_has_what_it_promises(visavis, fer2013: Path) -> None:
    plot = fer2013.parent / "r.svg"
    answer = visavis.json("evaluate", "robustness", fer2013, "--json", "--plot", plot, quiet=True)
    assert list(answer) == FIELDS
    assert (answer["dataset"], answer["split"], answer["n"], answer["seed"]) == (
        "FER-2013",
        "PublicTest",
        6,
        0,
    )
    assert list(answer["clean"]) == SCORE
    assert list(answer["corruptions"]) == list(CORRUPTIONS)
    for name, group in answer["corruptions"].items():
        assert group["unit"] == CORRUPTIONS[name].unit
        assert [score["severity"] for score in group["severities"]] == list(SEVERITIES)
        assert [score["level"] for score in group["severities"]] == list(CORRUPTIONS[name].levels)
    assert answer["model"]["sha256"] == networks.manifest()["expression"].sha256
    read_svg(plot.read_text("utf-8"))
    # The faces as they are score as in an evaluation.
    plain = visavis.json("evaluate", "expressions", fer2013, "--json")
    for key in ("accuracy", "interval_95", "mean_accuracy"):
        assert answer["clean"][key] == plain[key]


def test_a_limit_and_a_seed_choose_the_faces(visavis, fer2013: Path) -> None:
    answers = []
    for seed in (0, 0, 5):
        options = ("--limit", 2, "--seed", seed, "--split", "Training", "--json")
        answers.append(visavis.json("evaluate", "robustness", fer2013, *options))
    assert answers[0] == answers[1]
    assert (answers[0]["n"], answers[0]["limit"], answers[0]["split"]) == (2, 2, "Training")
    assert answers[2]["seed"] == 5


def test_the_sparse_recognizer_is_measured_too(
    visavis, fer2013: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_sparse.embed(monkeypatch)
    options = ("--model", "sparse", "--keep", "0.5", "--limit", 2, "--json")
    model = visavis.json("evaluate", "robustness", fer2013, *options)["model"]
    assert (model["name"], model["keep"]) == ("expression_sparse", {"rate": 0.5})


def test_text_is_a_table_with_a_row_for_each(
    visavis, fer2013: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert visavis("evaluate", "robustness", fer2013, "--limit", 2) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "FER-2013, PublicTest: 2 faces, expression, seed 0"
    assert lines[1].startswith("accuracy ")
    for name, kind in CORRUPTIONS.items():
        row = next(line for line in lines if line.split(",")[0].strip() == name)
        assert kind.unit in row
        assert all(f"{level:g}: " in row for level in kind.levels)
    assert "…" not in "".join(lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "test"], "no split 'test' here"),
        (["--plot", "r.png"], "r.png: figures are SVG files; choose a name that ends in .svg"),
        (["--limit", "0"], "Invalid value for '--limit'"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--model", "none.onnx"], "none.onnx: no such file or folder"),
        (["--model", "hybrid"], "--model hybrid: no recogniser of that name; expected dense or sparse"),
        (["--keep", "0.3"], "a keep rate is for a recogniser that drops tokens"),
        (["--labels", "ferplus"], "no FER+ votes here"),
    ],
)
def test_bad_input_is_one_line_and_status_2(visavis, fer2013: Path, options: list[str], message: str) -> None:
    assert message in visavis.error("evaluate", "robustness", fer2013, *options, "--json")
    assert [path.name for path in fer2013.parent.iterdir()] == ["fer2013.csv"]


def test_a_plot_that_cannot_be_written_is_one_line(visavis, fer2013: Path) -> None:
    plot = fer2013.parent / "none" / "r.svg"
    assert "r.svg: the folder" in visavis.error(
        "evaluate", "robustness", fer2013, "--limit", 1, "--plot", plot, "--json"
    )
