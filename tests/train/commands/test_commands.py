"""The research commands as a whole: the list of lab, and understandable help for each command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from support.research import run_visavis
from visavis.cli import app
from visavis_train.commands import faces, renders, servers, sparsity, talks, tokens, training

LAB = {
    command.__name__.replace("_", "-"): command
    for part in (faces, renders, tokens, talks, sparsity, servers, training)
    for command in part.COMMANDS
}
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def all_commands() -> dict[str, str]:
    """The help texts of all commands, by name."""
    groups = [((), typer.main.get_command(app))]
    found = {}
    for path, group in groups:
        for name in group.list_commands(None):
            command = group.get_command(None, name)
            if hasattr(command, "list_commands"):
                groups.append(((*path, name), command))
            else:
                found[" ".join([*path, name])] = command.help
    return found


HELP = all_commands()


def test_listing_the_commands_loads_nothing_heavy() -> None:
    program = (
        "import sys; from visavis.cli import app; app(['lab', '--help'], standalone_mode=False); "
        "assert not {'torch', 'onnxruntime', 'cv2', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in LAB:
        assert f" {name} " in done.stdout


@pytest.mark.parametrize(
    ("words", "ending"),
    [
        (("export", "run", "--out", "net.pt"), ".onnx"),
        (("retarget", "vtubestudio", "--track", "t.npz", "--out", "values.json"), ".csv"),
        (("lab", "predict", "pack.npz", "--out", "r.npy"), ".npz"),
        (("lab", "predict", "pack.npz", "--out", "r.npz", "--submission", "s.npz"), ".npy"),
        (("lab", "face-states", "fer", "pack.pt"), ".npz"),
        (("lab", "skins", "head.npz", "crops", "model.task", "skins"), ".npz"),
    ],
)
def test_files_end_as_their_kind_does(
    words: tuple[str, ...],
    ending: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_visavis(*words) == 2
    assert f"expected a name that ends in {ending}\n" in capsys.readouterr().err


@pytest.mark.parametrize("name", LAB)
def test_each_command_has_an_example(name: str) -> None:
    text = LAB[name].__doc__ or ""
    assert text[0].isupper()
    assert f"visavis lab {name}" in text
    assert hasattr(LAB[name], "__wrapped__"), "Ctrl-C says nothing"


@pytest.mark.parametrize("name", HELP)
def test_help_shows_each_example_on_its_own_line(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "200"})
    lines = [line.strip() for line in shown.stdout.splitlines()]
    examples = re.findall(rf"^ *(visavis {name}\b.*)$", HELP[name], re.MULTILINE)
    assert [one for one in examples if one not in lines] == []


def test_the_reference_lists_each_command_of_lab() -> None:
    section = REFERENCE.read_text("utf-8").partition("## visavis lab\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `([a-z0-9-]+)` ", section, re.MULTILINE)) == sorted(LAB)
