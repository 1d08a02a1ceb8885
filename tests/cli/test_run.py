from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.people import PROFILE
from visavis import __version__
from visavis.pipeline import Pipeline
from visavis.track import Track

pytestmark = pytest.mark.usefixtures("painted_puppet")


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    """The single line on standard error; nothing on standard output."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_json_is_all_that_standard_output_holds(
    visavis, make_video, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / name for name in ("o.mp4", "o.npz", "o.motion3.json")]
    flags = ("--out", files[0], "--track", files[1], "--motion", files[2])
    assert visavis("run", make_video(count=12), *flags, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["frames"] == summary["frames_with_face"] == 12
    assert summary["written"] == [str(path) for path in files]
    assert summary["error"] is None
    assert summary["expressions"] == {"happy": 12}
    assert summary["timings_ms"]["face"]["p50"] >= 0
    assert (summary["recognizer"], summary["keep"]) == ("dense", None)
    assert len(Track.load(files[1])) == 12


def test_text(visavis, make_video, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert visavis("run", make_video(count=6), "--track", tmp_path / "t.npz", "--limit-s", 0.1) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "3 frames" in out
    assert "happy 100%" in out
    assert f"wrote {tmp_path / 't.npz'}" in out


def test_the_avatar_is_not_mirrored_beside_a_plain_picture(
    visavis, make_video, scripted_pipeline: Pipeline
) -> None:
    visavis("run", make_video(count=2))
    assert not scripted_pipeline._animator.mirror


def test_a_profile_is_that_of_the_file_that_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, visavis, make_video, scripted_pipeline: Pipeline
) -> None:
    given: list[object] = []
    monkeypatch.setenv("VISAVIS_CONFIG", str(tmp_path))
    monkeypatch.setattr(
        "visavis.pipeline.Pipeline",
        lambda *_, **options: given.append(options["profile"]) or scripted_pipeline,
    )
    PROFILE.save(tmp_path / "profile.json")
    assert visavis("run", make_video(count=2), "--profile", "me") == 0
    assert visavis("run", make_video(count=2)) == 0
    assert given == [PROFILE, None]


def test_truncated_file_keeps_results_and_exits_2(
    visavis, make_video, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_video(count=90, size=(96, 64))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    assert visavis("run", path, "--track", tmp_path / "t.npz", "--json") == 2
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert len(Track.load(tmp_path / "t.npz")) == summary["frames"] > 0
    assert err.count("\n") == 1
    assert summary["error"] in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.mp4"], "missing.mp4: no such file"),
        (["clip.mp4", "--profile", "none.json"], "none.json: no such file"),
        (["93"], "camera 93 was not found"),
        (["text.mp4"], "not a video, or damaged"),
        (["clip.mp4", "--out", "clip.gif"], "expected a name that ends in .mp4"),
        (["clip.mp4", "--out", "clip.mp4"], "would overwrite the source"),
        (["clip.mp4", "--track", "none/t.npz"], "does not exist"),
        (["clip.mp4", "--track", "t.csv"], "'t.csv': expected a name that ends in .npz"),
        (["clip.mp4", "--out", ""], "expected a name that ends in"),
        (["clip.mp4", "--out", "n" * 300 + ".mp4"], "File name too long"),
        (["n" * 300 + ".mp4"], "File name too long"),
        (["clip.mp4", "--track", "pipe.npz"], "is no regular file"),
        (["clip.mp4", "--limit-s", "0"], "--limit-s is 0; expected seconds"),
        (["https://example.org/a.mp4"], "https://example.org/a.mp4: addresses are not read"),
        (["100"], "a camera's number is 0 to 99"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    visavis,
    make_video,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    make_video("clip.mp4", count=3)
    (tmp_path / "text.mp4").write_text("hello")
    os.mkfifo(tmp_path / "pipe.npz")
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert visavis("run", *arguments) == 2
    assert message in one_error(capsys)
    assert set(tmp_path.iterdir()) == before


def test_version_and_help(visavis, capsys: pytest.CaptureFixture[str]) -> None:
    assert visavis("--version") == 0
    assert capsys.readouterr().out == f"visavis {__version__}\n"
    assert visavis("run", "--help") == 0
    assert "--limit-s" in capsys.readouterr().out


@pytest.mark.parametrize(
    "option", [["--nonsense"], ["--limit-s", "inf"], ["--limit-s", "nan"], ["--limit-s", "-1"]]
)
def test_impossible_options_exit_2(visavis, make_video, option: list[str]) -> None:
    assert visavis("run", make_video(count=2), *option) == 2


def test_the_pipeline_is_closed(visavis, make_video, scripted_pipeline: Pipeline) -> None:
    visavis("run", make_video(count=2))
    assert scripted_pipeline._tracker.closed


def test_the_command_line_loads_lazily() -> None:
    heavy = ("numpy", "cv2", "av", "onnxruntime")
    code = f"import sys, visavis.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
