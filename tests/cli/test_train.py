"""visavis train: hands the command line to the task that the file names, and its exit status back."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from support import tiny_fer

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra train")


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    tiny_fer.write(tmp_path)
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_fer.CONFIG.format(data=tmp_path, out=tmp_path / "run"))
    return path


SHORT = ("--set", "training.epochs=1", "--set", "training.sizes=[]")


def test_trains_resumes_and_prints_the_report(
    visavis: Callable[..., int], toml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert visavis("train", toml, *SHORT) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["name"] == "tiny"
    assert told.err.count("epoch 1/1 at 48 px") == 1
    assert "\x1b" not in told.err  # No bar where standard error is no terminal.
    assert visavis("train", toml, *SHORT) == 2
    assert "already holds a run: add --resume" in " ".join(capsys.readouterr().err.split())
    assert visavis("train", toml, *SHORT, "--resume") == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == 1


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        (None, (), "cannot be read"),
        ("task = ", (), "not a TOML file"),
        ("task = 'dance'", (), "task is 'dance'; expected one of emotion, pretraining, face, detector"),
        ("task = 'face'", (), "packs: Field required"),
        ("task = 'pretraining'", ("--set", "pack=a"), "out: Field required"),
        ("task = 'pretraining'", ("--install",), "an emotion run's init takes its result"),
        ("task = 'detector'", ("--set", "pack=a"), "videos: Field required"),
        ("task = 'detector'", ("--install",), "--install is for the tasks emotion, tokenizer"),
        ("name = 'x'", (), "data: Field required"),
        ("name = 'x'", ("--set", "epochs"), "expected key=value"),
    ],
)
def test_bad_input_ends_with_status_2_and_one_line(
    visavis: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    words: tuple[str, ...],
    message: str,
) -> None:
    path = tmp_path / "e.toml"
    if content is not None:
        path.write_text(content)
    assert visavis("train", path, *words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err
    assert told.err.startswith("Error: ")
    assert told.err.count("\n") == 1
    assert set(tmp_path.iterdir()) <= {path}


def test_without_the_extra_it_says_what_to_install(
    visavis: Callable[..., int],
    toml: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def find(name: str) -> ModuleSpec | None:
        return None if name == "accelerate" else importlib.util.find_spec(name)

    monkeypatch.setattr(sys.modules["visavis.cli.research"], "find_spec", find)
    assert visavis("train", toml) == 2
    assert capsys.readouterr().err == (
        "Error: visavis train needs the package 'accelerate': install it with pip install 'visavis[train]'\n"
    )


def test_arguments_reach_the_task_as_they_are(
    visavis: Callable[..., int], toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def main() -> int:
        seen.append(list(sys.argv))
        return 0

    monkeypatch.setattr("visavis_train.__main__.main", main)
    assert visavis("train", toml, "--install", "--set", "a=1", "--resume", "--set", "b=[2, 3]") == 0
    words = ["--resume", "--install", "--set", "a=1", "--set", "b=[2, 3]"]
    assert seen == [["visavis train", str(toml), *words]]


def test_help_has_an_example(visavis: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert visavis("train", "--help") == 0
    assert "visavis train experiments/" in capsys.readouterr().out
