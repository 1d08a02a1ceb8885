"""TOML files that extend others."""

from __future__ import annotations

from pathlib import Path

import pytest

from visavis.errors import InputError
from visavis_train.loop.toml_file import read_toml

FIRST = "a = 1\nlist = [1, 2]\n[model]\nkind = 'x'\nwide = 1\n[training]\nepochs = 3\nrate = 0.5\n"


def test_a_file_takes_from_another_what_it_does_not_give(tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text(FIRST)
    (tmp_path / "second.toml").write_text("extends = 'first.toml'\nlist = [3]\n[training]\nepochs = 4\n")
    (tmp_path / "third.toml").write_text("extends = 'second.toml'\na = 2\n[model]\nkind = 'y'\ndeep = 1\n")
    training = {"epochs": 4, "rate": 0.5}
    assert read_toml(tmp_path / "second.toml") == {
        "a": 1,
        "list": [3],
        "model": {"kind": "x", "wide": 1},
        "training": training,
    }
    assert read_toml(tmp_path / "third.toml") == {
        "a": 2,
        "list": [3],
        "model": {"kind": "y", "deep": 1},  # Another kind has other keys.
        "training": training,
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("extends = 'e.toml'", r"e\.toml: extends itself"),
        ("extends = 'none.toml'", r"none\.toml: no such file"),
        ("extends = 3", "extends: found 3; expected the name of a file"),
    ],
)
def test_an_unusable_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "e.toml").write_text(content)
    with pytest.raises(InputError, match=message):
        read_toml(tmp_path / "e.toml")
