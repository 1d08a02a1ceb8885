from __future__ import annotations

from collections.abc import Callable
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


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that the trainer made."""
    from tiny_report import train_one

    return train_one(data, tmp_path_factory.mktemp("trained"))


@pytest.fixture
def make_run(data: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a run folder by hand; see :func:`tiny_report.write_run`."""
    from tiny_report import write_run

    def make(folder: str = "a", name: str = "tiny", faces: Path = data, *, finished: bool = True) -> Path:
        return write_run(tmp_path / folder, name, faces, finished=finished)

    return make
