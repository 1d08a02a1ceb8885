"""A fake VTube Studio, and a folder for its tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from visavis.testing import FakeVTubeStudio


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VISAVIS_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def studio() -> Iterator[FakeVTubeStudio]:
    with FakeVTubeStudio() as fake:
        yield fake
