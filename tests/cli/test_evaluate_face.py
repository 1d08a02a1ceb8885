from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.known_faces import KnownNetwork, KnownTracker, labels, write_pack
from visavis.base.int8 import chosen
from visavis.base.networks import manifest
from visavis.channels import BLENDSHAPES
from visavis.face import embedded, network
from visavis.face import mediapipe as mediapipe_tracker

FIGURES = {
    "set", "kind", "truth", "network", "n", "mean_r", "channels", "moving_r", "moving", "mean_rise", "rising",
    "flat", "mean_error", "r", "rise", "error", "landmarks", "head_deg", "found", "blinks", "jitter", "clips",
    "false_faces", "turned",
}  # fmt: skip


@pytest.fixture
def arrays(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Labels, and stand-ins for the network and both trackers that say the same."""
    known = labels()
    monkeypatch.setattr(network, "FaceNetwork", lambda: KnownNetwork(known, gain=0.5))
    monkeypatch.setattr(embedded, "EmbeddedTracker", lambda *_, **__: KnownTracker(known))
    monkeypatch.setattr(mediapipe_tracker, "MediaPipeTracker", lambda **_: KnownTracker(known))
    return known


def test_a_pack(command_line, arrays, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = write_pack(tmp_path / "pack", arrays | {"truth": np.asarray("known")})
    answer = command_line.json("evaluate", "face", pack, "--json", quiet=True)
    assert answer.keys() == FIGURES
    assert (answer["set"], answer["kind"], answer["truth"], answer["n"]) == (str(pack), "pack", "known", 12)
    entry = manifest()[chosen("face")]
    assert answer["network"] == {
        "name": chosen("face"),
        "bytes": entry.size,
        "sha256": entry.sha256,
        "commit": entry.commit,
    }
    assert (answer["mean_r"], answer["channels"]) == (1, 44)
    assert list(answer["r"]) == list(answer["rise"]) == list(answer["error"]) == list(BLENDSHAPES)
    assert answer["mean_error"] == pytest.approx(0.5 * arrays["blendshapes"].mean(), abs=1e-4)
    assert answer["landmarks"] == {"all": 0, "eyes": 0, "brows": 0, "mouth": 0, "irises": 0, "oval": 0}
    assert answer["head_deg"] == {"yaw": 0, "pitch": 0, "roll": 0}
    assert [answer[name] for name in ("clips", "blinks", "jitter", "found", "turned", "false_faces")] == [
        None
    ] * 6
    assert command_line("evaluate", "face", pack) == 0
    out = capsys.readouterr().out
    assert "12 faces, truth: known" in out
    assert all(name in out for name in BLENDSHAPES)


def test_a_part_of_a_pack_is_the_same_for_the_same_seed(command_line, arrays, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", arrays)
    options = ("--limit", 3, "--json", "--seed")
    answers = [command_line.json("evaluate", "face", pack, *options, seed) for seed in (0, 0, 1)]
    assert answers[0]["n"] == 3
    assert answers[0] == answers[1] != answers[2]


def test_turned_copies_and_pictures_without_a_face(
    command_line, arrays, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = write_pack(tmp_path / "pack", arrays)
    (tmp_path / "rooms").mkdir()
    cv2.imwrite(str(tmp_path / "rooms" / "a.png"), np.zeros((40, 60, 3), np.uint8))
    options = ("--turned", "--no-face", tmp_path / "rooms", "--limit", 2)
    answer = command_line.json("evaluate", "face", pack, *options, "--json")
    assert answer["false_faces"] == {"pictures": 1, "with_faces": 1, "share": 1, "faces": {"a.png": 1}}
    assert [each["n"] for each in answer["turned"]] == [2] * 9
    assert answer["turned"][0].keys() == {
        "turned_deg", "height", "n", "found", "right", "roll_error_deg", "size"
    }  # fmt: skip
    assert command_line("evaluate", "face", pack, *options) == 0
    out = capsys.readouterr().out
    assert "pictures without a face, with one found, of 1" in out
    assert "turned by" in out


@pytest.mark.parametrize("labeled", [False, True])
def test_clips(
    command_line, arrays, make_video, tmp_path: Path, capsys: pytest.CaptureFixture[str], labeled: bool
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "._clip.mp4").write_bytes(b"litter of macOS")
    (folder / "folder.mp4").mkdir()
    make_video(count=12).rename(folder / "clip.mp4")
    options: tuple[object, ...] = ()
    if labeled:
        np.savez(tmp_path / "known.npz", **arrays)
        options = ("--labels", tmp_path / "known.npz")
    else:
        shutil.copy(folder / "clip.mp4", folder / "other.mp4")
    answer = command_line.json("evaluate", "face", folder, *options, "--json")
    assert answer.keys() == FIGURES
    assert (answer["kind"], answer["truth"]) == ("clips", "teacher" if labeled else "mediapipe")
    assert list(answer["clips"]) == (["clip"] if labeled else ["clip", "other"])
    assert answer["n"] == 12 * len(answer["clips"])
    assert (answer["mean_r"], answer["found"]) == (1, 1)
    assert answer["mean_error"] == pytest.approx(0, abs=1e-6)
    assert answer["blinks"]["ours"] == answer["blinks"]["teacher"]
    assert answer["clips"]["clip"]["frames"] == 12
    assert command_line("evaluate", "face", folder / "clip.mp4", *options) == 0
    out = capsys.readouterr().out
    assert "found, of the teacher's faces" in out
    assert "jitter, teacher weights" in out


def test_bad_input_is_one_line_and_status_2(command_line, arrays, make_video, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", arrays)
    clip = make_video(count=3)
    old = tmp_path / "old"
    old.mkdir()
    np.savez(old / "labels.npz", points=np.zeros(3))
    empty = tmp_path / "empty"
    empty.mkdir()
    words = tmp_path / "words.mp4"
    words.write_text("no video")
    twice = tmp_path / "twice"
    twice.mkdir()
    for name in ("a.mp4", "a.mkv"):
        shutil.copy(clip, twice / name)
    damaged = write_pack(tmp_path / "damaged", arrays)
    (damaged / "crops.npy").write_text("no array")
    for arguments, message in (
        ((tmp_path / "none",), "none: no such file"),
        ((words,), "words.mp4: not a video"),
        ((twice,), "more than one clip is called a; give clips of different names"),
        ((damaged,), "crops.npy: not a readable array (.npy): it is no file of arrays"),
        ((empty,), "found neither a pack (crops.npy and labels.npz) nor videos"),
        (
            (old,),
            "lacks the arrays landmarks146 or landmarks, blendshapes, rotation or matrix, source; found",
        ),
        ((pack, "--labels", "x.npz"), "--labels is for videos"),
        ((clip, "--turned"), "--turned and --limit are for packs"),
        ((clip, "--limit", 3), "--turned and --limit are for packs"),
        ((clip, "--labels", tmp_path / "none.npz"), "none.npz: no such file; make it by"),
        ((pack, "--no-face", empty), "no folder with pictures"),
    ):
        assert message in command_line.error("evaluate", "face", *arguments)


@pytest.mark.shared
@pytest.mark.slow
def test_a_real_clip_beside_mediapipe(command_line, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mediapipe")
    monkeypatch.setenv(mediapipe_tracker.MODEL_VARIABLE, str(shared / "models" / "face_landmarker.task"))
    answer = command_line.json("evaluate", "face", shared / "data" / "video" / "lp_d0.mp4", "--json")
    assert answer["found"] == 1
    assert answer["moving_r"] > 0.8
    assert answer["mean_error"] < 0.05
    assert answer["landmarks"]["all"] < 0.03
    assert max(answer["head_deg"].values()) < 2
