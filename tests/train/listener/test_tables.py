"""Tables of trained listeners."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.research import run_lab


def test_bits_of_runs_stand_in_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for gate, seed, true, other in ((0.25, 1, 3.0, 3.02), (0.25, 2, 3.2, 3.24), ("none", 1, 3.5, None)):
        folder = tmp_path / f"{gate}_{seed}"
        folder.mkdir()
        config = {"name": "one", "data": "packs", "out": str(folder), "seed": seed, "model": {"gate": gate}}
        bits = {"true_speaker": true, "other_speaker": other, "alone": 4.0}
        report = {"name": "one", "corpus": "tiny", "cost": {"parameters": 1234}, "test_bits_per_frame": bits}
        for name, values in (("config", config), ("report", report)):
            (folder / f"{name}.json").write_text(json.dumps(values))
    assert run_lab("listener-bits", *sorted(tmp_path.iterdir())) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| `model.gate = 0.25` | 2 | 1,234 | 3.100 ± 0.141 | 3.130 ± 0.156 | 4.000 ± 0.000 "
        "| 0.0300 ± 0.0141 |",
        '| `model.gate = "none"` | 1 | 1,234 | 3.500 | - | 4.000 | - |',
    ]
    (folder / "report.json").write_text(json.dumps(report | {"corpus": "other"}))
    assert run_lab("listener-bits", *tmp_path.iterdir()) == 2
    assert "the runs are of other, tiny; expected one corpus" in capsys.readouterr().err
    (folder / "report.json").unlink()
    assert run_lab("listener-bits", folder) == 2
    assert "expected the folder of a finished run" in capsys.readouterr().err
