"""The documents on the front door: the examples run, and the reference matches the code."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def run(name: str, *words: object) -> str:
    """What an example prints."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_portrait_is_watched() -> None:
    lines = run("watch_a_face.py").splitlines()
    assert len(lines) == 50
    assert all("Face 0: happy" in line for line in lines[25:])


def test_mira_is_drawn(tmp_path: Path) -> None:
    run("draw_mira.py", tmp_path / "m.png", "jawOpen=0.5")
    assert (tmp_path / "m.png").stat().st_size > 10_000


@pytest.mark.shared
@pytest.mark.slow
def test_clips_become_tables_and_reactions(shared: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes((shared / "data" / "video" / "lp_d0.mp4").read_bytes())
    assert "widest smile: 0." in run("track_to_table.py", clip)
    assert len((tmp_path / "clip.csv").read_text("utf-8").splitlines()) == 79
    assert run("drive_your_avatar.py", clip).count('"ParamAngleX"') == 78
    assert "listener 2: head moves by" in run("listen_to_a_person.py", clip)


def test_each_example_is_listed() -> None:
    page = (EXAMPLES / "README.md").read_text("utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f"({path.name})" in page


def test_the_python_reference_is_that_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("maker", ROOT / "docs" / "make_python_reference.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert maker.PAGE.read_text("utf-8") == maker.page()
