"""visavis evaluate voices: RAVDESS's files as videos, as sound alone, and in pairs with labelled faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support import tiny_fer
from support.console import CommandLine
from support.sounds import talk
from support.tiny_ravdess import RATE_HZ, write_clip, write_sound, write_voices


def test_videos_give_face_voice_and_both_by_actor(
    command_line: CommandLine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for actor, emotion in ((21, 3), (21, 5), (22, 3)):
        write_clip(tmp_path / f"01-01-0{emotion}-01-01-01-{actor}.mp4", talk(1.5, RATE_HZ, seed=actor))
    (tmp_path / "01-02-03-01-01-01-21.mp4").write_bytes(b"a song")
    facts = command_line.json("evaluate", "voices", tmp_path, "--json", quiet=True)
    assert facts["clips"] == 3
    assert list(facts["witnesses"]) == ["face", "voice", "both"]
    assert list(facts["accuracy_by_actor"]) == ["21", "22"]
    # The portrait smiles: its face is right where the name says happy, and wrong where it says angry.
    assert facts["witnesses"]["face"]["recall"] == {"happy": 1.0, "anger": 0.0}
    assert facts["accuracy_by_actor"]["21"]["face"] == 0.5
    assert len(facts["both_minus_face"]) == 3
    assert facts["pairs"] is None
    assert command_line("evaluate", "voices", tmp_path) == 0
    assert "both minus face" in capsys.readouterr().out


def test_sound_alone_gives_the_voice_alone_and_pairs(
    command_line: CommandLine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = write_voices(tmp_path / "clips", (17, 21))
    tiny_fer.write(tmp_path)
    faces = tmp_path / "fer2013.csv"
    facts = command_line.json(
        "evaluate", "voices", clips, "--faces", faces, "--seed", 1, "--json", quiet=True
    )
    assert list(facts["witnesses"]) == ["voice"]
    assert facts["witnesses"]["voice"]["n"] == 8
    pairs = facts["pairs"]
    assert list(pairs["witnesses"]) == ["face", "voice", "both"]
    assert 0 <= pairs["weight"] <= 2
    assert pairs["accuracy_by_actor"].keys() == {"21"}
    assert command_line("evaluate", "voices", clips, "--faces", faces, "--seed", 1) == 0
    assert "an optimistic bound" in capsys.readouterr().out


def test_silence_says_nothing(command_line: CommandLine, tmp_path: Path) -> None:
    write_clip(tmp_path / "01-01-03-01-01-01-21.mp4", np.zeros(RATE_HZ, np.float32))
    witnesses = command_line.json("evaluate", "voices", tmp_path, "--json", quiet=True)["witnesses"]
    assert witnesses["both"] == witnesses["face"]
    assert witnesses["voice"]["nll"] == pytest.approx(np.log(7), abs=1e-4)


def test_bad_input_is_one_line(command_line: CommandLine, tmp_path: Path) -> None:
    sound = talk(1.0, RATE_HZ)
    write_clip(tmp_path / "02-01-03-01-01-01-21.mp4", sound)
    assert "a picture without sound" in command_line.error("evaluate", "voices", tmp_path)
    write_clip(tmp_path / "01-01-03-01-01-01-21.mp4", sound)
    write_sound(tmp_path / "03-01-04-01-01-01-21.wav", sound)
    assert "put them into separate folders" in command_line.error("evaluate", "voices", tmp_path)
    assert "leave out --split" in command_line.error(
        "evaluate", "voices", tmp_path, "--split", "val", "--faces", tmp_path
    )
