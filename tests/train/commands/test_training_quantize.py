"""visavis quantize: the gate, the table, and bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from support.console import CommandLine
from support.tiny_networks import write_data, write_run
from visavis_train.commands.training import QuantizationMethod
from visavis_train.expression.quantize.methods import METHODS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, its network under another name, and data that it reads perfectly."""

    folder = tmp_path_factory.mktemp("made")
    network = write_run(folder / "run") / "expression.onnx"
    (folder / "net.onnx").write_bytes(network.read_bytes())
    write_data(folder, network.read_bytes())
    return folder


@pytest.fixture
def stranger(made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The quantiser gives another network's answers."""

    other = (write_run(tmp_path / "other", seed=3) / "expression.onnx").read_bytes()
    monkeypatch.setattr("visavis_train.expression.quantize.int4.nf4", lambda _: other)


def test_writes_what_passes_the_gate(
    visavis: CommandLine, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, data = tmp_path / "my q.onnx", made / "fer2013.csv"
    words = ("quantize", made / "net.onnx", "--method", "nf4", "--data", data, "--out", out)
    assert visavis(*words, "--max-loss", "60", "--json") == 0
    told = capsys.readouterr()
    assert " ".join(told.err.split()) == f"next: visavis run 0 --recognizer '{out}'"
    answer = json.loads(told.out)
    assert (answer["split"], answer["n"], answer["accuracy_fp32"]) == ("PublicTest", 35, 1.0)
    assert answer["bytes"] == out.stat().st_size < (made / "net.onnx").stat().st_size
    assert answer["change_points"] == pytest.approx(100 * (answer["accuracy"] - 1), abs=0.01)
    assert list(tmp_path.iterdir()) == [out]
    measured = visavis.json("evaluate", "expressions", data, "--model", out, "--json")
    assert (measured["accuracy"], measured["model"]["bytes"]) == (answer["accuracy"], answer["bytes"])


@pytest.mark.usefixtures("stranger")
def test_a_loss_is_refused_on_the_split_that_is_named(
    visavis: CommandLine, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "q.onnx"
    words = ("quantize", made / "net.onnx", "--method", "nf4", "--data", made, "--out", out)
    assert "points on FER-2013, PublicTest (100.00% to " in visavis.error(*words, "--split", "PublicTest")
    assert not list(tmp_path.glob("q*"))
    # There the 32-bit network is always wrong, so nothing can be lost.
    assert visavis(*words, "--split", "PrivateTest") == 0
    assert "times smaller than in 32 bits; accuracy" in capsys.readouterr().out  # files may be in 16 bits
    assert out.exists()


def test_one_table_of_all_methods(visavis: CommandLine, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visavis_train.expression.quantize.comparison.TIMED_CALLS", 5)
    before = set(made.rglob("*"))
    answer = visavis.json("quantize", made / "run", "--compare", "--data", made, "--json")
    names = ["fp32", "int8", "int4", "nf4"]
    assert [row["name"] for row in answer["variants"]] == names
    first = answer["variants"][0]
    assert (first["ratio"], first["change_points"], first["speed_up"]) == (1.0, 0.0, {"1": 1.0, "2": 1.0})
    for row in answer["variants"][1:]:
        low, high = row["interval_95_points"]
        assert low <= row["change_points"] <= high
        assert row["ratio"] == pytest.approx(first["bytes"] / row["bytes"], abs=1e-3)
        assert row["latency_ms"]["2"]["p50"] <= row["latency_ms"]["2"]["p95"]
    assert set(made.rglob("*")) == before


def test_text_is_a_table_and_says_what_is_left_out(
    visavis: CommandLine, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (made / "fer2013.csv").read_text().splitlines()
    (tmp_path / "fer2013.csv").write_text("\n".join(row for row in rows if "Training" not in row))
    assert visavis("quantize", made / "net.onnx", "--compare", "--data", tmp_path) == 0
    told = capsys.readouterr()
    assert told.out.startswith("net.onnx on FER-2013, PublicTest: 35 faces")
    table = [line.split()[0] for line in told.out.splitlines() if line.strip()][4:]
    assert table == ["fp32", "nf4"]
    assert "int4 is left out: " in told.err
    assert "35 faces are too few for a reliable interval" in told.err
    assert "up to 8.6 points" in told.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.onnx", "--method", "int8", "--out", "q.onnx"], "none.onnx: no such file or folder"),
        (["broken.onnx", "--method", "int8", "--out", "q.onnx"], "broken.onnx"),
        (["net.onnx", "--method", "int8"], "give --method and --out"),
        (["net.onnx", "--compare", "--out", "q.onnx"], "give --method and --out"),
        (["net.onnx", "--method", "int8", "--out", "net.onnx"], "would overwrite the source"),
        (["net.onnx", "--method", "int8", "--out", "q.bin"], "q.bin': expected a name that ends in .onnx"),
        (["net.onnx", "--method", "int8", "--out", "q.onnx", "--split", "Test"], "no split 'Test' here"),
        (["net.onnx", "--method", "int3", "--out", "q.onnx"], "'int3' is not one of"),
        (["run", "--method", "int8", "--out", "none/q.onnx", "--max-loss", "100"], "none does not exist"),
        (["run", "--method", "int8", "--out", "q.onnx", "--max-loss", "inf"], "--max-loss is inf; expected"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    visavis: CommandLine,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes((made / "net.onnx").read_bytes())
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    (tmp_path / "run").symlink_to(made / "run")
    before = set(tmp_path.iterdir())
    assert message in visavis.error("quantize", *words, "--data", made)
    assert set(tmp_path.iterdir()) == before


def test_the_command_offers_every_method() -> None:
    assert get_args(QuantizationMethod) == tuple(METHODS)
