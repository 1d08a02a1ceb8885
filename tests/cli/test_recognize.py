from __future__ import annotations

import json
import os
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis import testing
from visavis.channels import ACTION_UNITS, BLENDSHAPES, EXPRESSIONS
from visavis.expression.reader import CROP_DOWN, CROP_SCALE
from visavis.face.network import FaceReading
from visavis.face.region import FaceRegion
from visavis.pipeline import Pipeline
from visavis.recording import recognize
from visavis.recording.recognize import Recognizer
from visavis.types import Face, Frame, ImageArray


def image(path: Path, size: tuple[int, int] = (320, 240)) -> Path:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), np.full((size[1], size[0], 3), 128, np.uint8))
    return path


def test_image(visavis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripted_pipeline: Pipeline) -> None:
    update, reliability = scripted_pipeline._tracker.update, np.full(len(BLENDSHAPES), 0.9)
    monkeypatch.setattr(
        scripted_pipeline._tracker,
        "update",
        lambda frame: tuple(replace(face, reliability=reliability) for face in update(frame)),
    )
    answer = visavis.json("recognize", image(tmp_path / "a.png"), "--json")
    assert answer["errors"] == []
    (file,) = answer["files"]
    assert (file["kind"], file["width"], file["height"]) == ("image", 320, 240)
    (face,) = file["faces"]
    assert face["box_xyxy"] == [80, 40, 240, 200]
    assert face["score"] == 0.9
    assert face["cropped"] is False
    assert face["label"] == "happy"
    assert list(face["expressions"]) == list(EXPRESSIONS)
    assert sum(face["expressions"].values()) == pytest.approx(1, abs=1e-3)
    assert list(face["action_units"]) == list(ACTION_UNITS)
    assert list(face["blendshapes"]) == list(BLENDSHAPES)
    assert face["blendshapes"]["jawOpen"] == 0.5
    assert face["reliability"] == dict.fromkeys(BLENDSHAPES, 0.9)
    assert -1 <= face["arousal"] <= 1
    assert face["valence"] > 0


CROP_SIZES = [(48, 48), (224, 224), (90, 100)]


class Sure:
    """A face network that sees a face wherever it looks, and is as steady as it is told."""

    def __init__(self, score: float = 0.99, step: float = 0.0) -> None:
        self.score, self.step = score, step
        self.regions: list[FaceRegion] = []

    def read(self, image_rgb: ImageArray, regions: Sequence[FaceRegion]) -> list[FaceReading]:
        self.regions += regions
        landmarks = np.zeros((3, 3), np.float32)
        landmarks[:, 0] = self.step * len(self.regions)
        weights = np.zeros(len(BLENDSHAPES), np.float32)
        return [FaceReading(region, landmarks, weights, np.eye(3), self.score) for region in regions]

    def next_region(self, reading: FaceReading) -> FaceRegion:
        return reading.region


@pytest.mark.parametrize("size", CROP_SIZES)
@pytest.mark.parametrize("asked", [False, True])
def test_a_face_crop_is_read_whole_and_marked(
    visavis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_pipeline: Pipeline,
    size: tuple[int, int],
    asked: bool,
) -> None:
    scripted_pipeline._tracker.blind = True
    network = Sure()
    monkeypatch.setattr(recognize, "FaceNetwork", lambda: network)
    options = ("--crops",) if asked else ()
    answer = visavis.json("recognize", image(tmp_path / "a.png", size), "--json", *options)
    (face,) = answer["files"][0]["faces"]
    assert face["cropped"] is True
    for name in ("score", "action_units", "blendshapes", "reliability"):
        assert face[name] is None
    assert face["box_xyxy"] == [0, 0, *size]
    assert face["label"] == "happy"
    if asked:
        assert network.regions == []
        return
    # The expression stage's framing of what the network looked at is the picture itself.
    framed = network.regions[0].scaled(CROP_SCALE, CROP_DOWN)
    assert framed.size_px == pytest.approx(max(size))
    assert framed.center_xy == pytest.approx((size[0] / 2 - 0.5, size[1] / 2 - 0.5))


@pytest.mark.parametrize("network", [Sure(score=0.5), Sure(step=0.02)], ids=["unsure", "unsteady"])
@pytest.mark.parametrize("size", CROP_SIZES)
def test_what_the_network_does_not_see_as_a_face_is_none_unless_asked(
    visavis,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    scripted_pipeline: Pipeline,
    network: Sure,
    size: tuple[int, int],
) -> None:
    scripted_pipeline._tracker.blind = True
    monkeypatch.setattr(recognize, "FaceNetwork", lambda: network)
    path = image(tmp_path / "a.png", size)
    assert visavis("recognize", path) == 0
    assert capsys.readouterr().out == f"{path}: no face\n"
    assert visavis("recognize", path, "--crops") == 0
    assert "happy 86%" in capsys.readouterr().out


