"""Packs of face tracks: a round trip, splits of whole clips, and fair draws of rows."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from support import tiny_listening, tiny_tracks
from support.research import run_lab
from visavis.channels import EXPRESSION_CHANNELS, FACE_INDEX
from visavis.errors import InputError
from visavis.face.geometry import rotation_from_euler
from visavis.track import Track
from visavis_train.data.conversation_pack import save_listening
from visavis_train.data.track_pack import (
    LEAST_SPREAD,
    Clip,
    Sampler,
    clip_windows,
    face_scale,
    load_tracks,
    save_pack,
    split_clips,
    tracked,
)
from visavis_train.tokenizer import tracks
from visavis_train.tokenizer.tracks import conversation_clips, dyad_clips, make_pack, still_clips, track_video


def named(name: str, source: str = "video", frames: int = 5) -> Clip:
    face = tiny_tracks.moving_face(len(name), frames)
    return Clip(name, source, 25.0, face, tiny_tracks.expression_values(face))


def test_a_pack_gives_back_its_clips(tmp_path: Path) -> None:
    clips = tiny_tracks.clips()
    save_pack(tmp_path / "p.npz", clips)
    for one, other in zip(clips, load_tracks(tmp_path / "p.npz"), strict=True):
        assert (one.name, one.source, one.fps) == (other.name, other.source, other.fps)
        np.testing.assert_array_equal(one.face, other.face)
        np.testing.assert_array_equal(one.expression, other.expression)


def test_bad_packs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    with pytest.raises(InputError, match="no such file; make it by"):
        load_tracks(path)
    path.write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(InputError, match="not a readable pack"):
        load_tracks(path)
    np.savez(path, face=np.zeros((2, 58)))
    with pytest.raises(InputError, match="a pack of face tracks holds the arrays"):
        load_tracks(path)
    with pytest.raises(InputError, match="found twin"):
        save_pack(path, [named("twin"), named("twin")])


def test_clips_are_split_whole() -> None:
    clips = [named(name) for name in ("a_1", "a_2", "b_1", "c")]
    parts = split_clips(clips, {"validation": ["b_*"], "test": ["a_*"]})
    assert {part: [clip.name for clip in members] for part, members in parts.items()} == {
        "training": ["c"],
        "validation": ["b_1"],
        "test": ["a_1", "a_2"],
    }


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [
        (["x"], ["a"], "validation: no clip is called 'x'"),
        (["a"], ["a", "b"], "the clip a is in validation and in test"),
        (["a"], ["b"], "leaves no clip for training"),
    ],
)
def test_impossible_splits_are_refused(validation: list[str], test: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_clips([named("a"), named("b")], {"validation": validation, "test": test})


def test_the_scale_leaves_unknown_numbers_out() -> None:
    whole, part = named("a", frames=50), named("b", "dyads", 50)
    hidden = part.face.copy()
    hidden[:, 1:] = np.nan
    mean, spread = face_scale(
        [whole, Clip("b", "dyads", 25.0, hidden, part.expression)], {"video": 0.5, "dyads": 0.5}
    )
    both = np.concatenate([whole.face[:, 0], part.face[:, 0]])
    assert mean[0] == pytest.approx(both.mean(), abs=1e-6)
    assert spread[0] == pytest.approx(max(both.std(), LEAST_SPREAD[0]), abs=1e-5)
    np.testing.assert_allclose(mean[1:], whole.face.mean(axis=0)[1:], rtol=1e-4)
    with pytest.raises(InputError, match="no training clip knows the channel browDownRight"):
        face_scale([Clip("b", "dyads", 25.0, hidden, part.expression)], {"dyads": 1.0})


def test_a_source_counts_by_its_share_and_not_by_its_frames() -> None:
    one, other = named("a", "video", 10), named("bb", "grid", 500)
    mean, _ = face_scale([one, other], {"video": 3.0, "grid": 1.0})
    np.testing.assert_allclose(
        mean, 0.75 * one.face.mean(axis=0) + 0.25 * other.face.mean(axis=0), rtol=1e-4, atol=1e-5
    )


def test_windows_stand_still_before_the_first_frame_and_pass_over_gaps() -> None:
    clip = named("a", frames=6)
    face = clip.face.copy()
    face[2] = np.nan
    found = clip_windows(Clip("a", "video", 25.0, face, clip.expression), 3)
    kept = face[[0, 1, 3, 4, 5]]
    for row, numbers in enumerate([(0, 0, 0), (0, 0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4)]):
        np.testing.assert_array_equal(found[row], kept[list(numbers)])


def test_rows_are_drawn_by_source_with_their_own_past() -> None:
    clips = [named("aa", "video", 30), named("b", "grid", 4), named("ccc", "other", 9)]
    sampler = Sampler(clips, {"video": 1.0, "grid": 3.0}, window=3)
    faces, expressions = sampler.draw(4000, np.random.default_rng(0))
    assert faces.shape == (4000, 3, 58)
    rows = {clip.source: {row.tobytes(): n for n, row in enumerate(clip.face)} for clip in clips}
    counts = dict.fromkeys(rows, 0)
    for window, expression in zip(faces, expressions, strict=True):
        (source,) = [name for name, known in rows.items() if window[-1].tobytes() in known]
        counts[source] += 1
        numbers = [rows[source][row.tobytes()] for row in window]
        last = numbers[-1]
        assert numbers == [max(last - 2, 0), max(last - 1, 0), last]
        clip = next(clip for clip in clips if clip.source == source)
        np.testing.assert_array_equal(expression, clip.expression[last])
    assert counts["other"] == 0
    assert counts["grid"] / 4000 == pytest.approx(0.75, abs=0.03)
    with pytest.raises(
        InputError, match="no training clip of the source 'dyads' holds a face; there are: grid"
    ):
        Sampler(clips, {"dyads": 1.0}, 1)


def test_of_calls_the_smile_and_the_cheeks_are_known(tmp_path: Path) -> None:
    call = np.zeros((4, 2, 4), np.float32)
    call[:, 1, 1] = 2.5
    np.savez(tmp_path / "c.npz", s01_240p=call)
    first, second = dyad_clips(tmp_path / "c.npz")
    assert [first.name, second.name] == ["s01_240p_a", "s01_240p_b"]
    assert np.isfinite(second.face).sum(axis=1).tolist() == [4] * 4
    assert second.face[0, FACE_INDEX["mouthSmileLeft"]] == 0.5
    assert second.expression[0, EXPRESSION_CHANNELS.index("AU12")] == 0.5
    assert first.face[0, FACE_INDEX["cheekSquintRight"]] == 0


def test_single_faces_are_clips_that_stand_nowhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"index\.csv"):
        still_clips(tmp_path)
    matrix = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))
    matrix[1, :3, :3] = rotation_from_euler(0.3, 0.1, -0.2)
    weights = np.full((2, 52), 0.25, np.float16)
    np.savez(tmp_path / "teacher.npz", ids=["a", "b"], blendshapes=weights, matrix=matrix)
    (tmp_path / "index.csv").write_text("id,split\na,train\n")
    with pytest.raises(InputError, match="the face b of teacher"):
        still_clips(tmp_path)
    (tmp_path / "index.csv").write_text("id,split\na,train\nb,val\n")
    first, second = still_clips(tmp_path)
    assert [first.name, second.name] == ["still_train_a", "still_val_b"]
    np.testing.assert_allclose(second.face[0, 52:55], [0.3, 0.1, -0.2], atol=1e-5)
    assert np.isnan(second.face[0, 55:]).all()
    assert tracked([first, named("c")])
    assert not tracked([first])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("video=/no/such.mp4", "/no/such.mp4"),
        ("clips/", "--from clips/: expected SOURCE=PATH"),
        ("video={empty}", "{empty}: holds no video"),
    ],
)
def test_bad_sources_end_with_status_2(
    source: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run_lab("tracks", tmp_path / "p.npz", "--from", source.format(empty=empty)) == 2
    assert capsys.readouterr().err.startswith(f"Error: {message.format(empty=empty)}")
    assert not (tmp_path / "p.npz").exists()


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_videos_of_a_folder_or_tar_are_tracked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (source := tmp_path / "clips").mkdir()
    for name in ("b.mp4", "a.MOV", "notes.txt", "._b.mp4"):
        (source / name).touch()
    (source / "folder.mp4").mkdir()
    prefix = ""
    if kind == "tar":
        source, prefix = tmp_path / "talker_1.tar", "talker_"
        with tarfile.open(source, "w") as archive:
            archive.add(tmp_path / "clips", "clips")
    seen: list[str] = []

    def track(path: Path, *, two: bool) -> list[Track]:
        assert not two
        seen.append(path.name)
        face = tiny_tracks.moving_face(1, 5)
        return [
            Track(np.arange(5) / 25, face, tiny_tracks.expression_values(face), np.ones(5, np.bool_), 25.0)
        ]

    monkeypatch.setattr(tracks, "track_video", track)
    pack = tmp_path / "packs" / "p.npz"
    for _ in range(2):
        make_pack(pack, sources=[("grid", source)])
    assert sorted(seen) == ["a.MOV", "b.mp4"]
    found = sorted((clip.name, clip.source) for clip in load_tracks(pack))
    assert found == [(f"{prefix}a", "grid"), (f"{prefix}b", "grid")]


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_no_clip_hides_another_of_the_same_name(tmp_path: Path, kind: str) -> None:
    clips = tmp_path / "clips"
    (clips / "b").mkdir(parents=True)
    names = ("a.mp4", "a.mov") if kind == "folder" else ("a.mp4", "b/a.mp4")
    for name in names:
        (clips / name).write_bytes(b"-")
    source = clips
    if kind == "tar":
        source = tmp_path / "clips.tar"
        with tarfile.open(source, "w") as archive:
            archive.add(clips, "clips")
    with pytest.raises(InputError, match="more than one clip is called a; give clips of different names"):
        make_pack(tmp_path / "packs" / "p.npz", sources=[("grid", source)])


@pytest.mark.shared
def test_both_people_of_a_real_call_are_tracked(shared: Path) -> None:
    tracks = track_video(shared / "data" / "video" / "dyad_l2l_speaker_listener.mp4", two=True)
    assert len(tracks) == 2
    assert all(track.found.mean() > 0.9 for track in tracks)
    assert not np.array_equal(tracks[0].face, tracks[1].face)


def test_conversations_and_other_packs_are_joined(tmp_path: Path) -> None:
    packs = [tmp_path / "train.npz", tmp_path / "val.npz"]
    for path in packs:
        save_listening(path, tiny_listening.pack(path.stem, speakers=2, frames=30))
    talks = conversation_clips(packs[0])
    # Two speakers, each with two listeners.
    assert [clip.name for clip in talks] == [f"talk_train_{number:04d}" for number in range(6)]
    assert {clip.source for clip in talks} == {"talks"}
    np.testing.assert_array_equal(talks[0].face[:, 1], np.full(30, 0.5, np.float32))

    first, joined = tmp_path / "first.npz", tmp_path / "joined.npz"
    make_pack(first, conversations=packs[:1])
    assert run_lab("tracks", joined, "--conversations", packs[1], "--add", first) == 0
    names = {clip.name for clip in load_tracks(joined)}
    assert names == {f"talk_{split}_{number:04d}" for split in ("train", "val") for number in range(6)}
