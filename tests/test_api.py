"""The front door: the contents of ``import visavis``, its cost, and its answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import visavis
from support import tiny_listener
from support.people import PROFILE
from support.phones import VTubeStudioPhone
from visavis.capture.portrait import PortraitClip
from visavis.reaction.listener import ListenerModel
from visavis.track import Track


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded portrait as a picture."""
    path = tmp_path_factory.mktemp("door") / "photo.png"
    with PortraitClip(0.1) as clip:
        frame = next(iter(clip))
    assert cv2.imwrite(str(path), frame.image_rgb[..., ::-1])
    return path


def test_all_is_what_the_package_offers() -> None:
    assert visavis.__all__ == sorted(visavis.__all__, key=lambda name: (not name[0].isupper(), name))
    assert set(visavis.__all__) == {*visavis._HOMES, "__version__"}
    for name in visavis.__all__:
        assert getattr(visavis, name) is not None
    assert set(visavis.__all__) <= set(dir(visavis))
    with pytest.raises(AttributeError, match="no attribute 'weep'"):
        _ = visavis.weep


def test_the_import_alone_loads_nothing_heavy() -> None:
    heavy = "{'cv2', 'onnxruntime', 'numpy', 'av', 'typer', 'torch'}"
    program = f"import sys, visavis; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_recognize_prints_one_line_a_face(portrait: Path) -> None:
    faces = visavis.recognize(str(portrait))
    assert len(faces) == 1
    assert str(faces).startswith(f"Face 0: {faces[0].label} 0.")
    assert "\n" not in str(faces)
    assert "yaw" in str(faces)
    other = visavis.recognize(cv2.imread(str(portrait))[..., ::-1].copy())
    np.testing.assert_array_equal(other[0].state.values, faces[0].state.values)
    nobody = visavis.recognize(np.zeros((64, 400, 3), np.uint8))
    assert (len(nobody), str(nobody)) == (0, "no face")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nothere.jpg", "nothere.jpg: no such file"),
        (".", ".: is a folder"),
        ("clip.mp4", "Use visavis.watch"),
        ("", "the path of a file is empty"),
        (7, "a picture of type int; expected an image file or an RGB array"),
        (np.zeros((4, 4), np.uint8), "an RGB array"),
    ],
)
def test_what_is_no_picture_is_said_in_one_line(what: object, message: str) -> None:
    with pytest.raises(visavis.InputError, match=message) as error:
        visavis.recognize(what)
    assert "\n" not in str(error.value)


def test_flags_are_true_or_false() -> None:
    with pytest.raises(visavis.InputError, match="crops is 'no'; expected True or False"):
        visavis.recognize(np.zeros((48, 48, 3), np.uint8), crops="no")  # type: ignore[arg-type]


def test_watch_gives_a_moment_a_frame(make_video) -> None:
    moments = list(visavis.watch(str(make_video(count=4)), recognizer=None))
    assert len(moments) == 4
    assert repr(moments[0]) == "Moment at 0.00 s: no face"
    with pytest.raises(visavis.InputError, match="no such file"):
        next(visavis.watch("nothere.mp4"))


def test_record_and_react_by_text_paths(
    make_video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripted_pipeline, painted_puppet
) -> None:
    networks = tiny_listener.listener(tmp_path)
    monkeypatch.setattr(ListenerModel, "default", lambda: networks)
    given: list[dict[str, object]] = []
    monkeypatch.setattr("visavis.api.Pipeline", lambda **o: given.append(o) or scripted_pipeline)
    clip = str(make_video(count=30, sound_hz=200))
    track, video, reaction = (str(tmp_path / name) for name in ("t.npz", "v.mp4", "r.npz"))
    recording = visavis.record(
        clip, video=video, track=track, reaction=reaction, listener=True, profile=PROFILE, recognizer="dense"
    )
    assert given == [{"mirror": False, "profile": PROFILE, "recognizer": "dense"}]
    assert recording.error is None
    assert [path.name for path in recording.written] == ["v.mp4", "t.npz", "r.npz"]
    assert "30 frames" in repr(recording)
    answer = visavis.react(track, audio=clip, samples=3, style={"nodding": 0.9})
    assert answer.face.shape == (3, 25, 58)
    assert repr(answer) == "Reaction: 3 listeners, 1.0 s at 25 Hz"
    answer.save(str(tmp_path / "again.npz"))
    np.testing.assert_array_equal(visavis.Reaction.load(str(tmp_path / "again.npz")).face, answer.face)
    with pytest.raises(visavis.InputError, match="samples is 0; expected a whole number from 1 to 1000"):
        visavis.react(visavis.Track.load(track), samples=0)
    with pytest.raises(visavis.InputError, match="reaction needs a listener"):
        visavis.record(clip, reaction=reaction)


def test_a_track_is_a_source(tmp_path: Path) -> None:
    time_s = np.arange(10) / 25
    face = np.zeros((10, 58), np.float32)
    face[:, 24] = np.linspace(0, 1, 10)
    found = np.arange(10) != 4
    face[4] = np.nan
    emotion = np.full((10, 25), np.nan, np.float32)
    visavis.Track(time_s, face, emotion, found, 25.0).save(tmp_path / "t.npz")
    again = tmp_path / "again.npz"
    recording = visavis.record(
        tmp_path / "t.npz", video=tmp_path / "v.mp4", track=str(again), recognizer=None
    )
    assert recording.error is None
    assert (recording.frames, recording.frames_with_face) == (10, 9)
    copied = visavis.Track.load(again)
    assert copied.found.tolist() == found.tolist()
    assert np.array_equal(copied.face, face, equal_nan=True)


