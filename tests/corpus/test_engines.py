from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.conversations import SquareTracker, call, make, square_pipeline, tree
from visavis.channels import FACE_INDEX
from visavis.corpus.build import build, plan
from visavis.corpus.engines import InProcess, Processes, open_engine
from visavis.corpus.recording import Settings, list_recordings
from visavis.errors import InputError, MissingExtraError

JAW = FACE_INDEX["jawOpen"]


@pytest.fixture(autouse=True)
def squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visavis.corpus.item.Pipeline", square_pipeline)
    monkeypatch.setattr("visavis.corpus.item.open_tracker", lambda *_: SquareTracker())


SLOW_BUILD = """
import sys, time
from pathlib import Path
from support import conversations
from visavis.corpus import build, engines, item
from visavis.corpus.recording import Settings, list_recordings

item.Pipeline = conversations.square_pipeline
item.open_tracker = lambda *_: conversations.SquareTracker()
videos = [Path(name) for name in sys.argv[2:]]
todo = build.plan(Path(sys.argv[1]), list_recordings(videos, "train", pairs=False), Settings())
build.build(todo, engines.InProcess(), lambda frames: time.sleep(0.02))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.slow
def test_a_killed_build_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    videos = [call(tmp_path / f"{name}.mp4") for name in "abc"]
    make(tmp_path / "unbroken", *videos)
    broken = tmp_path / "broken"
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", SLOW_BUILD, str(broken), *map(str, videos)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}) as program:
        while not (broken / "items" / "train" / "a.json").exists():
            assert program.poll() is None
            time.sleep(0.01)
        program.send_signal(signal.SIGKILL)
    assert not (broken / "items" / "train" / "c.json").exists()
    # What a kill in the middle of writing would leave.
    (broken / ".partial" / "train-b-1").mkdir(parents=True, exist_ok=True)
    (broken / ".partial" / "train-b-1" / "1.npy").write_bytes(b"half")
    (broken / "items" / "train" / "c.json.partial").write_text("{")
    (broken / "train" / "3D_FV_files" / "visavis" / "c" / "A").mkdir(parents=True)
    (broken / "train" / "3D_FV_files" / "visavis" / "c" / "A" / "1.npy").write_bytes(b"half")
    resumed = make(broken, *videos)
    assert resumed.kept >= 1
    assert tree(broken) == tree(tmp_path / "unbroken")


@pytest.mark.slow
def test_several_processes_give_what_one_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals need no network: the workers do not know this test's stand-ins."""
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_text("hello")
    videos = [tmp_path / f"{name}.mp4" for name in "abc"]
    monkeypatch.undo()
    make(tmp_path / "one", *videos)
    todo = plan(tmp_path / "many", list_recordings(videos, "train", pairs=False), Settings())
    result = build(todo, Processes(2), lambda _: None)
    assert [outcome.name for outcome in result.outcomes] == ["a", "b", "c"]
    assert tree(tmp_path / "many") == tree(tmp_path / "one")


def test_engines_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_engine("local", 1), InProcess)
    assert isinstance(open_engine("local", 3), Processes)
    with pytest.raises(InputError, match="--jobs is 0; expected at least 1"):
        open_engine("local", 0)
    with pytest.raises(InputError, match="no engine is called 'slurm'; there are: local, ray"):
        open_engine("slurm", 1)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"--engine ray needs the package 'ray'.*'scale'"):
        open_engine("ray", 1)
