"""Packs of conversations: whole, small, equal to their corpus, and refused if they are damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from support import conversations, tiny_listening, tiny_simulation
from support.research import run_lab
from visavis.datasets.conversations import find_corpus
from visavis.datasets.react import MANIFEST
from visavis.datasets.react2025 import BIG_FIVE
from visavis.errors import InputError
from visavis.reaction.style import CONTROLS
from visavis_train.data.conversation_pack import ListeningPack, PersonClip, load_listening, save_listening
from visavis_train.listener.corpus import pack_corpus, pack_split, read_manifest
from visavis_train.simulation.corpus import simulate_corpus


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("simulated") / "corpus"
    simulate_corpus(root, tiny_simulation.SETTINGS, tiny_simulation.parts())
    return root


def assert_same(one: ListeningPack, other: ListeningPack) -> None:
    assert (one.corpus, one.sources, one.split) == (other.corpus, other.sources, other.split)
    np.testing.assert_array_equal(one.neighbours, other.neighbours)
    for first, second in zip(one.items, other.items, strict=True):
        np.testing.assert_array_equal(first.style, second.style)
        for side in ("speaker", "listener"):
            here, there = getattr(first, side), getattr(second, side)
            assert here.name == there.name
            for key in ("face", "expression", "speech"):
                if getattr(here, key) is None:
                    assert getattr(there, key) is None
                else:
                    np.testing.assert_array_equal(getattr(here, key), getattr(there, key))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    pack = tiny_listening.pack()
    save_listening(tmp_path / "train.npz", pack)
    again = load_listening(tmp_path / "train.npz")
    assert_same(pack, again)
    assert again.traits == CONTROLS
    assert again.items[0].speaker is again.items[1].speaker
    assert again.first_of_speakers() == (0, 2, 4, 6)


def test_a_simulated_corpus_is_packed_whole(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A copy of a corpus may hold each hard link as a file of its own.
    pack_corpus(shutil.copytree(simulated, tmp_path / "copied"), tmp_path / "packs")
    settings = tiny_simulation.SETTINGS
    pack = load_listening(tmp_path / "packs/train.npz")
    # The direction in which nobody listens is left out; a speaker of two listeners is held once.
    assert len(pack.items) == settings.clips * settings.listeners
    assert len(pack.first_of_speakers()) == settings.clips
    assert (pack.neighbours.sum(axis=1) == settings.listeners).all()
    dyads = find_corpus(simulated).read("train")
    for place in (0, 1, 5):
        item, dyad = pack.items[place], dyads[place]
        np.testing.assert_allclose(item.speaker.face, dyad.speaker.face, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(item.listener.face, dyad.listener.face, rtol=1e-3, atol=1e-3)
        assert np.isfinite(item.style).all()
        assert item.speaker.speech is not None
        assert np.isfinite(item.speaker.speech).all()
    assert len({tuple(item.style.tolist()) for item in pack.items}) == len(pack.items)
    written = (tmp_path / "packs/train.npz").stat().st_mtime_ns
    assert run_lab("conversations", simulated, "--out", tmp_path / "packs", "--split", "train") == 0
    assert (tmp_path / "packs/train.npz").stat().st_mtime_ns == written
    assert "stays" in capsys.readouterr().err


def test_styles_are_those_of_the_manifest(simulated: Path) -> None:
    notes = read_manifest(simulated / MANIFEST)
    pack = pack_split(find_corpus(simulated), "val", notes)
    known = {
        one["conversation"]: list(one["temperament"].values())
        for record in notes["clips"]
        for one in record["listeners"]
    }
    for item in pack.items:
        np.testing.assert_allclose(item.style, known[item.listener.name.split("/")[1]], rtol=1e-6)


def test_a_simulation_that_has_not_ended_is_refused(simulated: Path) -> None:
    notes = {key: value for key, value in read_manifest(simulated / MANIFEST).items() if key != "clips"}
    with pytest.raises(InputError, match=r"let visavis lab simulate finish"):
        pack_split(find_corpus(simulated), "val", notes)


def test_both_directions_of_a_real_corpus_in_its_own_order(tmp_path: Path) -> None:
    rows = [("NoXI/c1/Expert_video/1", "NoXI/c1/Novice_video/1"), ("NoXI/c2/P25/1", "NoXI/c2/P26/1")]
    conversations.write_react(tmp_path, rows)
    matrix = np.eye(4, dtype=bool) | np.eye(4, k=1, dtype=bool)
    np.save(tmp_path / "neighbour_emotion_val.npy", matrix.astype(float))
    pack = pack_split(find_corpus(tmp_path), "val", read_manifest(tmp_path / MANIFEST))
    pairs = [(item.speaker.name, item.listener.name) for item in pack.items]
    assert pairs == [*rows, *[row[::-1] for row in rows]]
    np.testing.assert_array_equal(pack.neighbours, matrix)
    first = pack.items[0]
    # FaceVerse's pitch, yaw, roll become our yaw, pitch, roll; silence of a tenth of a second is 3 frames.
    raw = conversations.face_numbers(0, 9)
    np.testing.assert_allclose(first.speaker.face[:, [52, 53]], raw[:8, [53, 52]], rtol=1e-3, atol=1e-3)
    assert np.isnan(first.style).all()
    assert first.speaker.speech is not None
    assert np.isfinite(first.speaker.speech).all(axis=1).tolist() == [True] * 3 + [False] * 5


def test_30_frames_a_second_become_25_and_sessions_say_what_is_appropriate(tmp_path: Path) -> None:
    for number, session in enumerate(("session0", "session0", "session1")):
        for side, role in enumerate(("speaker", "listener")):
            place = f"{role}/{session}/clip{number}.npy"
            face, expression = (
                conversations.face_numbers(4 * number + side, 31, width) for width in (58, 25)
            )
            conversations.write_npy(tmp_path / "val/coefficients" / place, face[:, None])
            conversations.write_npy(tmp_path / "val/facial-attributes" / place, expression)
    pack = pack_split(find_corpus(tmp_path), "val", {})
    assert [len(item.speaker) for item in pack.items] == [26] * 6
    raw = conversations.face_numbers(0, 31)
    np.testing.assert_allclose(pack.items[0].speaker.face[5, 0], raw[6, 0], rtol=1e-3)
    same = np.kron(np.eye(2), [[1, 1, 0], [1, 1, 0], [0, 0, 1]]).astype(bool)
    np.testing.assert_array_equal(pack.neighbours, same)


def test_the_big_five_of_a_corpus_are_its_listeners_style(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conversations.write_big_five(conversations.write_react2025(tmp_path), "session2", (1, 2, 3, 4, 5))
    (tmp_path / f"train/audio/speaker/session2/{conversations.CAMERA}.wav").unlink()
    pack = pack_split(find_corpus(tmp_path), "train", {})
    told = capsys.readouterr().err
    assert f"{tmp_path}, train: 3 of 4 listeners have no Big Five" in told
    assert f"{tmp_path}, train: 1 of 4 speakers have no sound" in told
    assert pack.traits == BIG_FIVE
    # One listener of the four has a row in the table.
    assert pack.items[0].style.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert all(np.isnan(item.style).all() for item in pack.items[1:])
    save_listening(tmp_path / "train.npz", pack)
    assert load_listening(tmp_path / "train.npz").traits == BIG_FIVE
    (tmp_path / "train/personality/listener.csv").unlink()
    assert pack_split(find_corpus(tmp_path), "train", {}).traits == CONTROLS


def test_bad_packs_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make it by"):
        load_listening(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no pack")
    with pytest.raises(InputError, match="not a readable pack"):
        load_listening(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", face=np.zeros(3))
    with pytest.raises(InputError, match="not a pack of conversations"):
        load_listening(tmp_path / "other.npz")
    with pytest.raises(InputError, match="face has shape"):
        PersonClip("x", np.zeros((3, 57), np.float16), np.zeros((3, 25), np.float16))
