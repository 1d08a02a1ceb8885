from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from support.conversations import BLUE, RED, draw, film

pytestmark = pytest.mark.usefixtures("squares")


def call(path: Path) -> Path:
    return film(path, [draw([(32, RED), (96, BLUE)])] * 12)


def test_json_is_all_that_standard_output_holds(visavis, tmp_path: Path) -> None:
    out = tmp_path / "c"
    summary = visavis.json("corpus", "build", call(tmp_path / "a.mp4"), "--out", out, "--json")
    assert {key: summary[key] for key in ("out", "kept", "refused", "interrupted")} == {
        "out": str(out),
        "kept": 0,
        "refused": 0,
        "interrupted": False,
    }
    (recording,) = summary["recordings"]
    assert (recording["name"], recording["status"], recording["reason"]) == ("a", "done", None)
    assert recording["sources"] == [str(tmp_path / "a.mp4")]
    assert all((out / name).is_file() for name in recording["files"])
    assert recording["quality"]["people"]["B"]["found"] == 1.0


def test_text_and_going_on(visavis, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("corpus", "build", call(tmp_path / "a.mp4"), "--out", tmp_path / "c")
    assert visavis(*command) == 0
    out = capsys.readouterr().out
    assert "a: 12 frames (0.5 s), faces: A 100%, B 100%" in out
    assert "  A: no sound" in out
    assert visavis(*command) == 0
    assert f"1 recording in {tmp_path / 'c'}, 0 refused; finished before: 1" in capsys.readouterr().out


def test_one_face_is_one_line_and_status_2(
    visavis, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = film(tmp_path / "one.mp4", [draw([(64, RED)])] * 12)
    assert visavis("corpus", "build", path, "--out", tmp_path / "c", "--json") == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["refused"] == 1
    assert err.count("\n") == 1
    assert "one.mp4: one face in 1 of 1 looks at the picture; expected two people side by side" in err


def test_several_refusals_are_listed(visavis, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [film(tmp_path / f"{name}.mp4", [draw([(64, RED)])] * n) for name, n in (("a", 3), ("b", 4))]
    assert visavis("corpus", "build", *paths, call(tmp_path / "c.mp4"), "--out", tmp_path / "c") == 2
    err = capsys.readouterr().err
    assert [line.split(":")[0] for line in err.splitlines()] == ["a", "b", "Error"]
    assert err.endswith("Error: recordings refused: 2 of 3 (a, b); the reasons are above\n")
    more = [film(tmp_path / f"{name}.mp4", [draw([(64, RED)])] * n) for name, n in (("d", 5), ("e", 6))]
    assert visavis("corpus", "build", *paths, *more, "--out", tmp_path / "c", "--json") == 2
    err = capsys.readouterr().err
    assert [line.split(":")[0] for line in err.splitlines()] == ["a", "b", "d", "e", "Error"]
    assert err.endswith("refused: 4 of 4 (a, b, d and 1 other); the reasons are above\n")


def test_a_recording_that_stays_is_counted_with_its_files(
    visavis, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = call(tmp_path / "a.mp4"), tmp_path / "c"
    made = visavis.json("corpus", "build", path, "--out", out, "--json")["recordings"][0]
    path.rename(tmp_path / "d.mp4")
    film(path, [draw([(64, RED)])] * 12)
    assert visavis("corpus", "build", path, "--out", out, "--json") == 2
    (kept,) = json.loads(capsys.readouterr().out)["recordings"]
    assert (kept["status"], kept["files"], kept["quality"]) == ("refused", made["files"], made["quality"])
    assert visavis("corpus", "build", path, tmp_path / "d.mp4", "--out", out) == 2
    told, err = capsys.readouterr()
    assert told.startswith("d: 12 frames")
    assert told.endswith(
        f"1 recording in {out}, 1 refused (kept from an earlier run: 1); finished before: 0\n"
    )
    assert f"{tmp_path / 'd.mp4'}: the same video as in 'a' of train; the corpus has it twice\n" in err


def test_missing_and_double_videos_are_told_at_the_start(
    visavis, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, copy = call(tmp_path / "a.mp4"), tmp_path / "copy.mp4"
    copy.write_bytes(a.read_bytes())
    assert visavis("corpus", "build", a, copy, tmp_path / "none.mp4", "--out", tmp_path / "c", "--json") == 2
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert [one["status"] for one in summary["recordings"]] == ["done", "done", "refused"]
    missing, double, error = err.splitlines()
    assert missing == f"{tmp_path / 'none.mp4'}: cannot be read: No such file or directory"
    assert (
        [double]
        == summary["copies"]
        == [f"{copy}: the same video as in 'a' of train; the corpus has it twice"]
    )
    assert error == "Error: recordings refused: 1 of 3 (none); the reasons are above"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.mp4", "--pairs"], "--pairs takes videos two by two, A before B; found 1"),
        (["none.mp4"], "none.mp4: cannot be read: No such file or directory"),
        (["none.mp4", "no.mp4"], "none.mp4: cannot be read: No such file or directory (and so with 1 more "),
        (["a.mp4", "--fps", "0"], "a corpus has 1 to 240 frames per second; found 0"),
        (["a.mp4", "--jobs", "0"], "--jobs is 0; expected at least 1"),
        (["a.mp4", "--split", "a/b"], "'a/b' is no name of a split"),
        (["a.mp4", "--engine", "ray"], "--engine ray needs the package 'ray'"),
        (["a.mp4", "--engine", "slurm"], "'local', 'ray'"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    visavis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    call(tmp_path / "a.mp4")
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.chdir(tmp_path)
    assert message in visavis.error("corpus", "build", *arguments, "--out", "c")
    assert not (tmp_path / "c").exists()


def test_ctrl_c_ends_with_130(
    visavis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("visavis.corpus.engines.work", interrupt)
    assert visavis("corpus", "build", call(tmp_path / "a.mp4"), "--out", tmp_path / "c") == 130
    assert (
        "interrupted; recordings that are finished: 0 of 1; the same command goes on"
        in capsys.readouterr().err
    )
