"""The research commands as a whole: the list of lab, and understandable help for each command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from visavis_train.commands import faces, sparsity, talks, tokens

LAB = faces.COMMANDS | tokens.COMMANDS | talks.COMMANDS | sparsity.COMMANDS


def test_listing_the_commands_loads_nothing_heavy() -> None:
    program = (
        "import sys; from visavis.cli import app; app(['lab', '--help'], standalone_mode=False); "
        "assert not {'torch', 'onnxruntime', 'cv2', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in LAB:
        assert f" {name} " in done.stdout


@pytest.mark.parametrize("name", LAB)
def test_each_command_has_an_example(name: str) -> None:
    text = LAB[name].__doc__ or ""
    assert text[0].isupper()
    assert f"visavis lab {name}" in text
