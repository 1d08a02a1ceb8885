from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.conversations import call, make, tree
from visavis.channels import FACE_INDEX
from visavis.corpus.build import build_corpus, plan
from visavis.corpus.engines import InProcess, Processes, open_engine
from visavis.corpus.recording import CorpusRecording, CorpusSettings, Source, list_recordings
from visavis.corpus.segments import RecordingJob
from visavis.errors import InputError, MissingExtraError

pytestmark = pytest.mark.usefixtures("squares")

JAW = FACE_INDEX["jawOpen"]


# Segments of 4 s: a call of 24 s at 5 frames a second has five.
SETTINGS = {"segment_s": 4.0, "parquet": find_spec("pyarrow") is not None}
BUILD = """
import signal, sys
from pathlib import Path
from support.conversations import slow_worker
from visavis.corpus import build, engines, ray_data
from visavis.corpus.recording import CorpusSettings, list_recordings

signal.signal(signal.SIGTERM, signal.default_int_handler)
engine, settings, root, *videos = sys.argv[1:]
engine = engines.InProcess(slow_worker) if engine == "local" else ray_data.RayData(2, None, slow_worker)
recordings = list_recordings([Path(video) for video in videos], "train", pairs=False)
todo = build.plan(Path(root), recordings, CorpusSettings(**eval(settings)))
with open(root + ".frames", "a") as log:
    result = build.build_corpus(todo, engine, lambda frames: print(frames, file=log, flush=True))
sys.exit(130 if result.interrupted else 0)
"""


@pytest.fixture
def calls(tmp_path: Path) -> list[Path]:
    """Two calls of which each has several segments."""
    return [
        call(tmp_path / f"{name}.mp4", count, 5, sound_hz=440) for name, count in (("a", 120), ("b", 130))
    ]


def start(engine: str, root: Path, videos: list[Path]) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", BUILD, engine, repr(SETTINGS), str(root), *map(str, videos)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE)


def wait_for_segment(program: subprocess.Popen[bytes], root: Path) -> None:
    """Wait until the program has finished one more segment."""
    before = set(root.glob(".segments/*.npz"))
    while not set(root.glob(".segments/*.npz")) - before:
        assert program.poll() is None, program.stderr.read().decode()
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.slow
def test_a_build_that_is_killed_within_recordings_gives_the_same_bytes(
    tmp_path: Path, calls: list[Path]
) -> None:
    make(tmp_path / "unbroken", *calls, **SETTINGS)
    broken, kills = tmp_path / "broken", 4
    chance = random.Random(0)
    for _ in range(kills):
        with start("local", broken, calls) as program:
            wait_for_segment(program, broken)
            time.sleep(chance.uniform(0, 0.3))
            program.send_signal(signal.SIGKILL)
    # What a kill in the middle of writing would leave.
    (broken / ".partial" / "train-b-1").mkdir(parents=True, exist_ok=True)
    (broken / ".partial" / "train-b-1" / "1.npy").write_bytes(b"half")
    (broken / ".segments" / "0.npz.partial").write_bytes(b"half")
    (broken / "items" / "train").mkdir(parents=True, exist_ok=True)
    (broken / "items" / "train" / "b.json.partial").write_text("{")
    (broken / "train" / "3D_FV_files" / "visavis" / "b" / "A").mkdir(parents=True, exist_ok=True)
    (broken / "train" / "3D_FV_files" / "visavis" / "b" / "A" / "1.npy").write_bytes(b"half")
    make(broken, *calls, **SETTINGS)
    assert tree(broken) == tree(tmp_path / "unbroken")
    # Each kill cost at most the segment that was being made, with its run-up; each segment was made once.
    frames = (tmp_path / "broken.frames").read_text().count("1")
    assert frames <= 250 + 9 * 20 + kills * 45


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ray_gives_the_same_bytes_also_after_its_end(tmp_path: Path, calls: list[Path]) -> None:
    pytest.importorskip("ray.data", reason="needs the extra scale")
    make(tmp_path / "unbroken", *calls, **SETTINGS)
    broken = tmp_path / "broken"
    with start("ray", broken, calls) as program:
        wait_for_segment(program, broken)
        program.send_signal(signal.SIGTERM)
        said = program.communicate(timeout=120)[1].decode()
    assert (program.returncode, said) == (130, "")
    with start("ray", broken, calls) as program:
        said = program.communicate(timeout=240)[1].decode()
    assert (program.returncode, said) == (0, "")
    assert tree(broken) == tree(tmp_path / "unbroken")


@pytest.mark.slow
def test_several_processes_give_what_one_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals need no network: the workers do not know this test's stand-ins."""
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_text("hello")
    videos = [tmp_path / f"{name}.mp4" for name in "abc"]
    monkeypatch.undo()
    make(tmp_path / "one", *videos)
    todo = plan(tmp_path / "many", list_recordings(videos, "train", pairs=False), CorpusSettings())
    result = build_corpus(todo, Processes(2), lambda _: None)
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


def test_ray_refuses_names_that_are_no_utf_8(tmp_path: Path) -> None:
    pytest.importorskip("ray.data", reason="needs the extra scale")
    source = Source(os.fsdecode(b"caf\xe9.mp4"), 1, 1, "ab")
    recording = CorpusRecording("caf_", "train", (Path(source.path),))
    job = RecordingJob(tmp_path, recording, CorpusSettings(), (source,), ())
    with pytest.raises(InputError, match=r"Ray takes only names in UTF-8"):
        next(open_engine("ray", 1).run([job], lambda _: None))
