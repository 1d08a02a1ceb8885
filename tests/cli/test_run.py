from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support.console import CommandLine
from support.films import read_rgba
from support.live2d_folder import write_model
from support.people import PROFILE
from support.phones import VTubeStudioPhone
from visavis import __version__
from visavis.base.int8 import wanted
from visavis.capture.inputs import schemes
from visavis.capture.video import VideoFile
from visavis.cubism.folder import ModelFolder
from visavis.motion.exp3 import Exp3
from visavis.pipeline import Pipeline
from visavis.testing import PaintedPuppet
from visavis.track import Track
from visavis.types import AvatarPose, ImageArray

pytestmark = pytest.mark.usefixtures("painted_puppet")


def test_json_is_all_that_standard_output_holds(visavis, make_video, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("o.mp4", "o.npz", "o.motion3.json")]
    flags = ("--out", files[0], "--track", files[1], "--motion", files[2])
    summary = visavis.json("run", make_video(count=12), *flags, "--json")
    assert summary["frames"] == summary["frames_with_face"] == 12
    assert summary["written"] == [str(path) for path in files]
    assert summary["error"] is None
    assert summary["expressions"] == {"happy": 12}
    assert summary["timings_ms"]["face"]["p50"] >= 0
    assert (summary["recognizer"], summary["keep"]) == ("dense", None)
    assert summary["int8"] is wanted()
    assert len(Track.load(files[1])) == 12


def test_a_track_alone_moves_no_avatar_and_is_the_same(visavis, make_video, tmp_path: Path) -> None:
    clip, tracks, timings = make_video(count=12), [tmp_path / "a.npz", tmp_path / "b.npz"], []
    for track, more in zip(tracks, [(), ("--motion", tmp_path / "m.motion3.json")], strict=True):
        timings.append(visavis.json("run", clip, "--track", track, *more, "--json")["timings_ms"].keys())
    assert timings == [{"face", "expression"}, {"face", "expression", "avatar"}]
    alone, beside = map(Track.load, tracks)
    for name in ("time_s", "face", "expression", "found", "landmarks_xy"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(beside, name))


