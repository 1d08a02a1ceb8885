"""The documents on the front door: the examples run, and the reference matches the code."""

from __future__ import annotations

import importlib.util
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer import Context
from typer.main import get_command

from support.console import one_error
from visavis import cli

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
EXTRA_PACKAGES = ("pandas",)


def run(name: str, *words: object) -> str:
    """What an example prints."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_portrait_is_watched() -> None:
    lines = run("watch_a_face.py").splitlines()
    assert len(lines) == 50
    assert all("Face 0: happy" in line for line in lines[25:])


def test_mira_is_drawn(tmp_path: Path) -> None:
    run("draw_mira.py", tmp_path / "m.png", "jawOpen=0.5")
    assert (tmp_path / "m.png").stat().st_size > 10_000


@pytest.mark.shared
@pytest.mark.slow
def test_clips_become_tables_and_reactions(shared: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes((shared / "data" / "video" / "lp_d0.mp4").read_bytes())
    assert "widest smile: 0." in run("track_to_table.py", clip)
    assert len((tmp_path / "clip_table.csv").read_text("utf-8").splitlines()) == 79
    assert run("drive_your_avatar.py", clip).count('"ParamAngleX"') == 78
    assert "listener 2: head moves by" in run("listen_to_a_person.py", clip)


def test_each_example_is_listed_and_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (EXAMPLES / "README.md").read_text("utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f"({path.name})" in page
        for wrong in ("no/file.png", "."):
            monkeypatch.setattr(sys, "argv", [str(path), wrong])
            with pytest.raises(SystemExit, match="2"):
                runpy.run_path(str(path), run_name="__main__")
            assert wrong.removesuffix("png") in one_error(capsys)
    command = [sys.executable, str(EXAMPLES / "watch_a_face.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        program.stdout.close()
        assert (program.stderr.read(), program.wait()) == (b"", 141)


def test_the_python_reference_is_that_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("maker", ROOT / "docs" / "make_python_reference.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert maker.PAGE.read_text("utf-8") == maker.page()


def blocks(language: str) -> list[tuple[str, str]]:
    """The code blocks of a language: the document's name and the text."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), EXAMPLES / "README.md"]
    block = re.compile(rf"^ *```{language}\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
    return [(page.name, text) for page in pages for text in block.findall(page.read_text("utf-8"))]


def test_commands_in_the_documents_have_the_names_options_and_experiments_that_there_are() -> None:
    wrong, seen, program = [], 0, get_command(cli.app)
    for page, text in blocks("sh"):
        for line in re.findall(r"^.*?\bvisavis ([a-z].*)", text.replace("\\\n", " "), re.MULTILINE):
            words, command = shlex.split(line.removesuffix("; done"), comments=True), program
            while hasattr(command, "commands"):
                name = words.pop(0)
                if (found := command.get_command(Context(command), name)) is None:
                    break
                command = found
            known = {option for parameter in command.params for option in parameter.opts}
            seen += 1
            wrong += [
                (page, line, word)
                for word in (word.strip("[]") for word in words)
                if (word.startswith("--") and word not in known)
                or (re.fullmatch(r"experiments/\w+\.toml", word) and not (ROOT / word).is_file())
            ]
    assert wrong == []
    assert seen > 90


def test_imports_in_the_documents_work() -> None:
    lines = re.findall(r"^(?:from|import) .*", "\n".join(text for _, text in blocks("python")), re.MULTILINE)
    for line in sorted({line for line in lines if "visavis_train" not in line}):
        try:
            exec(line, {})  # noqa: S102
        except ModuleNotFoundError as error:  # A package of an extra.
            assert error.name in EXTRA_PACKAGES  # noqa: PT017
