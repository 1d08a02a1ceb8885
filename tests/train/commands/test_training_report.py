"""visavis report: passes its arguments on, and names missing things."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support import tiny_fer
from support.console import CommandLine
from visavis.base import networks


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of one epoch."""
    tiny_fer.write(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()
    config = {"name": "tiny", "data": str(tmp_path), "seed": 1}
    config |= {"model": {"kind": "hybrid"}, "training": {"epochs": 1}}
    epoch = {"epoch": 0, "loss": 1.0, "seconds": 2.0, "fer2013_accuracy": 0.5}
    release = {"config": "tiny.toml", "epochs": 1, "best_epoch": 1, "machine": {}, "parameters": 1, "macs": 1}
    for name, value in {"config.json": config, "log.jsonl": epoch, "report.json": release}.items():
        (folder / name).write_text(json.dumps(value) + "\n")
    (folder / "expression.onnx").write_bytes(networks.read("expression"))
    return folder


def test_json_is_the_file(
    visavis: CommandLine, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert visavis("report", run, "--out", tmp_path / "out", "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == json.loads((tmp_path / "out" / "report.json").read_text())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.html", "report.json", "report.md"}


def test_bad_input_ends_with_status_2(
    visavis: CommandLine, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert visavis("report", run, run, "--out", tmp_path / "out") == 2
    assert "give each run once" in " ".join(capsys.readouterr().err.split())
    assert visavis("report") == 2
