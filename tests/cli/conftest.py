from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from visavis import cli
from visavis.pipeline import Pipeline


@pytest.fixture
def visavis(monkeypatch: pytest.MonkeyPatch, scripted_pipeline: Pipeline) -> Callable[..., int]:
    """Runs a command line on the scripted pipeline; returns its exit status."""
    monkeypatch.setattr(Pipeline, "default", lambda **_: scripted_pipeline)

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["visavis", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return call
