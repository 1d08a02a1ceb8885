from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from conftest import MakeVideo
from support.console import CommandLine
from support.front_faces import NUMBERS, TalkingTracker, landmarks, talking
from visavis.metrics.mirror import LEAST
from visavis.pipeline import Pipeline

T = 30
SIZE = (640, 600)


@pytest.fixture
def talker(visavis: CommandLine, scripted_pipeline: Pipeline) -> CommandLine:
    """The command line on a face that talks."""
    scripted_pipeline._tracker = TalkingTracker()
    return visavis


def teacher(path: Path, **changed: object) -> Path:
    """A file of the talking face's landmarks; None takes an array away."""
    arrays: dict[str, object] = {
        "landmarks_146_px": talking(np.arange(T) / 30),
        "landmarks_146_index": NUMBERS,
        "found": np.ones(T, np.bool_),
        "fps": 30.0,
    }
    kept = {name: value for name, value in (arrays | changed).items() if value is not None}
    np.savez(path, **kept)  # type: ignore[arg-type]
    return path


def test_one_clip(
    talker: CommandLine, make_video: MakeVideo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, known = make_video(count=T, size=SIZE), teacher(tmp_path / "known.npz")
    answer = talker.json("evaluate", "mirror", clip, "--landmarks", known, "--json", quiet=True)
    assert answer.keys() == {"landmarks", "clip", "frames", "compared", "measures"}
    assert (answer["landmarks"], answer["clip"]) == (str(known), str(clip))
    assert (answer["frames"], answer["compared"]) == (T, T)
    assert list(answer["measures"]) == list(LEAST)
    opening = answer["measures"].pop("mouth_opening")
    assert opening["r"] > 0.7
    assert opening["amplitude"] > 0
    assert opening["moves"] == 1
    assert all(one == {"r": None, "amplitude": None, "moves": 0} for one in answer["measures"].values())
    assert talker("evaluate", "mirror", clip, "--landmarks", known) == 0
    out = capsys.readouterr().out
    assert f"1 clip, frames compared: {T} of {T}, landmarks: {known}" in out
    assert all(name in out for name in LEAST)


@pytest.mark.slow
def test_several_clips_and_a_folder(
    talker: CommandLine, make_video: MakeVideo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moves, still = make_video("moves.mp4", count=T, size=SIZE), make_video("still.mp4", count=T, size=SIZE)
    folder = tmp_path / "known"
    folder.mkdir()
    teacher(folder / "moves.npz")
    nothing = landmarks({}, np.zeros((T, 3)))
    teacher(
        folder / "still.npz",
        landmarks_146_px=None, landmarks_146_index=None, landmarks_xy=nothing, landmark_numbers=NUMBERS,
    )  # fmt: skip
    answer = talker.json("evaluate", "mirror", moves, still, "--landmarks", folder, "--json")
    assert answer.keys() == {"landmarks", "clips", "errors", "measures"}
    assert answer["errors"] == []
    assert list(answer["clips"]) == ["moves", "still"]
    # Means are over the clips in which the face moves.
    assert answer["measures"] == answer["clips"]["moves"]["measures"]
    assert answer["clips"]["still"]["measures"]["mouth_opening"]["moves"] == 0
    assert talker("evaluate", "mirror", moves, still, "--landmarks", folder) == 0
    assert f"2 clips, frames compared: {2 * T} of {2 * T}" in capsys.readouterr().out


@pytest.mark.slow
def test_bad_input_is_one_line_and_status_2(
    visavis: CommandLine, make_video: MakeVideo, tmp_path: Path
) -> None:
    clip = make_video(count=T, size=SIZE)
    shutil.copy(clip, tmp_path / "other.mp4")
    (tmp_path / "far").mkdir()
    shutil.copy(clip, tmp_path / "far" / "clip.mp4")
    words = tmp_path / "words.npz"
    words.write_text("no arrays")
    holes = landmarks({}, np.zeros((T, 3)))
    holes[3, 0, 0] = np.nan
    flat, away = np.zeros((T, 146, 2)), talking(np.arange(T) / 30) + 400

    def bad(name: str, **changed: object) -> tuple[Path, str, Path]:
        return clip, "--landmarks", teacher(tmp_path / f"{name}.npz", **changed)

    short = {"landmarks_146_px": holes[4:], "found": np.ones(T - 4, np.bool_)}
    for arguments, message in (
        ((tmp_path / "none.mp4",), "none.mp4: no such file"),
        ((words,), "words.npz: not a video"),
        ((clip, "--landmarks", tmp_path / "none.npz"), "none.npz: no such file"),
        ((clip, "--landmarks", words), "landmarks (.npz): it is no file of arrays"),
        (bad("away", landmarks_146_px=away), "away.npz: the face of frame 0 is at"),
        ((clip, "--landmarks", tmp_path / "far"), "clip.npz: no such file"),
        (bad("key", found=None), "key.npz: found missing: landmarks are the arrays"),
        (bad("count", landmarks_146_index=NUMBERS[:9]), "has shape (30, 146, 2); expected (any, 9, 2)"),
        (bad("flags", found=np.ones(3, np.bool_)), "found must be 30 booleans"),
        (bad("nan", landmarks_146_px=holes), "nan.npz: landmarks_146_px holds NaN in frame 3, whose face is"),
        (bad("nowhere", found=np.zeros(T, np.bool_)), "nowhere.npz: no face in any frame"),
        (bad("short", **short), f"clip.mp4: {T} frames, but landmarks of {T - 4}"),
        (bad("flat", landmarks_146_px=flat), "flat.npz: landmarks that coincide"),
        (
            bad("few", landmarks_146_px=holes[:, 9:12], landmarks_146_index=NUMBERS[9:12]),
            "few.npz: landmarks without the points",
        ),
        ((clip, tmp_path / "other.mp4", "--landmarks", tmp_path / "nan.npz"), "for 2 clips name one that"),
        ((clip, tmp_path / "far" / "clip.mp4"), "more than one clip is called clip"),
        ((clip,), "clip.mp4: landmarks without the points"),  # The scripted face has none of the mesh.
    ):
        err = visavis.error("evaluate", "mirror", *arguments)
        assert message in err, err


def test_one_clip_without_a_face_costs_the_others_nothing(
    talker: CommandLine,
    scripted_pipeline: Pipeline,
    make_video: MakeVideo,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clips = [make_video("a.mp4", count=T), make_video("b.mp4", count=3), make_video("c.mp4", count=T)]
    assert talker("evaluate", "mirror", *clips) == 2
    out, err = capsys.readouterr()
    assert f"2 clips, frames compared: {2 * T} of {2 * T}" in out
    assert err.count("\n") == 1
    assert f"{clips[1]}: frames with a face: 3 of 3; expected at least 20" in err
    assert talker("evaluate", "mirror", *clips, "--json") == 2
    answer = json.loads(capsys.readouterr().out)
    assert list(answer["clips"]) == ["a", "c"]
    assert answer["measures"]["mouth_opening"]["moves"] == 2
    (error,) = answer["errors"]
    assert error["clip"] == str(clips[1])
    assert error["error"].startswith(f"{clips[1]}: frames with a face: 3 of 3")
    clips[1].write_text("no video")
    assert talker("evaluate", "mirror", *clips, tmp_path / "gone.mp4", "--json") == 2
    answer = json.loads(capsys.readouterr().out)
    assert list(answer["clips"]) == ["a", "c"]
    assert [Path(error["clip"]).name for error in answer["errors"]] == ["b.mp4", "gone.mp4"]
    make_video("b.mp4", count=3)
    scripted_pipeline._tracker.blind = True  # type: ignore[attr-defined]
    assert talker("evaluate", "mirror", *clips) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("no face found (") == 3
    assert "3 inputs could not be read whole" in err


def test_a_face_that_stands_still_is_told(
    visavis: CommandLine, make_video: MakeVideo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = teacher(tmp_path / "still.npz", landmarks_146_px=landmarks({}, np.zeros((T, 3))))
    assert visavis("evaluate", "mirror", make_video(count=T, size=SIZE), "--landmarks", still, "--json") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"the face stands still in all {T} compared frames; give some seconds" in err


def test_a_clip_without_a_face_is_refused(
    visavis: CommandLine, scripted_pipeline: Pipeline, make_video: MakeVideo
) -> None:
    scripted_pipeline._tracker.blind = True  # type: ignore[attr-defined]
    assert "no face found (3 frames)" in visavis.error("evaluate", "mirror", make_video(count=3))


@pytest.mark.shared
@pytest.mark.slow
def test_real_clips(command_line: CommandLine, shared: Path) -> None:
    clips = [shared / "data" / "video" / f"{name}.mp4" for name in ("lp_d0", "hdtf_Alexa")]
    if not all(clip.is_file() for clip in clips):
        pytest.skip("the shared data has no such clips")
    answer = command_line.json("evaluate", "mirror", *clips, "--json")
    assert answer["landmarks"] == "own"
    measures = answer["measures"]
    for name in ("mouth_opening", "mouth_width", "lid_left", "lid_right", "gaze_x", "head_roll"):
        assert measures[name]["r"] > 0.5, name
        assert 0.1 < measures[name]["amplitude"] < 3, name
    turning = {name: clip["measures"]["head_yaw"]["r"] for name, clip in answer["clips"].items()}
    assert turning["hdtf_Alexa"] > 0.8
    assert turning["lp_d0"] is None  # This head does not turn.


def test_stills_that_cannot_be_drawn_are_refused_and_cost_no_figures(
    talker: CommandLine, make_video: MakeVideo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_video(count=T)
    for options, words in (
        (("--outlines",), "name it with --stills"),
        (("--stills", tmp_path / "stills.jpg"), "ends in .png"),
        (("--stills", tmp_path / "none" / "stills.png"), "does not exist; make it first"),
    ):
        assert words in talker.error("evaluate", "mirror", clip, *options)
    assert talker("evaluate", "mirror", clip, "--stills", tmp_path / "stills.png", "--json") == 2
    out, err = capsys.readouterr()
    assert "no face showed any of the movements" in err  # This face has no measures.
    assert json.loads(out)["compared"] == T
