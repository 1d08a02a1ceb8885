"""Commands in this process, and what they told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.research import run_visavis


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    """The single line on standard error; nothing is on standard output."""
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


class CommandLine:
    """``visavis ...``: a call gives the exit status."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> int:
        return run_visavis(*words)

    def json(self, *words: object, quiet: bool = False) -> Any:
        """What a command prints, as JSON; it must end well, and if quiet tell nothing else."""
        self._capsys.readouterr()
        assert run_visavis(*words) == 0
        out, err = self._capsys.readouterr()
        assert not (quiet and err)
        return json.loads(out)

    def error(self, *words: object) -> str:
        """The single line that a command tells of bad input, with status 2 and nothing else printed."""
        self._capsys.readouterr()
        assert run_visavis(*words) == 2, words
        return one_error(self._capsys)
