from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from support.conversations import BLUE, GRAY, RED, alone, call, draw, film, make, tree
from visavis.capture.video import VideoFile
from visavis.channels import FACE_INDEX
from visavis.corpus import engines
from visavis.corpus.build import build_corpus, plan
from visavis.corpus.engines import InProcess
from visavis.corpus.recording import CorpusSettings, Source, list_recordings
from visavis.corpus.segments import refused_path
from visavis.datasets.conversations import find_corpus
from visavis.datasets.dyads import Dyad, FaceSpace
from visavis.errors import InputError

pytestmark = pytest.mark.usefixtures("squares")

JAW = FACE_INDEX["jawOpen"]


def first(root: Path, split: str = "train") -> Dyad:
    return find_corpus(root).read(split)[0]


def test_two_aligned_people_come_back_through_the_reader(tmp_path: Path) -> None:
    result = make(tmp_path / "c", call(tmp_path / "call.mp4", sound_hz=440))
    assert [outcome.status for outcome in result.outcomes] == ["done"]
    corpus = find_corpus(tmp_path / "c").read("train")
    assert len(corpus) == 2
    one = corpus[0]
    assert (one.fps, one.space, len(one)) == (25.0, FaceSpace.VISAVIS, 50)
    assert one.speaker.name == "visavis/call/A/1"
    assert one.speaker.face[:, JAW] == pytest.approx([(100 + 2 * n) / 255 for n in range(50)], abs=0.03)
    assert one.listener.face[:, JAW] == pytest.approx([BLUE[0] / 255] * 50, abs=0.03)
    assert one.listener.expression.shape == (50, 25)
    assert all(person.audio.stat().st_size == 44 + 2 * 2 * 16000 for person in (one.speaker, one.listener))
    assert np.array_equal(corpus[1].speaker.face, one.listener.face)
    speaker, _ = one.tracks()
    assert speaker.found.all()


def test_the_layout_is_reacts(tmp_path: Path) -> None:
    make(tmp_path / "c", call(tmp_path / "call.mp4"))
    face = np.load(tmp_path / "c" / "train" / "3D_FV_files" / "visavis" / "call" / "A" / "1.npy")
    assert face.shape == (50, 1, 58)
    assert face.dtype == np.float32
    index = (tmp_path / "c" / "train.csv").read_text()
    assert index == ",speaker_path,listener_path\n0,visavis/call/A/1,visavis/call/B/1\n"
    assert not (tmp_path / "c" / "train" / "Audio_files").exists()


def test_manifest_and_table_say_what_is_there(tmp_path: Path) -> None:
    source = call(tmp_path / "call.mp4")
    make(tmp_path / "c", source)
    manifest = json.loads((tmp_path / "c" / "manifest.json").read_text())
    assert manifest["settings"] == {
        "fps": 25.0,
        "tolerance_s": 0.5,
        "least_found": 0.5,
        "segment_s": 60.0,
        "parquet": False,
    }
    assert manifest["face_space"] == "visavis"
    assert all(len(digest) == 64 for digest in manifest["weights"].values())
    (recorded,) = manifest["items"]
    assert recorded["sources"][0]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert recorded["sources"][0]["size"] == source.stat().st_size
    for name, size in recorded["files"].items():
        assert (tmp_path / "c" / name).stat().st_size == size
    table = (tmp_path / "c" / "quality.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    assert [(row["person"], row["found"], row["notes"]) for row in rows] == [
        ("A", "1.0", "no sound"),
        ("B", "1.0", "no sound"),
    ]
    assert rows[0]["frames"] == "50"
    assert not (tmp_path / "c" / ".partial").exists()


def test_two_files_of_different_rates_share_one_clock(tmp_path: Path) -> None:
    a, b = alone(tmp_path / "a.mp4", RED, 60, 30, 300), alone(tmp_path / "b.mp4", BLUE, 24, 12)
    (outcome,) = make(tmp_path / "c", a, b, pairs=True).outcomes
    one = first(tmp_path / "c")
    assert len(one) == 50
    assert one.speaker.face[:, JAW] == pytest.approx([RED[0] / 255] * 50, abs=0.03)
    assert one.speaker.audio is not None
    assert one.listener.audio is None
    people = outcome.quality["people"]
    assert people["B"]["source_fps"] == 12
    assert "12 frames/s, fewer than the corpus's 25" in people["B"]["warnings"]
    assert outcome.quality["mismatch_s"] == 0
    assert not outcome.quality["mixed_sound"]


