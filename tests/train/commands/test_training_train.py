"""visavis train: one reading of the file, the named task, and bad input before heavy imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support import tiny_fer
from support.console import CommandLine, one_error


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    tiny_fer.write(tmp_path)
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_fer.CONFIG.format(data=tmp_path, out=tmp_path / "run"))
    return path


SHORT = ("--set", "training.epochs=1", "--set", "training.image_px_schedule=[]")


def test_trains_resumes_and_prints_the_report(
    visavis: CommandLine, toml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert visavis("train", toml, *SHORT) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["name"] == "tiny"
    assert told.err.count("epoch 1/1 at 48 px") == 1
    assert "\x1b" not in told.err  # No bar where standard error is no terminal.
    assert visavis("train", toml, *SHORT) == 2
    assert "already holds a run: add --resume" in " ".join(capsys.readouterr().err.split())
    assert visavis.json("train", toml, *SHORT, "--resume")["epochs"] == 1


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        (None, (), "no such file; expected an experiment"),
        ("task = ", (), "not a TOML file"),
        ("task = 'dance'", (), "task is 'dance'; expected one of expression, pretraining, face, detector"),
        ("task = 'face'", (), "packs: is missing"),
        ("task = 'pretraining'", ("--set", "pack=a"), "out: is missing"),
        ("task = 'pretraining'", ("--install",), "an expression run's init takes its result"),
        ("task = 'detector'", ("--set", "pack=a"), "videos: is missing"),
        ("task = 'detector'", ("--install",), "--install is for the tasks expression, tokenizer"),
        ("name = 'x'", (), "data: is missing"),
        ("data = 'none'", (), "data is none: no such file or folder; name yours with --data PATH"),
        ("name = 'x'", ("--set", "data='none'"), "data is none: no such file"),
        ("task = 'listener'\nname = 'x'", ("--data", "."), "out: is missing"),
        ("name = 'x'", ("--set", "epochs"), "expected key=value"),
    ],
)
def test_bad_input_ends_with_status_2_and_one_line(
    visavis: CommandLine,
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
    err = one_error(capsys)
    assert message in err
    assert err.startswith("Error: ")
    assert set(tmp_path.iterdir()) <= {path}


@pytest.mark.parametrize(
    ("data", "words", "message"),
    [
        ("none", (), "Error: --data none: no such file or folder"),
        ("here", ("--set", "sed=3"), "Error: --set: sed: no such key; did you mean seed?"),
        ("here", ("--set", "data=none"), "Error: --set: data is none: no such file or folder"),
    ],
)
def test_without_a_file_errors_name_what_was_typed(
    visavis: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data: str,
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    assert visavis("train", "--data", data, "--out", "run", *words) == 2
    assert one_error(capsys).startswith(message)
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


@pytest.mark.parametrize(
    "words", [("train",), ("export", "--out", "o.onnx"), ("report",), ("lab", "export-face", "--help")]
)
def test_help_and_missing_files_need_no_torch(tmp_path: Path, words: tuple[str, ...]) -> None:
    program = (
        "import sys; sys.modules['torch'] = None; from visavis.cli import main; "
        "sys.argv = ['visavis', *sys.argv[1:]]; main()"
    )

    def run(*place: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, words[0], *map(str, place), *words[1:]]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    if words[0] == "lab":
        done = run()
        assert (done.returncode, "Usage" in done.stdout) == (0, True)
        return
    done = run(tmp_path / "none")
    assert (done.returncode, "no such f" in done.stderr) == (2, True)
    if words[0] != "train":
        done = run(tmp_path)
        assert done.returncode == 2
        assert "needs the package 'torch': install the extra 'train', in a clone with" in done.stderr
        assert "pip install -e '.[train]'" in done.stderr