@pytest.mark.parametrize("size", [(48, 48), (256, 256)])
@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_plain_picture_shows_no_face(
    command_line, tmp_path: Path, capsys: pytest.CaptureFixture[str], size: tuple[int, int], shade: int
) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), shade, np.uint8))
    assert command_line("recognize", path) == 0
    assert capsys.readouterr().out == f"{path}: no face\n"


@pytest.mark.shared
@pytest.mark.slow
def test_crops_of_fer2013_are_read_where_the_network_agrees_and_all_when_asked(
    shared: Path, tmp_path: Path
) -> None:
    sheet = cv2.imread(str(shared / "data" / "fer2013" / "publictest_00.png"))
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for number, path in enumerate(paths):
        assert cv2.imwrite(str(path), sheet[48 * number : 48 * number + 48, :48])
    found = {}
    for crops in (False, True):
        recognizer = Recognizer(crops=crops)
        found[crops] = sum(bool(recognizer.read_image(path).faces) for path in paths)
    assert found[True] == len(paths)
    assert found[False] >= 0.85 * len(paths)


@pytest.mark.parametrize("size", [(1, 1), (640, 480), (200, 60), (600, 600)])
def test_other_images_without_a_face_have_none(
    visavis,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    scripted_pipeline: Pipeline,
    size: tuple[int, int],
) -> None:
    scripted_pipeline._tracker.blind = True
    path = image(tmp_path / "a.png", size)
    assert visavis.json("recognize", path, "--json", "--crops")["files"][0]["faces"] == []
    assert visavis("recognize", path) == 0
    assert capsys.readouterr().out == f"{path}: no face\n"


def test_video(visavis, make_video, capsys: pytest.CaptureFixture[str], scripted_pipeline: Pipeline) -> None:
    scripted_pipeline._tracker.misses = {2}
    path = make_video(count=8)
    (file,) = visavis.json("recognize", path, "--json")["files"]
    assert (file["kind"], file["frames"], file["frames_with_face"]) == ("video", 8, 7)
    assert file["expressions"] == {"happy": 1.0}
    assert file["moments"][2]["faces"] == []
    assert file["moments"][3]["time_s"] == pytest.approx(0.1)
    assert file["moments"][3]["faces"][0]["label"] == "happy"
    assert visavis("recognize", path) == 0
    assert "a face in 7 of 8 frames; happy 100%" in capsys.readouterr().out


def test_lines_are_the_video_as_one_object_piece_by_piece(
    visavis, make_video, tmp_path: Path, capsys: pytest.CaptureFixture[str], scripted_pipeline: Pipeline
) -> None:
    scripted_pipeline._tracker.misses = {2}
    picture, path, bad = image(tmp_path / "a.png"), make_video(count=8), tmp_path / "bad.png"
    bad.write_bytes(b"hello")
    assert visavis("recognize", picture, path, bad, "--json") == 2
    whole = json.loads(capsys.readouterr().out)
    assert visavis("recognize", picture, path, bad, "--jsonl") == 2
    first, head, *moments, end, error = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == whole["files"][0]
    assert {moment.pop("kind") for moment in moments} == {"moment"}
    assert (end.pop("kind"), end.pop("path"), error.pop("kind")) == ("end", str(path), "error")
    assert {**head, **end, "moments": moments} == whole["files"][1]
    assert [error] == whole["errors"]
    assert "--json and --jsonl" in visavis.error("recognize", picture, "--json", "--jsonl")