def test_a_small_difference_in_length_is_cut_and_told(tmp_path: Path) -> None:
    a, b = alone(tmp_path / "a.mp4", count=50), alone(tmp_path / "b.mp4", BLUE, count=60)
    (outcome,) = make(tmp_path / "c", a, b, pairs=True).outcomes
    assert outcome.quality["mismatch_s"] == 0.4
    assert len(first(tmp_path / "c")) == 50


@pytest.mark.parametrize(
    ("count", "color", "reason", "tracked"),
    [
        (25, BLUE, "a.mp4 lasts 1.00 s and", 75),
        (20, BLUE, "a.mp4 lasts 0.80 s and", 0),  # The files say it before any work.
        (50, GRAY, "a face in 0% of", 100),
    ],
)
def test_pairs_that_do_not_fit_are_refused(
    tmp_path: Path, count: int, color, reason: str, tracked: int
) -> None:
    frames: list[int] = []
    videos = alone(tmp_path / "a.mp4", count=count), alone(tmp_path / "b.mp4", color)
    (outcome,) = make(tmp_path / "c", *videos, pairs=True, advance=frames.append).outcomes
    assert sum(frames) == tracked
    assert outcome.status == "refused"
    assert reason in outcome.reason
    assert not (tmp_path / "c" / "train.csv").exists()
    assert not (tmp_path / "c" / "train").exists()


def test_one_face_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    videos = [film(tmp_path / "one.mp4", [draw([(64, RED)])] * 30), call(tmp_path / "two.mp4")]
    (tmp_path / "text.mp4").write_text("hello")
    cut = call(tmp_path / "cut.mp4", 200)
    cut.write_bytes(cut.read_bytes()[:-2000])
    result = make(tmp_path / "c", *videos, tmp_path / "text.mp4", cut)
    one, two, text, broken = result.outcomes
    assert "one.mp4: one face in 3 of 3 looks at the picture" in one.reason
    assert two.status == "done"
    assert "text.mp4: not a video" in text.reason
    assert "cut.mp4: " in broken.reason
    assert [outcome.name for outcome in result.refused] == ["one", "text", "cut"]
    assert len(find_corpus(tmp_path / "c").read("train")) == 2


def test_the_same_again_does_nothing_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = [call(tmp_path / "a.mp4"), film(tmp_path / "one.mp4", [draw([(64, RED)])] * 30)]
    make(tmp_path / "c", *videos)
    before = tree(tmp_path / "c")
    monkeypatch.setattr(engines, "work", None)
    result = make(tmp_path / "c", *videos)
    assert result.kept == 2
    assert [outcome.status for outcome in result.outcomes] == ["done", "refused"]
    assert tree(tmp_path / "c") == before


def test_what_is_missing_or_changed_is_made_again(tmp_path: Path) -> None:
    a, b = call(tmp_path / "a.mp4"), call(tmp_path / "b.mp4")
    make(tmp_path / "c", a, b)
    before = tree(tmp_path / "c")
    (tmp_path / "c" / "train" / "Emotion" / "visavis" / "a" / "B" / "1.csv").unlink()
    assert make(tmp_path / "c", a, b).kept == 1
    assert tree(tmp_path / "c") == before
    call(b, 40)
    assert make(tmp_path / "c", a, b).kept == 1
    assert len(find_corpus(tmp_path / "c").read("train")[1]) == 40


def test_another_video_of_the_same_name_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    one, other = call(tmp_path / "x" / "a.mp4"), call(tmp_path / "y" / "a.mp4", 40)
    make(tmp_path / "c", one)
    before = tree(tmp_path / "c")
    with pytest.raises(InputError, match=r"y/a\.mp4: 'a' in train was made from .*x/a\.mp4; rename one"):
        make(tmp_path / "c", other)
    assert tree(tmp_path / "c") == before
    assert make(tmp_path / "c", one.rename(tmp_path / "a.mp4")).kept == 1


def test_nothing_of_an_older_video_stays(tmp_path: Path) -> None:
    source = call(tmp_path / "a.mp4", sound_hz=440)
    make(tmp_path / "c", source)
    assert first(tmp_path / "c").speaker.audio is not None
    make(tmp_path / "c", call(source, 40))
    assert first(tmp_path / "c").speaker.audio is None


