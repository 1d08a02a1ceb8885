"""A folder of labelled pictures becomes a network with a card, by one command and without private data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.console import one_error
from support.research import run_visavis
from visavis.avatar.expressions import worn
from visavis.avatar.puppet import Puppet
from visavis.avatar.puppet_sheet import PAPER_RGB, write_png
from visavis.channels import EXPRESSIONS
from visavis.types import AvatarPose

pytestmark = pytest.mark.usefixtures("as_users_export")

ANGLES = (-20.0, -8.0, 0.0, 8.0, 20.0)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The avatar with each expression, her head turned in several ways."""
    folder, puppet = tmp_path_factory.mktemp("drawn"), Puppet.load()
    for name in EXPRESSIONS:
        (folder / name).mkdir()
        for angle in ANGLES:
            puppet.reset()
            pose = {**worn(name), "ParamAngleX": angle}
            image = puppet.draw(AvatarPose.from_mapping(pose, 0.0), 160, PAPER_RGB)
            write_png(folder / name / f"{angle:g}.png", image[20:120, 30:130])
    return folder


@pytest.mark.slow
def test_own_pictures_become_a_network_with_a_card(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "my run"
    short = ("--set", "training.epochs=2", "--set", "held_out=0.2")
    assert run_visavis("train", "--data", drawn, "--out", run, *short) == 0
    told = capsys.readouterr()
    assert f"next: visavis quantize '{run}' --method int8 --out NET.onnx" in " ".join(told.err.split())
    report = json.loads(told.out)
    assert report["before_training"]["faces"] == 8
    assert [report[split]["faces"] for split in ("validation", "test")] == [8, 8]
    assert report["validation"]["ferplus_accuracy"] is None
    card = (run / "card.md").read_text("utf-8")
    assert "from the weights of expression" in card
    assert f"{drawn}: 20% of the training faces are held out for validation and as many for test; a" in card
    assert "| all | 24 | 8 | 8 |" in card
    assert "| the same faces before training | 8 | " in card
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert all(row["validation_loss"] > 0 for row in rows)
    assert run_visavis("evaluate", "expressions", run, "--model", run, "--json") == 0
    measured = json.loads(capsys.readouterr().out)
    assert (measured["split"], measured["n"]) == ("test", 8)
    assert measured["accuracy"] == pytest.approx(report["test"]["accuracy"])
    quantized = ("--method", "int8", "--max-loss", "50", "--out", tmp_path / "mine.onnx")
    assert run_visavis("quantize", run, *quantized) == 0
    told = capsys.readouterr()
    assert "on picture table, test" in told.out
    assert "next: visavis run 0 --recognizer" in told.err


def test_what_is_missing_is_told_and_nothing_is_written(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "faces").mkdir()
    table = tmp_path / "faces" / "labels.csv"
    table.write_text(f"picture,label\n{drawn / 'happy' / '0.png'},\n")
    for words, said in (
        (("--data", drawn), "--data DATASET and --out RUN_DIR"),
        (("--data", tmp_path / "none", "--out", tmp_path / "run"), "none: no such file or folder"),
        (("--data", table.parent, "--out", tmp_path / "run"), "labels.csv:2: no label"),
    ):
        assert run_visavis("train", *words) == 2
        assert said in one_error(capsys)
    assert not (tmp_path / "run").exists()
