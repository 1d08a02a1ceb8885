from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from visavis import cli
from visavis.pipeline import Pipeline


@pytest.fixture
def visavis(
    command_line: Callable[..., int], monkeypatch: pytest.MonkeyPatch, scripted_pipeline: Pipeline
) -> Callable[..., int]:
    """Runs a command line on the scripted pipeline; returns its exit status."""

    def made(*_: object, mirror: bool = True, **__: object) -> Pipeline:
        scripted_pipeline.mirror = mirror
        return scripted_pipeline

    monkeypatch.setattr("visavis.pipeline.Pipeline", made)
    return command_line


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs a command line; returns its exit status."""

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["visavis", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return call