def test_a_video_that_became_useless_replaces_no_good_recording(tmp_path: Path) -> None:
    source, other = call(tmp_path / "a.mp4"), call(tmp_path / "b.mp4", 40)
    faces = [draw([(32, RED), (96, BLUE)]) if n < 20 else draw([]) for n in range(120)]
    reasons = {
        f"{source}: one face in 3 of 3 looks": lambda: film(source, [draw([(64, RED)])] * 30),
        "a face in 1": lambda: film(source, faces, 5),  # Known only after the last of several segments.
        f"{source}: the file is empty": lambda: source.write_bytes(b""),
    }
    make(tmp_path / "c", source, other, segment_s=4.0)
    before, video = tree(tmp_path / "c"), source.read_bytes()
    for reason, change in reasons.items():
        change()
        result = make(tmp_path / "c", source, other, segment_s=4.0)
        (refused,) = result.refused
        assert str(refused.reason).startswith(reason)
        assert str(refused.reason).endswith(
            f"; the corpus keeps the recording that an earlier run made from {source}"
        )
        assert refused.stays
        assert all(name in before for name in refused.files)
        assert refused.quality["frames"] == 50
        assert (result.kept, tree(tmp_path / "c")) == (1, before)
    source.write_bytes(video)
    assert make(tmp_path / "c", source, other, segment_s=4.0).kept == 2
    source.write_bytes(b"")
    next((tmp_path / "c").rglob("a/A/*.npy")).unlink()  # With a file missing, it is no recording any more.
    (refused,) = make(tmp_path / "c", source, other, segment_s=4.0).refused
    assert "keeps" not in str(refused.reason)
    assert (refused.stays, refused.files, refused.quality) == (False, {}, None)
    assert not list((tmp_path / "c" / "train").rglob("a/A/*"))


def test_later_recordings_join_earlier_ones(tmp_path: Path) -> None:
    make(tmp_path / "c", call(tmp_path / "b.mp4"))
    make(tmp_path / "c", call(tmp_path / "a.mp4"))
    make(tmp_path / "c", call(tmp_path / "d.mp4"), split="val")
    corpus = find_corpus(tmp_path / "c")
    assert corpus.splits == ("train", "val")
    assert [dyad.key for dyad in corpus.read("train")][:2] == ["visavis/a/A/1", "visavis/b/A/1"]


def test_recordings_that_were_made_otherwise_are_not_mixed(tmp_path: Path) -> None:
    source = call(tmp_path / "a.mp4")
    make(tmp_path / "c", source)
    with pytest.raises(InputError, match=r"made otherwise \(settings\.fps 25\.0, now 30\.0\)"):
        make(tmp_path / "c", source, fps=30.0)
    (tmp_path / "c" / "manifest.json").write_text("[]")
    with pytest.raises(InputError, match="not a manifest of visavis corpus build"):
        make(tmp_path / "c", source)
    (tmp_path / "c" / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"holds other files and no manifest\.json"):
        make(tmp_path / "c", source)
    with pytest.raises(InputError, match=r"a\.mp4: is no folder"):
        make(source, source)


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    videos = [call(tmp_path / "a.mp4"), call(tmp_path / "b.mp4")]
    frames = 0

    def interrupt(count: int) -> None:
        nonlocal frames
        frames += count
        if frames == 70:
            raise KeyboardInterrupt

    todo = plan(tmp_path / "c", list_recordings(videos, "train", pairs=False), CorpusSettings())
    assert todo.frames == 100
    result = build_corpus(todo, InProcess(), interrupt)
    assert result.interrupted
    assert [outcome.name for outcome in result.outcomes] == ["a"]
    assert len(find_corpus(tmp_path / "c").read("train")) == 2
    assert not (tmp_path / "c" / ".partial").exists()


def test_a_full_disk_is_no_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    source = call(tmp_path / "a.mp4")
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(InputError, match="cannot be written: No space left on device"):
            make(tmp_path / "c", source)
    assert not list((tmp_path / "c").rglob("*.npy"))
    assert make(tmp_path / "c", source).outcomes[0].status == "done"


