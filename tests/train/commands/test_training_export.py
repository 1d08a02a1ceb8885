"""visavis export: a run's network as ONNX, and folders that are not runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from support.console import CommandLine
from support.research import spoil
from support.tiny_networks import write_data, write_run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("made") / "run")


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "run")


def test_writes_what_evaluate_accepts(visavis: CommandLine, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.onnx"
    data = write_data(tmp_path, (run / "expression.onnx").read_bytes())
    answer = visavis.json("export", run, "--out", out, "--json")
    assert (answer["out"], answer["bytes"]) == (str(out), out.stat().st_size)
    measured = visavis.json("evaluate", "expressions", data, "--model", out, "--json")
    assert (measured["accuracy"], measured["model"]["sha256"]) == (1.0, answer["sha256"])


def test_half_takes_fewer_bytes(
    visavis: CommandLine, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full, half = tmp_path / "full.onnx", tmp_path / "half.onnx"
    assert visavis("export", run, "--out", full) == 0
    assert visavis("export", run, "--out", half, "--half") == 0
    assert "half.onnx: 0." in (said := capsys.readouterr().out)
    assert "answers as torch does to 0.005" in said
    assert half.stat().st_size < full.stat().st_size


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "config.json",
            None,
            "run: no run: config.json cannot be read; expected a folder that visavis train",
        ),
        ("best.safetensors", None, "run: no best.safetensors; expected a run that has finished an epoch"),
        ("best.safetensors", "x", "best.safetensors: not a readable checkpoint"),
        ("config.json", '{"task": "face"}', "config.json: not the settings of an expression run: task"),
        ("config.json", "{", "config.json: not the settings of an expression run"),
        (
            "config.json",
            {"model": {"layers": 2}},
            "best.safetensors: made for another network: of 75 tensors, 12 missing (layers.1.",
        ),
    ],
)
def test_folders_that_are_no_runs(
    visavis: CommandLine,
    run: Path,
    tmp_path: Path,
    file: str,
    content: str | dict[str, Any] | None,
    message: str,
) -> None:
    spoil(run / file, content)
    assert message in visavis.error("export", run, "--out", tmp_path / "mine.onnx")
    assert list(tmp_path.iterdir()) == [run]


def test_an_embedded_network_needs_its_experiment(
    visavis: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = visavis.error("export", "expression_sparse", "--out", "a.onnx")
    assert (
        "expression_sparse: its experiment experiments/fer_sparse_taught.toml is not here; run this" in told
    )
