"""``visavis react``: reactions in a file, notes about the sound, one clear line about bad input."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import av
import numpy as np
import pytest

from support import tiny_listener, tiny_tokenizer
from support.later_listener import Later
from support.svg import read_svg
from support.tiny_listener import Echo
from support.tiny_ravdess import write_voices
from visavis.base import networks
from visavis.channels import FACE_INDEX
from visavis.errors import InputError
from visavis.reaction.clip import Reaction
from visavis.reaction.listener import ListenerModel
from visavis.track import Track


def write_track(path: Path, count: int = 30, found: bool = True) -> Path:
    face = np.random.default_rng(0).random((count, 58)).astype(np.float32)
    there = np.full(count, found)
    face[~there] = np.nan
    Track(np.arange(count) / 30, face, np.full((count, 25), np.nan), there, 30.0).save(path)
    return path


@pytest.mark.parametrize("option", ["--style", "--temperament"])
def test_reactions_are_written_and_told(
    visavis, option: str, tmp_path: Path, echo: Echo, capsys: pytest.CaptureFixture[str]
) -> None:
    echo.even = True
    track, out = write_track(tmp_path / "t.npz"), tmp_path / "r.npz"
    flags = ("--samples", 3, "--seed", 9, option, "nodding=.9, smiling=0", "--json")
    assert visavis("react", track, *flags, "--out", out) == 0
    reaction = Reaction.load(out)
    assert reaction.face.shape == (3, 25, 58)
    assert reaction.expression.shape == (3, 25, 25)
    assert (reaction.fps, reaction.seed) == (25, 9)
    assert len(np.unique(reaction.face[:, :, 0], axis=0)) == 3
    summary = json.loads(capsys.readouterr().out)
    assert summary == {
        "out": str(out),
        "samples": 3,
        "frames": 25,
        "fps": 25.0,
        "seed": 9,
        "style": {"expressiveness": 0.5, "nodding": 0.9, "smiling": 0.0, "mirroring": 0.5, "gaze": 0.5},
        "sound": False,
        "note": None,
        "written": [str(out)],
        "raised_by": None,
        "interrupted": False,
        "error": None,
    }
    np.testing.assert_allclose(echo.heard[0].controls[0, 0], [0.5, 0.9, 0, 0.5, 0.5])
    assert visavis("react", track, *flags, "--out", tmp_path / "again.npz") == 0
    np.testing.assert_array_equal(Reaction.load(tmp_path / "again.npz").face, reaction.face)


def test_files_that_are_finished_are_told_although_a_later_one_fails(
    visavis, tmp_path: Path, echo: Echo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full_disk(*_: object) -> None:
        raise InputError("w.json: cannot be written: No space left on device")

    monkeypatch.setattr("visavis.drawing.explanation.save_explanation", full_disk)
    track, out = write_track(tmp_path / "t.npz"), tmp_path / "r.npz"
    flags = ("--out", out, "--explain", tmp_path / "w.json", "--json")
    assert visavis("react", track, *flags) == 2
    printed, told = capsys.readouterr()
    summary = json.loads(printed)
    assert summary["written"] == [str(out)]
    assert (
        told
        == f"Error: {summary['error']}\n"
        == "Error: w.json: cannot be written: No space left on device\n"
    )
    assert len(Reaction.load(out).face) == 1


def test_how_it_draws_can_be_chosen(visavis, tmp_path: Path, echo: Echo) -> None:
    echo.even = True
    track = write_track(tmp_path / "t.npz")
    for flags, faces in ((("--temperature", 0), 1), (("--top-k", 2), 2), (("--top-p", 0.2), 4)):
        assert visavis("react", track, *flags, "--samples", 20, "--out", tmp_path / "r.npz") == 0
        assert len(np.unique(Reaction.load(tmp_path / "r.npz").face[..., 0])) == faces


@pytest.mark.parametrize(
    ("seconds", "note"),
    [
        (1, None),
        (3, "goes on after the track's end at 1.0 s"),
        (0.4, "the track at 1.0 s; silence in between"),
    ],
)
def test_sound_of_another_length_is_told(
    visavis,
    make_video,
    tmp_path: Path,
    echo: Echo,
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    note: str | None,
) -> None:
    track = write_track(tmp_path / "t.npz")
    clip = make_video(count=round(30 * seconds), sound_hz=300)
    assert visavis("react", track, "--audio", clip, "--out", tmp_path / "r.npz") == 0
    out, err = capsys.readouterr()
    assert f"wrote {tmp_path / 'r.npz'}: 1 x 1.0 s" in out
    assert (note or "") in err
    assert (note is None) == (err == "")
    assert all(np.isfinite(heard.sound).all() for heard in echo.heard)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.npz"], "none.npz: no such file"),
        (["text.npz"], "text.npz: not a readable track"),
        (["clip.mp4"], "it is no file of arrays; make it by visavis run VIDEO --track T.npz"),
        (["wrong.npz"], "wrong.npz: a track holds the arrays"),
        (["nan.npz"], "nan.npz: face holds NaN in frame 4, whose face is marked as found"),
        (["nobody.npz"], "nobody.npz: no face in the track (30 frames)"),
        (["t.npz", "--samples", "0"], "--samples is 0; expected a whole number from 1 to 1000"),
        (["t.npz", "--temperature", "-1"], "temperature must be 0 or more"),
        (["t.npz", "--top-k", "0"], "top_k must be 1 or more"),
        (["t.npz", "--top-p", "nan"], "top_p must be a finite number; found nan"),
        (["t.npz", "--style", "nodding=2"], "'nodding=2'; expected each of expressiveness, nodding"),
        (["t.npz", "--style", "temper=.2"], "'temper=.2'; expected"),
        (["t.npz", "--style", "gaze=.2,gaze=.3"], "'gaze=.3'; expected"),
        (["t.npz", "--style", ""], "''; expected"),
        (["t.npz", "--audio", "none.wav"], "none.wav: no such file"),
        (["t.npz", "--audio", "text.npz"], "text.npz: cannot be opened for its sound"),
        (["t.npz", "--audio", "clip.mp4"], "clip.mp4: no sound in this file"),
        (["t.npz", "--out", "t.npz"], "would overwrite the source or another output"),
        (["t.npz", "--explain", "w.json", "--audio", "w.json"], "w.json: would overwrite the source"),
        (["t.npz", "--explain", "why.txt"], "expected a name that ends in .json"),
        (["t.npz", "--figure", "why.png"], "expected a name that ends in .svg"),
        (["t.npz", "--video", "v.gif"], "expected a name that ends in .mp4"),
        (["t.npz", "--audio", "clip.mp4", "--video", "clip.mp4"], "would overwrite the source"),
        (["t.npz", "--out", "r.csv"], "expected a name that ends in .npz"),
        (["t.npz", "--out", "none/r.npz"], "does not exist"),
        (["t.npz", "--listener", "none.onnx"], "none.onnx: cannot be read"),
        (["t.npz", "--encoder", "e.onnx"], "--encoder and --decoder go together"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    visavis,
    make_video,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    echo: Echo,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setattr("visavis.base.networks._OPENED", {})
    monkeypatch.setattr("visavis.base.networks.manifest", dict)
    track = Track.load(write_track(tmp_path / "t.npz"))
    write_track(tmp_path / "nobody.npz", found=False)
    np.savez(tmp_path / "wrong.npz", face=track.face)
    np.savez(
        tmp_path / "nan.npz",
        time_s=track.time_s,
        face=np.where(np.arange(30)[:, None] == 4, np.nan, track.face),
        emotion=track.expression,
        found=track.found,
        fps=30,
    )
    (tmp_path / "text.npz").write_text("hello")
    make_video("clip.mp4", count=3)
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    out = () if "--out" in arguments else ("--out", "r.npz")
    assert message in visavis.error("react", *arguments, *out)
    assert set(tmp_path.iterdir()) == before


@pytest.fixture
def smiler(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Later:
    """A listener that smiles half a second after the person."""
    predictor = Later(12)
    paths = tiny_tokenizer.write(tmp_path_factory.mktemp("networks"), channels=[FACE_INDEX["mouthSmileLeft"]])
    networks = tiny_listener.of_tokenizer(*paths, predictor=predictor)
    monkeypatch.setattr(ListenerModel, "default", lambda: networks)
    return predictor


def write_smile(path: Path) -> Path:
    """Four seconds of a face that smiles from 1.6 to 2 s."""
    face = np.full((100, 58), 0.1, np.float32)
    face[40:50, FACE_INDEX["mouthSmileLeft"]] = 0.9
    there = np.ones(100, bool)
    Track(np.arange(100) / 25, face, np.full((100, 25), np.nan), there, 25.0).save(path)
    return path


@pytest.mark.usefixtures("smiler")
def test_what_raised_a_smile_is_told(visavis, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    track = write_smile(tmp_path / "t.npz")
    files = [tmp_path / name for name in ("r.npz", "why.json", "why.svg")]
    flags = ("--out", files[0], "--explain", files[1], "--figure", files[2])
    summary = visavis.json("react", track, *flags, "--json")
    assert summary["written"] == [str(path) for path in files]
    assert summary["raised_by"] == {"face": 1, "speech": 0, "neither": 0}
    (told,) = json.loads(files[1].read_text())["gestures"]
    assert (told["kind"], told["raised_by"], told["listener"]) == ("smile", "face", 0)
    assert told["cause"]["speaker"] == "smiles"
    assert told["cause"]["start_s"] < 2.0
    assert told["cause"]["end_s"] > 1.6
    assert told["start_s"] == pytest.approx(2.04, abs=0.13)
    read_svg(files[2].read_text())
    assert visavis("react", track, *flags) == 0
    printed = capsys.readouterr().out
    assert "raised by" in printed
    assert "smiles" in printed
    assert f"wrote {files[1]}" in printed


@pytest.mark.usefixtures("painted_puppet", "echo")
def test_a_video_shows_person_and_listeners(visavis, make_video, tmp_path: Path) -> None:
    track = write_track(tmp_path / "t.npz")
    clip, film = make_video(count=30, sound_hz=300), tmp_path / "wall.mp4"
    flags = ("--audio", clip, "--samples", 3, "--out", tmp_path / "r.npz", "--video", film, "--json")
    assert visavis.json("react", track, *flags)["written"][1:] == [str(film)]
    with av.open(str(film)) as container:
        assert len(container.streams.audio) == 1
        assert len(list(container.decode(video=0))) == 25


def test_without_weights_it_says_what_to_do(visavis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visavis.base.networks._OPENED", {})
    monkeypatch.setattr("visavis.base.networks.manifest", dict)
    assert "brings no listener: train one" in visavis.error(
        "react", write_track(tmp_path / "t.npz"), "--out", tmp_path / "r.npz"
    )


def test_more_faces_than_memory_holds_are_refused(
    visavis, tmp_path: Path, echo: Echo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(import_module("visavis.recording.react"), "MOST_FACES", 50)
    track = write_track(tmp_path / "t.npz")
    assert visavis("react", track, "--samples", 9, "--out", tmp_path / "r.npz") == 2
    assert "9 samples of 25 frames: 225 faces; expected at most 50: fewer samples" in " ".join(
        capsys.readouterr().err.split()
    )
    assert not (tmp_path / "r.npz").exists()


def test_a_network_of_another_kind_is_refused_by_its_name(visavis, tmp_path: Path) -> None:
    track = write_track(tmp_path / "t.npz")
    face = tmp_path / "face.onnx"
    face.write_bytes(networks.read("face"))
    out = ("--out", tmp_path / "r.npz")
    wrong = visavis.error("react", track, *out, "--listener", face)
    assert f"{face}: expected a listener; found another network" in wrong
    wrong = visavis.error("react", track, *out, "--encoder", face, "--decoder", face)
    assert f"{face} and {face}: expected a face tokenizer encoder" in wrong
    calls = {f"s{pair}_a": np.ones((1800, 2, 4), np.float32) for pair in range(2)}
    np.savez(tmp_path / "calls.npz", **calls)
    wrong = visavis.error("evaluate", "dyads", tmp_path / "calls.npz", "--model", face)
    assert f"{face}: expected a listener; found another network" in wrong
    write_voices(tmp_path / "voices", [21])
    wrong = visavis.error("evaluate", "voices", tmp_path / "voices", "--voice", face)
    assert f"{face}: the voice network has" in wrong