def test_a_phone_is_a_source() -> None:
    with VTubeStudioPhone() as phone:
        moments = visavis.watch(f"vtsphone://127.0.0.1:{phone.port}", recognizer=None)
        face = next(moment.face for moment in moments if moment.face)
        moments.close()
    assert face.state["jawOpen"] == 0.25


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": True}, "samples is True; expected a whole number from 1 to 1000"),
        ({"samples": "3"}, "samples is '3'; expected a whole number from 1 to 1000"),
        ({"audio": "."}, r"\.: a folder; expected a file with sound"),
        ({"samples": 1.5}, "samples is 1.5; expected a whole number from 1 to 1000"),
        ({"seed": -1}, "seed is -1; expected a whole number from 0 to 4294967295"),
        ({"seed": 0.5}, "seed is 0.5; expected a whole number"),
        ({"style": {"noding": 1}}, "no trait is called noding; expected expressiveness, nodding, "),
        ({"style": {"nodding": "1"}}, "nodding must be a finite number; found '1'"),
        ({"style": "noding=1"}, "a style of 'noding=1'; expected each of expressiveness, nodding, "),
        ({"style": [1]}, r"a style of \[1\]; expected traits, such as nodding=0.9"),
        ({"guidance": "3"}, "guidance must be a finite number; found '3'"),
        ({"listener": "none.onnx"}, "none.onnx: cannot be read"),
    ],
)
def test_react_says_which_option_is_wrong(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    frames = np.ones(5, np.bool_)
    person = Track(np.arange(5) / 25, np.zeros((5, 58)), np.zeros((5, 25)), frames, 25.0)
    with pytest.raises(visavis.VisavisError, match=message):
        visavis.react(person, **{"listener": tiny_listener.listener(tmp_path), **options})
    with pytest.raises(visavis.VisavisError, match="expected the path of a file, as text or Path; found int"):
        person.to_csv(3)  # type: ignore[arg-type]
    with pytest.raises(visavis.VisavisError, match=r"t.parquet: save writes .npz or .csv; to_csv and"):
        person.save(tmp_path / "t.parquet")


def test_a_style_may_be_a_text(tmp_path: Path) -> None:
    person = Track(np.arange(5) / 25, np.zeros((5, 58)), np.zeros((5, 25)), np.ones(5, np.bool_), 25.0)
    echo = tiny_listener.Echo()
    visavis.react(person, style="nodding=0.9, gaze=0", listener=tiny_listener.listener(tmp_path, echo))
    np.testing.assert_allclose(echo.heard[0].controls[0, 0], [0.5, 0.9, 0.5, 0.5, 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit_s": "1"}, "limit_s must be a finite number; found '1'"),
        ({"limit_s": -1}, "limit_s is -1; expected more than 0 seconds"),
        ({"profile": Path("none.json")}, "none.json: no such file"),
        ({"profile": 3}, "a profile of 3; name a profile's JSON file"),
        ({"picture": "avatar", "size_px": "700"}, "a size of '700' px; expected an even number"),
        ({"picture": "avatar", "background": (0, 0, 0)}, r"a background of \(0, 0, 0\); expected soft"),
        ({"listener": "none.onnx"}, "none.onnx: cannot be read"),
        ({"recogniser": "sparse"}, "record has no option recogniser; did you mean recognizer?"),
        ({"vidio": "v.mp4"}, "record has no option vidio; did you mean video?"),
        ({"recognizer": 5}, "recognizer is 5; expected dense, sparse, a file NET.onnx, or None"),
        ({"recognizer": Path("none.onnx")}, "none.onnx: no such file or folder; expected an ONNX file"),
        (
            {"tracker": 3, "recognizer": None},
            "tracker is 3; expected one of visavis, mediapipe, or a Tracker",
        ),
        ({"mirror": "no"}, "mirror is 'no'; expected True or False"),
        ({"voice": "no"}, "voice is 'no'; expected True or False"),
        ({"fast": "no"}, "fast is 'no'; expected True or False"),
        ({"recognizer": "sparse", "keep": "0.3"}, "keep rate '0.3'; expected above 0 and at most 1"),
    ],
)
def test_record_says_which_option_is_wrong(
    make_video, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(visavis.VisavisError, match=message):
        visavis.record(make_video(count=2), track=tmp_path / "t.npz", **options)
    assert not (tmp_path / "t.npz").exists()


def test_watch_says_which_option_is_wrong() -> None:
    with pytest.raises(visavis.VisavisError, match="number is 0 to 99; found True"):
        next(iter(visavis.watch(True)))
    with pytest.raises(visavis.VisavisError, match="camera 99 was not found"):
        next(iter(visavis.watch(np.int64(99))))
    with pytest.raises(
        visavis.VisavisError, match="a source of type NoneType; expected the path of a file, the n"
    ):
        next(iter(visavis.watch(None)))
    for wrong in (0, 1.5):
        with pytest.raises(
            visavis.VisavisError, match=f"max_faces is {wrong}; expected a whole number from 1"
        ):
            visavis.Pipeline(max_faces=wrong)  # type: ignore[arg-type]


def test_arguments_of_another_kind_are_told() -> None:
    with pytest.raises(visavis.VisavisError, match="3 is no address; expected text such as vmc"):
        visavis.outputs.open_output(3)  # type: ignore[arg-type]
    with pytest.raises(visavis.VisavisError, match="a pose is NoneType; expected an AvatarPose"):
        visavis.Puppet.load().draw(None)  # type: ignore[arg-type]
