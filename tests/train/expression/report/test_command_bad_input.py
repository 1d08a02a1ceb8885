"""visavis report: one clear line about a run that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.research import run_visavis
from support.tiny_report import row
from visavis.errors import InputError
from visavis_train.expression.report.command import report_runs


def no_run(folder: Path) -> None:
    (folder / "config.json").unlink()


def other_task(folder: Path) -> None:
    (folder / "config.json").write_text('{"task": "face"}')


def no_log(folder: Path) -> None:
    (folder / "log.jsonl").unlink()


def foreign_log(folder: Path) -> None:
    (folder / "log.jsonl").write_text("hello\nyou\n")


def poor_row(folder: Path) -> None:
    (folder / "log.jsonl").write_text('{"epoch": 0}\n')


def skipped_epoch(folder: Path) -> None:
    (folder / "log.jsonl").write_text("".join(json.dumps(row(n, 0.5)) + "\n" for n in (0, 2)))


def cut_report(folder: Path) -> None:
    (folder / "report.json").write_text('{"epochs"')


def no_network(folder: Path) -> None:
    (folder / "expression.onnx").unlink()


def no_data(folder: Path, data: object = "/nowhere") -> None:
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, "data": data}))


def no_group(folder: Path) -> None:
    no_data(folder, {"path": "faces", "person": "a"})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_run, "it has no config.json; expected the run folder of an expression experiment"),
        (other_task, "config.json: task: Input should be 'expression'"),
        (no_log, "no epoch stands in its log.jsonl; leave the run out"),
        (foreign_log, "log.jsonl:1: no row of a run's log"),
        (poor_row, "log.jsonl:1: loss: Field required"),
        (skipped_epoch, "log.jsonl:2: epoch 2; expected 1"),
        (cut_report, "report.json: not JSON"),
        (no_network, "expression.onnx: cannot be read"),
        (no_group, "data.0.person: 'a' has no group; put"),
        (no_data, "its data set /nowhere is not here; say where by --data"),
    ],
)
def test_a_bad_run_is_one_clear_line(
    spoil: Callable[[Path], None],
    message: str,
    make_run: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = make_run()
    spoil(folder)
    capsys.readouterr()
    assert run_visavis("report", folder, "--out", tmp_path / "out") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"Error: {folder}")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_other_bad_input(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_run()
    with pytest.raises(InputError, match=r"the same run as .*: give each run once"):
        report_runs([folder, folder / ".." / "a"], tmp_path / "out")
    with pytest.raises(InputError, match="no such folder; expected the run folder"):
        report_runs([tmp_path / "none"], tmp_path / "out")
    with pytest.raises(InputError, match=": no split 'test' here; it has Training, PublicTest"):
        report_runs([folder], tmp_path / "out", split="test")
    with pytest.raises(InputError, match=r"expected experiment files \(\*\.toml\)"):
        report_runs([folder], tmp_path / "out", experiments=tmp_path / "none")
    (tmp_path / "q.json").write_text("{}")
    with pytest.raises(InputError, match=r"q\.json: expected JSON with variants"):
        report_runs([folder], tmp_path / "out", quantized=tmp_path / "q.json")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="is no folder; choose another place"):
        report_runs([folder], folder / "config.json" / "out")
