import os
from pathlib import Path

import pytest

from visavis.corpus.recording import CorpusSettings, Source, list_recordings
from visavis.errors import InputError


def named(*names: str) -> list[Path]:
    return [Path(name) for name in names]


def test_each_video_is_a_recording_or_two_make_one() -> None:
    alone = list_recordings(named("calls/one.mp4", "two.mkv"), "train", pairs=False)
    assert [(one.name, one.split, one.videos) for one in alone] == [
        ("one", "train", (Path("calls/one.mp4"),)),
        ("two", "train", (Path("two.mkv"),)),
    ]
    together = list_recordings(named("b.mp4", "a.mp4", "c.mp4", "d.mp4"), "val", pairs=True)
    assert [one.name for one in together] == ["b+a", "c+d"]
    assert together[0].videos == (Path("b.mp4"), Path("a.mp4"))


def test_names_are_safe_in_paths_and_tables() -> None:
    (one,) = list_recordings([Path("a, b/x y,z.final.mp4")], "train", pairs=False)
    assert one.name == "x_y_z.final"


@pytest.mark.parametrize(
    ("videos", "split", "pairs", "message"),
    [
        (["a.mp4", "b.mp4", "c.mp4"], "train", True, "--pairs takes videos two by two, A before B; found 3"),
        (["a.mp4", "./a.mp4"], "train", True, "a.mp4: named twice"),
        (["x/a.mp4", "y/a.mkv"], "train", False, "y/a.mkv and x/a.mp4 would both be called 'a'"),
        (["a.mp4"], "../up", False, "'../up' is no name of a split"),
        (["x/a.mp4", "y/A.mp4"], "train", False, "y/A.mp4 and x/a.mp4 would both be called 'A'"),
        (["a.mp4"], "", False, "'' is no name of a split"),
        (["a.mp4"], "Quality", False, "'Quality' is the name of something else in a corpus"),
        (["a.mp4"], "items", False, "'items' is the name of something else in a corpus"),
    ],
)
def test_what_is_ambiguous_is_refused(videos: list[str], split: str, pairs: bool, message: str) -> None:
    with pytest.raises(InputError) as caught:
        list_recordings(named(*videos), split, pairs=pairs)
    assert message in str(caught.value)


@pytest.mark.parametrize("letters", ["x" * 250, "\u540d" * 75])
def test_a_name_too_long_for_the_corpus_is_refused_before_the_work(letters: str) -> None:
    with pytest.raises(InputError, match=r"has \d+ bytes with its split; at most 220 .* rename"):
        list_recordings(named("a.mp4", f"{letters}.mp4"), "train", pairs=False)
    with pytest.raises(InputError, match=r"a\.mp4 and y+\.mp4: the name .* has 228 bytes"):
        list_recordings(named("a.mp4", f"{'y' * 220}.mp4"), "train", pairs=True)


def test_a_file_is_read_again_only_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"one")
    first = Source.of(path)
    assert first.size == 3
    trusted = Source(first.path, first.size, first.mtime_ns, "said before")
    assert Source.of(path, trusted).sha256 == "said before"
    path.write_bytes(b"two")
    os.utime(path, ns=(0, first.mtime_ns + 1))
    assert Source.of(path, trusted).sha256 not in ("said before", first.sha256)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mp4: cannot be read: No such file"):
        Source.of(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="not a file; name the videos themselves"):
        Source.of(tmp_path)


@pytest.mark.parametrize("fps", [0.0, -25.0, 1000.0, float("nan"), float("inf")])
def test_the_rate_has_bounds(fps: float) -> None:
    with pytest.raises(InputError, match="1 to 240 frames per second"):
        CorpusSettings(fps=fps)