def test_text(visavis, make_video, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert visavis("run", make_video(count=6), "--track", tmp_path / "t.npz", "--limit-s", 0.1) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "3 frames" in out
    assert "happy 100%" in out
    assert f"wrote {tmp_path / 't.npz'}" in out
    assert "nothing is kept" not in out
    assert visavis("run", make_video(count=6)) == 0
    assert "nothing is kept; --out, --track" in capsys.readouterr().out


def test_the_avatar_is_not_mirrored_beside_a_plain_picture(
    visavis, make_video, tmp_path: Path, scripted_pipeline: Pipeline
) -> None:
    visavis("run", make_video(count=2), "--motion", tmp_path / "m.motion3.json")
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
        (["clip.mp4", "--track", "t.txt"], "'t.txt': expected a name that ends in .npz, .csv"),
        (["clip.mp4", "--out", ""], "expected a name that ends in"),
        (["clip.mp4", "--out", "n" * 300 + ".mp4"], "File name too long"),
        (["n" * 300 + ".mp4"], "File name too long"),
        (["clip.mp4", "--track", "pipe.npz"], "is not a regular file"),
        (["clip.mp4", "--limit-s", "0"], "--limit-s is 0; expected more than 0"),
        (["https://example.org/a.mp4"], "https://example.org/a.mp4: videos on the internet are not read"),
        (["phone://192.168.1.7"], "no input is called 'phone'; there are"),
        (["vtsphone://"], "name its IP address"),
        (["100"], "a camera's number is 0 to 99"),
        (["clip.mp4", "--model", "m.model3.json"], "name --out FILE or --window"),
        (["clip.mp4", "--wear", "joy", "--out", "o.mp4"], "--wear needs --model"),
        (["clip.mp4", "--model", "m.model3.json", "--out", "o.mp4"], "m.model3.json: no such file"),
        (["clip.mp4", "--model", "m.moc3", "--out", "o.mp4"], "ends in .model3.json"),
        (["clip.mp4", "--picture", "avatar"], "name --out FILE"),
        (["clip.mp4", "--out", "o.mp4", "--background", "soft"], "a video of the avatar alone"),
        (["clip.mp4", "--out", "o.mp4", "--picture", "avatar", "--size", "65"], "a size of 65 px"),
        (
            ["clip.mp4", "--out", "o.mp4", "--picture", "avatar", "--background", "#0f0"],
            "of '#0f0'; expected",
        ),
        (
            ["clip.mp4", "--out", "o.mp4", "--picture", "avatar", "--background", "transparent"],
            "o.mp4: only .webm (VP9) and .mov (ProRes 4444) can be transparent",
        ),
        (["m.motion3.json"], "m.motion3.json: no such file"),
        (["m.motion3.json", "--track", "t.npz"], "a motion holds poses and no face"),
        (["m.motion3.json", "--mode", "listen"], "a motion holds poses and no face"),
        (["m.motion3.json", "--send", "camera://", "--send", "vmc://"], "a motion holds poses and no face"),
        (["m.motion3.json", "--send", "foo://x"], "no output is called 'foo'"),
        (["m.motion3.json", "--send", "vmc"], "'vmc' is no address"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    visavis, make_video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    make_video("clip.mp4", count=3)
    (tmp_path / "text.mp4").write_text("hello")
    os.mkfifo(tmp_path / "pipe.npz")
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert message in visavis.error("run", *arguments)
    assert set(tmp_path.iterdir()) == before


def test_version_and_help(visavis, capsys: pytest.CaptureFixture[str]) -> None:
    assert visavis("--version") == 0
    assert capsys.readouterr().out == f"visavis {__version__}\n"
    assert visavis("run", "--help") == 0
    text = capsys.readouterr().out
    assert "--limit-s" in text
    assert all(f"{scheme}://" in text for scheme in schemes())


@pytest.mark.parametrize("mode", ["mirror", "listen"])
@pytest.mark.slow
def test_a_phone_is_a_source(visavis, tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str) -> None:
    with VTubeStudioPhone() as phone:
        arguments = (f"vtsphone://127.0.0.1:{phone.port}", "--mode", mode, "--limit-s", 1, "--json")
        files = ("--track", tmp_path / "t.npz", "--out", tmp_path / "v.mp4")
        assert visavis("run", *arguments, *files) == 0
    out, err = capsys.readouterr()
    summary = json.loads(out)
    track = Track.load(tmp_path / "t.npz")
    assert summary["error"] is None
    assert track.found.sum() == summary["frames_with_face"] > 0
    assert track["eyeBlinkLeft"][track.found].tolist() == [0.75] * track.found.sum()
    assert "waiting for the first face; this computer is" in err
    assert "nothing has come" not in err
    assert "datagrams read, the last from 127.0.0.1" in err
    with VideoFile(tmp_path / "v.mp4") as video:
        assert video.size == (960, 480)  # Weights and avatar: there are no expressions to show.


def test_a_phone_that_never_sends_is_told(visavis, capsys: pytest.CaptureFixture[str]) -> None:
    assert visavis("run", "vtsphone://127.0.0.1:9", "--limit-s", 0.3) == 0
    first, last = [line for line in capsys.readouterr().err.splitlines() if "UDP port" in line]
    assert "waiting for the first face" in first
    assert "nothing has come" in last


@pytest.mark.parametrize(
    "option",
    [["--nonsense"], ["--limit-s", "inf"], ["--limit-s", "nan"], ["--limit-s", "-1"], ["--jobs", "62"]],
)
def test_impossible_options_exit_2(visavis, make_video, option: list[str]) -> None:
    assert visavis("run", make_video(count=2), *option) == 2


def test_options_without_effect_are_told(
    visavis, make_video, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, track, motion = make_video(count=4), tmp_path / "t.npz", tmp_path / "m.motion3.json"
    assert visavis("run", clip, "--track", track, "--jobs", 1, "--recognizer", "sparse") == 0
    assert capsys.readouterr().err == ""
    assert visavis("run", track, "--recognizer", "sparse", "--keep", 0.3, "--tracker", "mediapipe") == 0
    (note,) = capsys.readouterr().err.splitlines()
    assert note.endswith("t.npz has no pictures: no effect of --recognizer, --keep, --tracker")
    assert visavis("run", clip, "--motion", motion, "--jobs", 2) == 0
    assert capsys.readouterr().err.startswith("no effect of --jobs: processes share a video only if")


def test_the_pipeline_is_closed(visavis, make_video, scripted_pipeline: Pipeline) -> None:
    visavis("run", make_video(count=2))
    assert scripted_pipeline._tracker.closed


def test_a_motion_file_becomes_a_video_of_the_avatar(visavis, make_video, tmp_path: Path, capsys) -> None:
    motion, video = tmp_path / "m.motion3.json", tmp_path / "v.mp4"
    assert visavis("run", make_video(count=12), "--motion", motion) == 0
    assert "a face in" in capsys.readouterr().out
    assert visavis("run", motion, "--out", video) == 0
    assert "a face in" not in capsys.readouterr().out
    with VideoFile(video) as source:
        assert source.size[0] == source.size[1]
        assert len(list(source)) == 12


def test_a_video_has_no_panel_for_expressions_that_nobody_reads(visavis, make_video, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("t.npz", "t.csv")]
    widths = []
    for track in files:
        assert visavis("run", make_video(count=6), "--track", track) == 0
        assert visavis("run", track, "--out", tmp_path / "v.mp4") == 0
        with VideoFile(tmp_path / "v.mp4") as source:
            widths.append(source.size[0])
    assert widths[0] > widths[1] == 2 * 480


@pytest.mark.parametrize("source", ["clip.mp4", "t.npz", "t.csv", "m.motion3.json"])
def test_every_source_moves_the_avatar_alone(visavis, make_video, tmp_path: Path, source: str) -> None:
    for name in ("t.npz", "t.csv"):
        files = ("--track", tmp_path / name, "--motion", tmp_path / "m.motion3.json")
        assert visavis("run", make_video("clip.mp4", count=6), *files) == 0
    flags = ("--picture", "avatar", "--background", "transparent", "--size", 96)
    assert visavis("run", tmp_path / source, *flags, "--out", tmp_path / "v.webm") == 0
    frames = read_rgba(tmp_path / "v.webm")
    assert frames.shape == (6, 96, 96, 4)
    assert frames[0, 0, 0, 3] <= 2
    assert frames[0, 48, 48, 3] >= 253


def test_a_model_is_drawn_in_place_of_mira(
    visavis, make_video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Red(PaintedPuppet):
        worn: Exp3 | None = None

        def __init__(self, folder: ModelFolder, worn: Exp3 | None) -> None:
            Red.worn = worn

        def draw(self, pose: AvatarPose, size_px: int) -> ImageArray:
            return np.full((size_px, size_px, 3), (250, 0, 0), np.uint8)

    tried: list[ModelFolder] = []
    monkeypatch.setattr("visavis.cubism.model.Live2DModel", Red)
    monkeypatch.setattr("visavis.cubism.model.require_live2d", lambda: None)
    monkeypatch.setattr("visavis.cubism.trial.try_model", tried.append)
    model, video = write_model(tmp_path / "m"), tmp_path / "v.mp4"
    assert visavis("run", make_video(count=3), "--model", model, "--wear", "joy", "--out", video) == 0
    with VideoFile(video) as source:
        (first, *_) = source
    height, width = first.image_rgb.shape[:2]
    red, green, _ = first.image_rgb[height // 2, width // 2].tolist()
    assert red > 200 > 60 > green
    assert Red.worn == Exp3(())
    assert [folder.path for folder in tried] == [model]


def test_the_command_line_loads_lazily() -> None:
    heavy = ("numpy", "cv2", "av", "onnxruntime")
    code = f"import sys, visavis.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_voice_is_a_second_witness_and_silence_changes_nothing(
    command_line: CommandLine, tmp_path: Path
) -> None:
    """The voice's track differs while it speaks; with silence, each number is that of the face alone."""
    from support.sounds import talk
    from support.tiny_ravdess import write_clip

    for name, sound in (("talk", talk(2.0, 16_000)), ("silence", np.zeros(32_000, np.float32))):
        clip = tmp_path / f"{name}.mp4"
        write_clip(clip, sound, count=50)
        for flags in ((), ("--voice",)):
            track = tmp_path / f"{name}{len(flags)}.npz"
            assert command_line.json("run", clip, "--track", track, *flags, "--json")["voice"] is bool(flags)
    tracks = {path.stem: Track.load(path) for path in tmp_path.glob("*.npz")}
    np.testing.assert_array_equal(tracks["silence0"].expression, tracks["silence1"].expression)
    differs = np.abs(tracks["talk0"].expression - tracks["talk1"].expression).max(axis=1) > 1e-3
    assert not differs[:10].any()
    assert differs[-10:].all()


def test_a_voice_needs_sound(command_line: CommandLine, make_video) -> None:
    assert "--voice needs a video file with sound" in command_line.error(
        "run", make_video(count=3), "--voice"
    )
    assert "leave out --no-expressions" in command_line.error(
        "run", make_video(count=3), "--voice", "--no-expressions"
    )