def beginning(source: Path, target: Path, frames: int) -> Path:
    with VideoFile(source) as video:
        pictures = [frame.image_rgb for frame, _ in zip(video, range(frames), strict=False)]
    return film(target, pictures, 30)


@pytest.mark.shared
@pytest.mark.slow
def test_a_real_call_gives_two_people_and_goes_on_after_a_kill(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    source = shared / "data" / "video" / "dyad_l2l_speaker_listener.mp4"
    short = beginning(source, tmp_path / "short.mp4", 30)
    make(tmp_path / "unbroken", short, source)
    track, other = find_corpus(tmp_path / "unbroken").read("train")[0].tracks()
    assert len(track) == len(other) == 139
    assert track.found.all()
    assert other.found.all()
    assert np.abs(track.face - other.face).max() > 0.1
    broken = tmp_path / "broken"
    command = [sys.executable, "-m", "visavis", "corpus", "build", short, source, "--out", broken]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL) as program:
        while not (broken / "items" / "train" / "short.json").exists():
            assert program.poll() is None
            time.sleep(0.05)
        program.send_signal(signal.SIGKILL)
    assert not (broken / "items" / "train" / f"{source.stem}.json").exists()
    assert make(broken, short, source).kept == 1
    assert tree(broken) == tree(tmp_path / "unbroken")


