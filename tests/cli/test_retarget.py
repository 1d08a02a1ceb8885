"""The command ``visavis retarget``."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from visavis.avatar.retarget import Retargeting, presets
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.cli import app
from visavis.errors import InputError
from visavis.track import Track
from visavis.types import FaceState


def output(*words: str | Path) -> str:
    return CliRunner().invoke(app, ["retarget", *map(str, words)], catch_exceptions=False).output


@pytest.mark.parametrize("name", presets())
def test_a_printed_preset_is_the_preset(name: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(output(name), encoding="utf-8")
    assert Retargeting.load(mine).rules == Retargeting.preset(name).rules
    assert output(mine) == f"{mine}: no mistakes in {len(Retargeting.preset(name).parameters)} parameters\n"


def test_the_parameters_of_a_track_become_a_table(tmp_path: Path) -> None:
    faces = np.random.default_rng(0).uniform(0, 1, (5, len(FACE_CHANNELS))).astype(np.float32)
    faces[2] = np.nan
    found = np.asarray([True, True, False, True, True])
    expression = np.full((5, len(EXPRESSION_CHANNELS)), np.nan, np.float32)
    Track(np.arange(5) / 25, faces, expression, found, 25.0).save(tmp_path / "t.npz")

    table = tmp_path / "values.csv"
    assert output("live2d", "--track", tmp_path / "t.npz", "--out", table) == f"wrote {table}\n"
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    made = Retargeting.preset("live2d")
    assert list(rows[0]) == ["time_s", *made.parameters]
    assert [row["time_s"] for row in rows] == ["0.000000", "0.040000", "0.080000", "0.120000", "0.160000"]
    for row, face, seen in zip(rows, faces, found, strict=True):
        told = {name: row[name] for name in made.parameters}
        if seen:
            expected = made.apply(FaceState(face))
            assert {name: float(value) for name, value in told.items()} == pytest.approx(expected, rel=1e-5)
        else:
            assert set(told.values()) == {""}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vtubstudio"], "did you mean 'vtubestudio'"),
        (["vrm", "--track", "t.npz"], "--track and --out belong together"),
        (["vrm", "--out", "v.csv"], "--track and --out belong together"),
        (["vrm", "--profile", "me"], "--profile needs --track and --out"),
        (["vrm", "--track", "t.csv", "--out", "t.csv"], "would overwrite the source"),
        (["vrm", "--track", "t.npz", "--out", "no/such/v.csv"], "does not exist; make it first"),
        (["vrm", "--track", "none.npz", "--out", "v.csv"], "none.npz"),
    ],
)
def test_wrong_requests_are_told(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        output(*words)
    assert not list(tmp_path.iterdir())
