"""The commands ``visavis avatar``."""

from __future__ import annotations

from pathlib import Path

import pytest

from visavis.capture.image import read_image
from visavis.channels import EXPRESSIONS
from visavis.motion.exp3 import read_exp3


def test_a_sheet_of_the_avatar(visavis, tmp_path: Path) -> None:
    assert visavis("avatar", "sheet", tmp_path / "mira.png") == 0
    picture = read_image(tmp_path / "mira.png")
    assert picture.shape[1] > picture.shape[0]
    assert picture.std() > 20


def test_expressions_as_files(visavis, tmp_path: Path) -> None:
    assert visavis("avatar", "expressions", tmp_path / "looks") == 0
    files = {path.name: read_exp3(path) for path in (tmp_path / "looks").iterdir()}
    assert set(files) == {f"{name}.exp3.json" for name in EXPRESSIONS}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sheet", "mira.jpg"], "ends in .png"),
        (["sheet", "mira.png", "--model", "nowhere.model3.json"], "no such file"),
        (["expressions", "file.txt/looks"], "is no folder"),
    ],
)
def test_bad_input(
    visavis, arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.txt").touch()
    assert message in visavis.error("avatar", *arguments)