@pytest.mark.shared
@pytest.mark.slow
def test_a_real_video_of_one_face_is_refused(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    (outcome,) = make(tmp_path / "c", shared / "data" / "video" / "lp_d0.mp4").outcomes
    assert outcome.status == "refused"
    assert "lp_d0.mp4: one face in" in outcome.reason


def test_a_missing_video_is_set_aside_and_made_when_it_is_there(tmp_path: Path) -> None:
    late, there = tmp_path / "late.mp4", call(tmp_path / "there.mp4")
    result = make(tmp_path / "c", late, there)
    assert [outcome.status for outcome in result.outcomes] == ["refused", "done"]
    assert str(result.refused[0].reason) == f"{late}: cannot be read: No such file or directory"
    assert f"{late}: cannot be read" in (tmp_path / "c" / "quality.csv").read_text()
    again = make(tmp_path / "c", call(late), there)
    assert (again.kept, [outcome.status for outcome in again.outcomes]) == (1, ["done", "done"])
    before = tree(tmp_path / "c")
    late.unlink()
    late.symlink_to(late.name)  # A link to itself can be read as little.
    gone = make(tmp_path / "c", late, there)
    assert [outcome.status for outcome in gone.outcomes] == ["refused", "done"]
    keeps = f"; the corpus keeps the recording that an earlier run made from {late}"
    assert str(gone.refused[0].reason).endswith(keeps)
    elsewhere = make(tmp_path / "c", tmp_path / "typo" / "late.mp4", there)  # Of the same name.
    assert str(elsewhere.refused[0].reason).endswith(keeps)
    with pytest.raises(InputError, match=rf"{re.escape(keeps)}$"):
        make(tmp_path / "c", late)
    assert tree(tmp_path / "c") == before  # What was finished stays.
    next((tmp_path / "c").rglob("late/A/*.npy")).unlink()  # With a file missing, it is no recording any more.
    assert (
        make(tmp_path / "c", late, there).refused[0].reason == str(gone.refused[0].reason).partition(";")[0]
    )
    assert first(tmp_path / "c").key == "visavis/there/A/1"


def test_a_video_under_two_names_is_told(tmp_path: Path) -> None:
    a, other = call(tmp_path / "a.mp4"), call(tmp_path / "other.mp4", 40)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(a.read_bytes())

    def copies(*videos: Path, split: str = "train") -> tuple[str, ...]:
        recordings = list_recordings(videos, split, pairs=False)
        return plan(tmp_path / "c", recordings, CorpusSettings()).copies

    told = f"{copy}: the same video as in 'a' of train; the corpus has it twice"
    assert copies(a, other, copy) == (told,)
    make(tmp_path / "c", a, other)
    assert copies(a, other) == ()
    assert copies(copy, split="val") == (told,)
    pair = list_recordings([a, copy], "train", pairs=True)
    assert "the same video as in 'a+copy' of train" in plan(tmp_path / "p", pair, CorpusSettings()).copies[0]


def test_the_video_of_a_recording_that_stays_is_told_under_its_new_name(tmp_path: Path) -> None:
    a, d = call(tmp_path / "a.mp4"), tmp_path / "d.mp4"
    make(tmp_path / "c", a)
    a.rename(d)
    film(a, [draw([(64, RED)])] * 30)
    for videos in ((a, d), (a, d), (d, a)):
        result = make(tmp_path / "c", *videos)
        assert result.copies == (f"{d}: the same video as in 'a' of train; the corpus has it twice",)


def test_videos_that_change_their_names_are_no_copies(tmp_path: Path) -> None:
    a, b = call(tmp_path / "a.mp4"), call(tmp_path / "b.mp4", 40)
    make(tmp_path / "c", a, b)
    b.rename(a.rename(tmp_path / "away").parent / "a.mp4")
    (tmp_path / "away").rename(b)
    result = make(tmp_path / "c", a, b)
    assert ([outcome.status for outcome in result.outcomes], result.copies) == (["done", "done"], ())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have only names in Unicode")
def test_names_that_are_no_utf_8_do_not_end_the_build(tmp_path: Path) -> None:
    named = call(tmp_path / "call.mp4").rename(tmp_path / os.fsdecode(b"caf\xe9.mp4"))
    broken = tmp_path / os.fsdecode(b"\xff\xfe.mp4")
    broken.write_bytes(b"no video")
    result = make(tmp_path / "c", broken, named)
    assert [outcome.status for outcome in result.outcomes] == ["refused", "done"]
    assert "\\udcff\\udcfe.mp4: not a video" in (tmp_path / "c" / "quality.csv").read_text("utf-8")
    items = json.loads((tmp_path / "c" / "manifest.json").read_text())["items"]
    assert [item["sources"][0]["path"] for item in items] == [str(named), str(broken)]
    assert make(tmp_path / "c", broken, named).kept == 2


def test_a_video_that_is_gone_for_a_while_is_made_by_the_next_run(tmp_path: Path) -> None:
    videos = [call(tmp_path / f"{name}.mp4") for name in "ab"]
    away = tmp_path / "away"
    result = make(tmp_path / "c", *videos, advance=lambda _: videos[1].exists() and videos[1].rename(away))
    assert [outcome.status for outcome in result.outcomes] == ["done", "refused"]
    assert "b.mp4: was changed or removed while it was read" in str(result.refused[0].reason)
    away.rename(videos[1])
    again = make(tmp_path / "c", *videos)
    assert (again.kept, [outcome.status for outcome in again.outcomes]) == (1, ["done", "done"])


def test_a_video_that_changes_while_it_is_read_is_refused_and_made_by_the_next_run(tmp_path: Path) -> None:
    source, other = call(tmp_path / "call.mp4"), call(tmp_path / "other.mp4", 30)
    result = make(tmp_path / "c", source, advance=lambda _: other.exists() and other.replace(source))
    assert [outcome.status for outcome in result.outcomes] == ["refused"]
    assert not (tmp_path / "c" / "train").exists()
    again = make(tmp_path / "c", source)
    assert (again.kept, again.outcomes[0].status) == (0, "done")
    assert len(first(tmp_path / "c")) == 30
    assert again.outcomes[0].sources == (Source.of(source),)


def test_a_refusal_of_a_killed_run_does_not_stand(tmp_path: Path) -> None:
    todo = plan(
        tmp_path / "c", list_recordings([call(tmp_path / "call.mp4")], "train", pairs=False), CorpusSettings()
    )
    left = refused_path(todo.jobs[0].path(0))
    left.parent.mkdir(parents=True)
    left.write_text("the disk was away")
    assert build_corpus(todo, InProcess(), lambda _: None).outcomes[0].status == "done"


def test_what_lies_not_in_the_video_refuses_for_one_run_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = call(tmp_path / "call.mp4")
    with monkeypatch.context() as low:
        low.setenv("VISAVIS_MAX_MEGAPIXELS", "0.001")
        refused = make(tmp_path / "c", source).outcomes[0]
    assert "VISAVIS_MAX_MEGAPIXELS changes this limit" in str(refused.reason)
    with monkeypatch.context() as dying:
        dying.setattr("visavis.corpus.watching.MOST_TRIES", 0)
        refused = make(tmp_path / "c", source).outcomes[0]
    assert "the worker died 0 times" in str(refused.reason)
    assert make(tmp_path / "c", source).outcomes[0].status == "done"
