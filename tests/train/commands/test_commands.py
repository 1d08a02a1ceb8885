"""The research commands as a whole: the list of lab, and an example of each."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.research import run_visavis
from visavis_train.commands import faces, renders, servers, sparsity, talks, tokens, training

LAB = {
    command.__name__.replace("_", "-"): command
    for part in (faces, renders, tokens, talks, sparsity, servers, training)
    for command in part.COMMANDS
}
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


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
        (("lab", "tracks", "faces.npy"), ".npz"),
        (("lab", "negatives", "pack", "a.mp4", "--out", "squares.npz"), ".npy"),
        (("lab", "smiles", "calls.npz", "--out", "smiles.csv"), ".json"),
        (("lab", "correspond", "head.npz", "x.task", "--out", "table.json"), ".csv"),
        (("lab", "behavior", "l.toml", "--results", "found.md"), ".json"),
        (("lab", "convert-weights", "net.pth", "--out", "new.pth"), ".safetensors"),
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


def test_the_reference_lists_each_command_of_lab() -> None:
    section = REFERENCE.read_text("utf-8").partition("## visavis lab\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `([a-z0-9-]+)` ", section, re.MULTILINE)) == sorted(LAB)
