"""What a command told."""

from __future__ import annotations

import pytest


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    """The single line on standard error; nothing is on standard output."""
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err
