"""The command line as a user has it, in this process."""

from __future__ import annotations

import pytest

from visavis.cli import main


def run_lab(*words: object) -> int:
    """``visavis lab ...``; returns the exit status. Errors are told on standard error."""
    return run_visavis("lab", *words)


def run_visavis(*words: object) -> int:
    """``visavis ...``; returns the exit status. Errors are told on standard error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["visavis", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)
