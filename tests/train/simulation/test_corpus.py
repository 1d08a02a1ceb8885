"""A small simulated corpus: REACT's layout, equal bytes each time, resumable, with a list of its parts."""

from __future__ import annotations

import hashlib
import json
import wave
from pathlib import Path

import numpy as np
import pytest

from support import tiny_simulation as tiny
from support.research import run_lab
from visavis.datasets.appropriateness import read_neighbours
from visavis.datasets.conversations import find_corpus
from visavis.errors import InputError
from visavis_train.simulation.corpus import neighbours, simulate_corpus, speaker_of
from visavis_train.simulation.settings import ACTORS, SPLITS, SimulationSettings
from visavis_train.simulation.utterances import GRID_SPEAKER


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("simulated")
    assert simulate_corpus(root, tiny.SETTINGS, tiny.parts()) == 8
    return root


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_our_reader_reads_it(corpus: Path) -> None:
    found = find_corpus(corpus)
    assert found.splits == SPLITS
    for split, clips in (("train", 6), ("val", 1), ("test", 1)):
        dyads = found.read(split)
        assert len(dyads) == 2 * clips * tiny.SETTINGS.listeners
        dyad = dyads[0]
        assert dyad.speaker.face.shape == dyad.listener.face.shape == (tiny.FRAMES, 58)
        assert dyad.speaker.expression is not None
        assert dyad.fps == 25
        assert [len(track) for track in dyad.tracks()] == [tiny.FRAMES] * 2
        assert dyad.speaker.audio is not None
        assert dyad.listener.audio is not None
        with wave.open(str(dyad.speaker.audio)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16000, 1, 8 * 16000)


def test_listeners_of_a_clip_have_one_speaker_and_differ(corpus: Path) -> None:
    dyads = find_corpus(corpus).read("train")
    one, other, next_clip = dyads[0], dyads[1], dyads[2]
    np.testing.assert_array_equal(one.speaker.face, other.speaker.face)
    assert one.speaker.audio is not None
    assert other.speaker.audio is not None
    assert one.speaker.audio.read_bytes() == other.speaker.audio.read_bytes()
    assert np.abs(one.listener.face - other.listener.face).max() > 0.05
    assert np.abs(one.speaker.face - next_clip.speaker.face).max() > 0.05


def test_a_listener_is_appropriate_for_its_own_clip_alone(corpus: Path) -> None:
    matrix = read_neighbours(corpus / "neighbour_emotion_train.npy", 24)
    np.testing.assert_array_equal(matrix, neighbours(6, 2))
    assert matrix[:12, :12].sum() == 6 * 2 * 2
    assert not matrix[:12, 12:].any()
    np.testing.assert_array_equal(matrix[12:, 12:], np.eye(12))
    dyads = find_corpus(corpus).read("train")
    for row in range(12):
        faces = [dyads[other].speaker.face for other in np.flatnonzero(matrix[row])]
        assert all(np.array_equal(face, dyads[row].speaker.face) for face in faces)


def test_the_same_seed_gives_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    simulate_corpus(tmp_path / "again", tiny.SETTINGS, tiny.parts())
    assert digests(tmp_path / "again") == digests(corpus)


def test_processes_give_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    simulate_corpus(tmp_path / "two", tiny.SETTINGS, tiny.parts(), workers=2)
    assert digests(tmp_path / "two") == digests(corpus)


def test_another_seed_gives_others(corpus: Path, tmp_path: Path) -> None:
    simulate_corpus(tmp_path / "other", SimulationSettings(4, 1, 1, tiny.FRAMES), tiny.parts())
    face = "train/3D_FV_files/visavis/train_0000_l1/B/1.npy"
    assert digests(tmp_path / "other")[face] != digests(corpus)[face]


def test_a_run_that_was_ended_goes_on(tmp_path: Path) -> None:
    settings, parts = SimulationSettings(3, 2, 1, tiny.FRAMES), tiny.parts()
    assert simulate_corpus(tmp_path, settings, parts) == 4
    before = digests(tmp_path)
    (tmp_path / "train/3D_FV_files/visavis/train_0001_l1/B/1.npy").unlink()
    assert simulate_corpus(tmp_path, settings, parts) == 1
    assert digests(tmp_path) == before
    assert simulate_corpus(tmp_path, settings, parts) == 0
    with pytest.raises(InputError, match="made otherwise"):
        simulate_corpus(tmp_path, SimulationSettings(5, 2, 1, tiny.FRAMES), parts)


def test_the_manifest_says_what_each_clip_was_made_from(corpus: Path) -> None:
    notes = json.loads((corpus / "manifest.json").read_text())
    assert "no such conversation took place" in notes["simulated"]
    assert len(notes["clips"]) == 8
    used: dict[str, set[str]] = {split: set() for split in SPLITS}
    for clip in notes["clips"]:
        assert len(clip["listeners"]) == 2
        assert all(said["file"].startswith(clip["speaker"]) for said in clip["said"])
        rests = [clip["face"]["rest"], *(one["parts"]["rest"] for one in clip["listeners"])]
        used[clip["split"]] |= {clip["speaker"], *rests}
    assert not used["train"] & used["val"]
    assert not used["train"] & used["test"]
    assert not used["val"] & used["test"]


def test_no_actor_is_in_two_splits_and_grid_is_in_train_alone() -> None:
    actors = [actor for split in SPLITS for actor in ACTORS[split]]
    assert len(actors) == len(set(actors)) == 24
    who = {split: {speaker_of(split, number) for number in range(240)} for split in SPLITS}
    assert who["train"] == {*ACTORS["train"], GRID_SPEAKER}
    assert (who["val"], who["test"]) == (set(ACTORS["val"]), set(ACTORS["test"]))


def test_statistics_are_printed_beside_their_targets(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_lab("simulation-statistics", corpus, "--listeners", 2, "--split", "train") == 0
    out = capsys.readouterr().out
    assert "peak_r" in out
    assert "0.32 in 30 s of real calls" in out
    assert run_lab("simulation-statistics", corpus.parent, "--json") == 2
    assert "no corpus" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--clips", "0"], "at least one clip and listener"),
        (["--frames", "10"], "a clip has 100 to 10000 frames"),
        (["--workers", "0"], "Invalid value for '--workers'"),
        (["--workers", "62"], "found '62'; expected at most 61"),
        ([], "no such file"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = ["simulate", "--out", tmp_path / "o", "--pack", tmp_path / "none.npz"]
    assert run_lab(*fixed, *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
