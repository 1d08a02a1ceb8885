"""REACT2025, ViCo and Learning to Listen, and the detection of these data sets."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from support.conversations import (
    CAMERA,
    face_numbers,
    write_big_five,
    write_npy,
    write_react,
    write_react2025,
    write_silence,
)
from visavis.datasets import l2l, react2025, vico
from visavis.datasets.conversations import find_corpus
from visavis.datasets.dyads import FaceSpace
from visavis.errors import InputError, MissingExtraError


def test_react2025_sessions_in_both_directions(tmp_path: Path) -> None:
    corpus = find_corpus(write_react2025(tmp_path))
    assert (corpus.name, corpus.splits) == ("REACT2025", ("train",))
    train = corpus.read("train")
    keys = [f"speaker/session2/{CAMERA}", f"speaker/session10/{CAMERA}"]
    assert [dyad.key for dyad in train] == keys + [key.replace("speaker", "listener") for key in keys]
    one = train[0]
    assert (one.fps, one.space, one.labels) == (30.0, FaceSpace.FACEVERSE, {"session": "session2"})
    assert np.array_equal(one.speaker.face, face_numbers(2, 12))
    assert np.array_equal(one.listener.expression, face_numbers(103, 12, 25))
    assert one.listener.audio == tmp_path / "train" / "audio" / "listener" / "session2" / f"{CAMERA}.wav"


def test_react2025_files_that_a_mac_adds_are_passed_over(tmp_path: Path) -> None:
    write_react2025(tmp_path)
    (tmp_path / "train/coefficients/speaker/session2/._x.npy").write_bytes(b"\0\5\x16\7")
    assert len(find_corpus(tmp_path).read("train")) == 4


def test_react2026_traits_are_labels_of_the_listener(tmp_path: Path) -> None:
    write_react2025(tmp_path)
    write_big_five(tmp_path, "session2", (1, 2, 3, 4, 5))
    train = find_corpus(tmp_path).read("train")
    traits = dict(zip(react2025.BIG_FIVE, ("0", "0.25", "0.5", "0.75", "1"), strict=True))
    assert train[0].labels == {"session": "session2", **traits}
    # The other session, and the other person, have none.
    assert train[1].labels == {"session": "session10"}
    assert train[2].labels == {"session": "session2"}
    write_big_five(tmp_path, "session2", (1, 2, 3, 4, 6))
    with pytest.raises(InputError, match=r"listener\.csv:2: found traits outside 1 to 5"):
        find_corpus(tmp_path).read("train")


def test_react2026_traits_of_no_clip_are_refused(tmp_path: Path) -> None:
    write_react2025(tmp_path)
    write_big_five(tmp_path, "2", (1, 2, 3, 4, 5))
    expected = rf"listener\.csv: no row belongs to a clip; expected for example {CAMERA} in session2$"
    with pytest.raises(InputError, match=expected):
        find_corpus(tmp_path).read("train")


@pytest.mark.parametrize(("folder", "suffix"), [("audio", "wav"), ("facial-attributes", "npy")])
def test_react2025_folders_without_a_file_of_a_clip_are_refused(
    folder: str, suffix: str, tmp_path: Path
) -> None:
    write_react2025(tmp_path)
    place = tmp_path / "train" / folder
    for role in ("speaker", "listener"):
        (place / role).rename(place / role.upper())
    told = f"{folder}: no file belongs to a clip; expected for example speaker/session2/{CAMERA}.{suffix}"
    with pytest.raises(InputError, match=told):
        find_corpus(tmp_path).read("train")


def test_react2026_two_rows_of_traits_for_one_clip_are_refused(tmp_path: Path) -> None:
    write_react2025(tmp_path)
    table = write_big_five(tmp_path, "session2", (1, 2, 3, 4, 5))
    table.write_text(table.read_text() + f"{CAMERA}.mp4,session2,5,4,3,2,1\n")
    with pytest.raises(
        InputError, match=rf"listener\.csv:3: listener/session2/{CAMERA} has traits in a row before"
    ):
        find_corpus(tmp_path).read("train")


@pytest.mark.parametrize(("missing", "other"), [("listener", "speaker"), ("speaker", "listener")])
def test_react2025_a_person_without_the_other_is_named(missing: str, other: str, tmp_path: Path) -> None:
    write_react2025(tmp_path)
    (tmp_path / "train" / "coefficients" / missing / "session2" / f"{CAMERA}.npy").unlink()
    with pytest.raises(InputError, match=f"session2/{CAMERA} has a {other} and no {missing}: .* is missing"):
        find_corpus(tmp_path).read("train")


def write_mat(
    path: Path, seed: int, frames: int = 6, *, compressed: bool = False, **changes: np.ndarray
) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {
        "coeff": face_numbers(seed, frames, 257),
        "transform_params": face_numbers(seed + 50, frames, 5),
    }
    savemat(path, values | changes, do_compression=compressed)


def write_vico(root: Path) -> Path:
    root.mkdir(exist_ok=True)
    (root / "train.csv").write_text("video_id,uuid,speaker_id,listener_id\nv1,a1b2,7,9\n")
    write_mat(root / "recons" / "test" / "a1b2.speaker.mat", 0)
    write_mat(root / "recons" / "test" / "a1b2.listener.mat", 1)
    write_silence(root / "audios" / "a1b2.wav")
    return root


def test_vico_challenge(tmp_path: Path) -> None:
    corpus = find_corpus(write_vico(tmp_path))
    assert (corpus.name, corpus.splits) == ("ViCo", ("train",))
    (one,) = corpus.read("train")
    assert (one.key, one.space, one.fps, len(one)) == ("a1b2", FaceSpace.BFM, 30.0, 6)
    assert one.labels == {"speaker_id": "7", "listener_id": "9", "video_id": "v1", "fps": "assumed"}
    assert one.speaker.audio == tmp_path / "audios" / "a1b2.wav"
    assert one.listener.audio is None
    (tmp_path / "audios" / "a1b2.wav").rename(tmp_path / "audios" / "other.wav")
    with pytest.raises(
        InputError, match=r"audios: no file belongs to a clip; expected for example a1b2\.wav"
    ):
        find_corpus(tmp_path)
    coeff, params = face_numbers(1, 6, 257), face_numbers(51, 6, 5)
    angle, exp, trans = coeff[:, 224:227], coeff[:, 80:144], coeff[:, 254:257]
    assert np.array_equal(one.listener.face, np.concatenate([angle, exp, trans, params[:, 2:]], axis=1))


def test_vico_whole(tmp_path: Path) -> None:
    (tmp_path / "RLD.csv").write_text(
        "attitude,audio,speaker,listener,speaker_id,listener_id,data_split\n"
        "positive,v1_0_9,v1_s,v1_l,7,9,train\nnegative,v2_0_9,v2_s,v2_l,7,8,ood\n"
    )
    for number, name in enumerate(("v1_s", "v1_l", "v2_s", "v2_l")):
        write_mat(tmp_path / "recons" / f"{name}.mat", number)
    write_silence(tmp_path / "audios" / "v2_0_9.wav")
    corpus = find_corpus(tmp_path)
    assert corpus.splits == ("train", "ood")
    one = corpus.read("ood")[0]
    assert (one.key, one.labels["attitude"]) == ("v2_l", "negative")
    assert one.speaker.audio == tmp_path / "audios" / "v2_0_9.wav"
    table = tmp_path / "RLD.csv"
    text = table.read_text()
    table.write_text(text + "negative,v2_0_9,v2_s,v2_l,7,8,train\n")
    with pytest.raises(InputError, match=r"RLD\.csv:4: v2_s and v2_l stand in .*RLD\.csv:3 already; delete"):
        find_corpus(tmp_path)
    table.write_text(text.replace(",ood", ","))
    with pytest.raises(InputError, match=r"RLD\.csv:3: no data_split: name one, such as train, or delete"):
        find_corpus(tmp_path)


def test_vico_missing_and_bad_coefficients_are_named(tmp_path: Path) -> None:
    path = write_vico(tmp_path) / "recons" / "test" / "a1b2.listener.mat"
    write_mat(path, 1, coeff=np.zeros((6, 70)))
    with pytest.raises(InputError, match=r"listener\.mat: coeff has shape \(6, 70\); expected \(any, 257\)"):
        find_corpus(tmp_path).read("train")[0]
    path.write_bytes(b"no MATLAB file, only text that is long enough to be taken for a header" * 9)
    with pytest.raises(InputError, match=r"listener\.mat: not a readable MATLAB file"):
        find_corpus(tmp_path).read("train")[0]
    write_mat(path, 1, compressed=True)
    whole = path.read_bytes()
    path.write_bytes(whole[:600] + bytes(400) + whole[1000:])
    with pytest.raises(InputError, match=r"listener\.mat: not a readable MATLAB file"):
        find_corpus(tmp_path).read("train")[0]
    path.unlink()
    with pytest.raises(InputError, match=r"train\.csv:2: the coefficients .*a1b2\.listener\.mat are missing"):
        find_corpus(tmp_path)


def test_vico_one_person_as_both_is_refused(tmp_path: Path) -> None:
    write_mat(tmp_path / "recons" / "a.mat", 0)
    (tmp_path / "RLD.csv").write_text("audio,speaker,listener,data_split\nv1,a,a,train\n")
    with pytest.raises(InputError, match=r"RLD\.csv:2: a is speaker and listener; expected two people"):
        find_corpus(tmp_path)


def test_vico_without_scipy_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(
        MissingExtraError,
        match=r"'scipy': install the extra 'corpora', in a clone with  pip install -e '\.\[corpora\]'",
    ):
        vico.read_coefficients(tmp_path / "a.mat")


def write_l2l(root: Path, clips: int = 3) -> Path:
    for seed, name in enumerate(("p0_list", "p0_speak", "p1_list", "p1_speak")):
        values = face_numbers(seed, clips * 64, 184).reshape(clips, 64, 184)
        write_npy(root / "conan" / "test" / f"{name}_faces_clean_deca.npy", values)
    return root


def test_l2l_pairs_the_sides(tmp_path: Path) -> None:
    corpus = find_corpus(write_l2l(tmp_path))
    assert (corpus.name, corpus.splits) == ("Learning to Listen", ("test",))
    test = corpus.read("test")
    assert len(test) == 6
    one = test[4]  # The right person listens, second clip.
    assert (one.key, one.space, len(one)) == ("conan/p1/1", FaceSpace.DECA, 64)
    assert (one.speaker.name, one.listener.name) == ("conan/p0", "conan/p1")
    assert np.array_equal(one.speaker.face, face_numbers(1, 192, 184).reshape(3, 64, 184)[1, :, :56])
    assert np.array_equal(one.listener.face, face_numbers(2, 192, 184).reshape(3, 64, 184)[1, :, :56])
    assert [dyad.key for dyad in l2l.find_l2l(tmp_path / "conan").read("test")][:1] == ["conan/p0/0"]


def test_l2l_sides_of_different_length_are_named(tmp_path: Path) -> None:
    write_l2l(tmp_path)
    write_npy(tmp_path / "conan" / "test" / "p1_speak_faces_clean_deca.npy", np.zeros((2, 64, 184)))
    with pytest.raises(InputError, match=r"p1_speak.* is \(2, 64, 184\) and .*p0_list.* \(3, 64, 184\)"):
        find_corpus(tmp_path).read("test")


def test_each_layout_is_told_from_the_others(tmp_path: Path) -> None:
    react = write_react(tmp_path / "react", [("NoXI/a/Expert_video/1", "NoXI/a/Novice_video/1")])
    others = (
        write_react2025(tmp_path / "react2025"),
        write_vico(tmp_path / "vico"),
        write_l2l(tmp_path / "l2l"),
    )
    names = [find_corpus(path).name for path in (react, *others)]
    assert names == ["REACT", "REACT2025", "ViCo", "Learning to Listen"]
    assert react2025.find_react2025(react) is None


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("train/-uaFgyxn2kw_sub_video_28_001_speaker1.npz", "DualTalk holds FLAME's expressions"),
        ("improvised/dev/0000/0005/V00_S0809_I00000582_P0947.npz", "track the videos of both people"),
        ("V00_S0809_I00000582_P0947.mp4", "Seamless Interaction's movement features are codes"),
    ],
)
def test_faces_without_a_map_to_ours_are_refused_with_the_reason(
    tmp_path: Path, file: str, reason: str
) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_bytes(b"")
    with pytest.raises(InputError, match=reason):
        find_corpus(tmp_path)


def test_nothing_and_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: no such folder"):
        find_corpus(tmp_path / "none")
    with pytest.raises(
        InputError, match=r"no corpus of conversations is recognised here; expected REACT \("
    ) as told:
        find_corpus(tmp_path)
    assert len(str(told.value).removeprefix(str(tmp_path))) < 200
