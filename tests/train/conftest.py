from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import tiny_fer

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small FER-2013 with votes."""
    folder = tmp_path_factory.mktemp("fer2013")
    tiny_fer.write(folder)
    return folder


@pytest.fixture
def toml(data: Path, tmp_path: Path) -> Path:
    """An experiment on it; its run folder is ``run`` beside it."""
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_fer.CONFIG.format(data=data, out=tmp_path / "run"))
    return path
