"""RAVDESS's clips by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from visavis.datasets.ravdess import ACTORS, EMOTIONS, clip_of, read_clips
from visavis.errors import InputError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / f"Actor_{name[18:20]}" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return folder


@pytest.mark.parametrize(
    ("number", "expression"),
    [(1, "neutral"), (2, "neutral"), (3, "happy"), (4, "sad"), (5, "anger"), (6, "fear"), (7, "disgust")],
)
def test_names_say_emotion_and_actor(number: int, expression: str) -> None:
    clip = clip_of(Path(f"01-01-0{number}-01-02-01-21.mp4"))
    assert (clip.expression, clip.actor, clip.split) == (expression, 21, "test")
    assert clip.seen
    assert clip.heard
    assert len(EMOTIONS) == 8


@pytest.mark.parametrize("name", ["01-02-03-01-02-01-21.mp4", "01-01-09-01-02-01-21.mp4", "a.mp4", "01.txt"])
def test_songs_and_other_files_are_left_out(name: str) -> None:
    assert clip_of(Path(name)) is None


def test_actors_are_in_one_split() -> None:
    assert sorted(actor for actors in ACTORS.values() for actor in actors) == list(range(1, 25))


def test_a_clip_that_is_whole_stands_once(tmp_path: Path) -> None:
    names = ("01-01-03-01-02-01-21.mp4", "02-01-03-01-02-01-21.mp4", "03-01-03-01-02-01-21.wav")
    touch(tmp_path, *names, "03-01-03-01-02-01-20.wav")
    assert [clip.path.name for clip in read_clips(tmp_path)] == ["03-01-03-01-02-01-20.wav", names[0]]
    assert [clip.path.name for clip in read_clips(tmp_path, "test")] == [names[0]]


def test_bad_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_clips(tmp_path / "none")
    with pytest.raises(InputError, match="no clip of RAVDESS's speech"):
        read_clips(tmp_path)
    touch(tmp_path, "03-01-03-01-02-01-20.wav")
    with pytest.raises(InputError, match=r"no clip of an actor of test \(21 to 24\)"):
        read_clips(tmp_path, "test")
    with pytest.raises(InputError, match="no split 'dev'"):
        read_clips(tmp_path, "dev")
