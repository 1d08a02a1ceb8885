"""visavis report: one clear line about a run that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.console import one_error
from support.research import run_visavis, spoil
from support.tiny_report import row
from visavis.errors import InputError
from visavis_train.expression.report.command import report_runs

SKIPPED = "".join(json.dumps(row(number, 0.5)) + "\n" for number in (0, 2))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, "it has no config.json; expected the run folder of an expression experiment"),
        ("config.json", '{"task": "face"}', "config.json: task: found 'face'; expected 'expression'"),
        ("log.jsonl", None, "no epoch stands in its log.jsonl; leave the run out"),
        ("log.jsonl", "hello\nyou\n", "log.jsonl:1: no row of a run's log"),
        ("log.jsonl", '{"epoch": 0}\n', "log.jsonl:1: loss: is missing"),
        ("log.jsonl", SKIPPED, "log.jsonl:2: epoch 2; expected 1"),
        ("report.json", '{"epochs"', "report.json: not JSON"),
        ("expression.onnx", None, "expression.onnx: no such file or folder"),
        ("config.json", {"data": {"path": "faces", "person": "a"}}, "data.person: 'a' has no group; put"),
        ("config.json", {"data": "/nowhere"}, "its data set /nowhere is not here; say where by --data"),
    ],
)
def test_a_bad_run_is_one_clear_line(
    file: str,
    content: str | dict[str, Any] | None,
    message: str,
    make_run: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = make_run()
    spoil(folder / file, content)
    capsys.readouterr()
    assert run_visavis("report", folder, "--out", tmp_path / "out") == 2
    err = one_error(capsys)
    assert err.startswith(f"Error: {folder}")
    assert message in err
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