def test_lines_of_a_long_video_are_not_kept(
    visavis, make_video, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0
    keep = testing.ScriptedTracker.update

    def update(tracker: testing.ScriptedTracker, frame: Frame) -> tuple[Face, ...]:
        nonlocal most
        faces = keep(tracker, frame)
        alive[:] = [
            one for one in (*alive, *(weakref.ref(face.landmarks_xy) for face in faces)) if one() is not None
        ]
        most = max(most, len(alive))
        return faces

    monkeypatch.setattr(testing.ScriptedTracker, "update", update)
    assert visavis("recognize", make_video(count=200), "--jsonl") == 0
    assert len(capsys.readouterr().out.splitlines()) == 202
    assert most <= 3


@pytest.mark.parametrize("form", ["--json", "--jsonl"])
def test_what_was_read_before_ctrl_c_is_printed(
    visavis,
    make_video,
    capsys: pytest.CaptureFixture[str],
    scripted_pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
) -> None:
    update = scripted_pipeline._tracker.update

    def interrupted(frame: Frame) -> tuple[Face, ...]:
        if frame.index == 5:
            raise KeyboardInterrupt
        return update(frame)

    monkeypatch.setattr(scripted_pipeline._tracker, "update", interrupted)
    assert visavis("recognize", make_video(count=8), form) == 130
    out, err = capsys.readouterr()
    assert "interrupted; files that were read: 0 of 1" in err
    if form == "--json":
        answer = json.loads(out)
        (file,) = answer["files"]
        assert (answer["interrupted"], file["interrupted"]) == (True, True)
        assert (file["frames"], len(file["moments"])) == (5, 5)
    else:
        lines = [json.loads(line) for line in out.splitlines()]
        assert lines[-1]["interrupted"]
        assert [line["kind"] for line in lines] == ["video", *5 * ["moment"], "end"]


def test_more_threads_than_memory_is_refused(visavis, tmp_path: Path) -> None:
    assert visavis("recognize", image(tmp_path / "a.png"), "--jobs", "62") == 2


@pytest.mark.parametrize("jobs", [1, 3])
def test_many_pictures_are_answered_in_order(
    visavis, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(recognize, "BATCH", 4)
    paths = [image(tmp_path / f"{number}.png", (60 + number, 60)) for number in range(30)]
    paths[7].write_bytes(b"hello")
    assert visavis("recognize", *paths, "--json", "--jobs", jobs) == 2
    answer = json.loads(capsys.readouterr().out)
    assert [file["path"] for file in answer["files"]] == [str(path) for path in paths if path != paths[7]]
    assert [file["width"] for file in answer["files"]] == [60 + number for number in range(30) if number != 7]
    assert [error["path"] for error in answer["errors"]] == [str(paths[7])]


def test_each_file_starts_anew(
    visavis, tmp_path: Path, scripted_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, resets = scripted_pipeline._tracker, []
    update = tracker.update
    monkeypatch.setattr(tracker, "update", lambda frame: resets.append(tracker.resets) or update(frame))
    visavis("recognize", *(image(tmp_path / f"{number}.png") for number in range(5)))
    assert len(set(resets)) == 5


def test_folder(visavis, make_video, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    image(folder / "b.JPG")
    image(folder / "sub.jpg" / "a.png")
    others = ("z.png", "zz.mp4") if hasattr(os, "mkfifo") else ()
    (folder / "notes.txt").write_text("x")
    (folder / "._b.JPG").write_bytes(b"litter of macOS")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "z.png")
        (folder / "zz.mp4").symlink_to(folder / "gone.mp4")
    (folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    make_video("c.mp4", count=3).rename(folder / "c.mp4")
    answer = visavis.json("recognize", folder, "--json")
    assert [Path(file["path"]).name for file in answer["files"]] == ["b.JPG", "c.mp4", "a.png"]
    assert answer["passed_over"] == [
        str(folder / name) for name in ("linked", "._b.JPG", "notes.txt", *others)
    ]
    assert visavis("recognize", folder) == 0
    assert (
        "passed over (hidden, a link to a folder, no regular file, or another ending): "
        in capsys.readouterr().err
    )


def test_bad_files_do_not_stop_the_good_ones(
    visavis, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = image(tmp_path / "good.png")
    bad = tmp_path / "bad.png"
    bad.write_bytes(good.read_bytes()[:60])
    missing = tmp_path / "missing.jpg"
    assert visavis("recognize", missing, bad, good, "--json") == 2
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert [file["path"] for file in answer["files"]] == [str(good)]
    assert [error["path"] for error in answer["errors"]] == [str(missing), str(bad)]
    assert err.count("\n") == 1
    assert "2 inputs could not be read whole" in err
    assert visavis("recognize", missing, bad, good) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [str(missing) in lines[0], str(bad) in lines[1], len(lines)] == [True, True, 3]


def test_truncated_video_keeps_its_moments(visavis, make_video, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_video(count=90, size=(96, 64))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    assert visavis("recognize", path, "--json") == 2
    out, err = capsys.readouterr()
    assert 20 < json.loads(out)["files"][0]["frames"] < 90
    assert "truncated video" in err


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.png", b"", "the file is empty"),
        ("a.jpg", b"hello", "not an image"),
        ("a.mp4", b"hello", "not a video, or damaged"),
        ("a.xyz", b"hello", "not a video, or damaged"),
    ],
)
def test_one_bad_file_is_one_line_and_status_2(
    visavis, tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    assert message in visavis.error("recognize", tmp_path / name)


def test_empty_folder(visavis, tmp_path: Path) -> None:
    assert "a folder without images or videos" in visavis.error("recognize", tmp_path)
