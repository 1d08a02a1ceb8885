"""Counts of listeners' behaviour: right on tracks with known behaviour, and in the command's table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from support import tiny_listening
from support.research import run_lab, run_visavis
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS, FACE_INDEX
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis_train.data.conversation_pack import PersonClip
from visavis_train.listener import behavior

FRAMES = 500


def track(*, nods: list[int], smiles: list[int]) -> np.ndarray:
    face = np.zeros((FRAMES, len(FACE_CHANNELS)), np.float32)
    for start in nods:
        face[start : start + 12, FACE_INDEX["pitch"]] -= 0.15 * np.sin(np.pi * np.arange(12) / 12)
    for start in smiles:
        for name in ("mouthSmileLeft", "mouthSmileRight"):
            face[start : start + 40, FACE_INDEX[name]] += 0.6 * np.sin(np.pi * np.arange(40) / 40)
    return face


def speaker(smiles: list[int], stops: list[int]) -> PersonClip:
    speech = np.zeros((FRAMES, len(SPEECH_CHANNELS)), np.float16)
    speech[:, SPEECH_CHANNELS.index("speech")] = 1
    for stop in stops:
        speech[stop : stop + 50, SPEECH_CHANNELS.index("speech")] = 0
    expression = np.zeros((FRAMES, len(EXPRESSION_CHANNELS)), np.float16)
    return PersonClip(f"{smiles}", track(nods=[], smiles=smiles).astype(np.float16), expression, speech)


def test_nods_after_pauses_are_told_from_others() -> None:
    listeners = [track(nods=[110, 300], smiles=[]), track(nods=[112], smiles=[])]
    found = behavior.count(listeners, speaker([], [100]), [speaker([], [])])
    assert (found.nods_after, found.nods_elsewhere) == (2, 1)
    assert (found.frames_after, found.frames_elsewhere) == (50, 2 * FRAMES - 50)
    figures = behavior.behavior_summary([found])
    assert figures["nods_after_pauses_per_minute"][0] == pytest.approx(2 / 50 * 1500)
    assert figures["nods_elsewhere_per_minute"][0] == pytest.approx(1 / 950 * 1500, abs=1e-3)


def test_smiles_are_compared_with_the_speaker_and_with_strangers() -> None:
    other = speaker([20, 400], [])
    found = behavior.count([track(nods=[], smiles=[125, 315])], speaker([100, 290], []), [other])
    assert found.smiles == 2
    assert found.smile_with_speaker == pytest.approx(1, abs=0.01)
    assert found.smile_with_strangers < 0.3
    assert found.lids_with_speaker == found.mouth_with_speaker == 0  # They do not move.


def test_blinks_and_the_range_of_the_mouth_are_measured() -> None:
    still, lively = track(nods=[], smiles=[]), track(nods=[], smiles=[])
    for start in (100, 200, 300):
        lively[start : start + 3, [FACE_INDEX["eyeBlinkLeft"], FACE_INDEX["eyeBlinkRight"]]] = 0.6
    lively[:250, FACE_INDEX["jawOpen"]] = 0.4
    still[:10] = lively[400:] = np.nan
    found = behavior.count([still, lively], speaker([], []), [speaker([], [])])
    figures = behavior.behavior_summary([found])
    assert figures["blinks_per_minute"][0] == pytest.approx(3 / (2 * FRAMES) * 1500)
    assert figures["mouth_range"][0] == pytest.approx((0 + 0.4) / 2)
    talker = speaker([], [])
    for start in (110, 210, 310):
        talker.face[start : start + 3, [FACE_INDEX["eyeBlinkLeft"], FACE_INDEX["eyeBlinkRight"]]] = 0.6
    talker.face[10:260, FACE_INDEX["jawOpen"]] = 0.4
    together = behavior.behavior_summary([behavior.count([lively[:400]], talker, [speaker([], [])])])
    assert together["lids_with_speaker_r"][0] == pytest.approx(1, abs=0.01)
    assert together["mouth_with_speaker_r"][0] == pytest.approx(1, abs=0.03)
    assert together["lids_with_strangers_r"][0] == together["mouth_with_strangers_r"][0] == 0


def test_intervals_are_over_clips() -> None:
    calm, lively = (
        behavior.count([track(nods=nods, smiles=[])], speaker([], [100]), [speaker([], [])])
        for nods in ([], [110])
    )
    same = behavior.behavior_summary([lively, lively])["nods_after_pauses_per_minute"]
    assert same[0] == same[1] == same[2]
    value, low, high = behavior.behavior_summary([calm, lively])["nods_after_pauses_per_minute"]
    assert low == 0 < value < high == same[0]


def test_the_command_measures_a_trained_listener(tmp_path: Path) -> None:
    toml = tiny_listening.write(tmp_path)
    toml.write_text(toml.read_text().replace("round_steps = 60", "round_steps = 2"))
    assert run_visavis("train", toml) == 0
    page = tmp_path / "page.md"
    page.write_text("\n".join(behavior.MARKS))
    places = ["--page", page, "--results", tmp_path / "r.json"]
    sizes = ["--samples", 2, "--guidance", 1, "--guidance", 2]
    assert run_lab("behavior", toml, "--clips", 3, *sizes, *places) == 2
    assert run_lab("behavior", toml, "--clips", 4, *sizes, *places) == 0
    result = json.loads((tmp_path / "r.json").read_text())
    assert (result["clips"], result["samples"]) == (4, 2)
    names = ["simulated listeners", "the same, through the tokenizer", "tiny, guidance 1", "tiny, guidance 2"]
    assert list(result["listeners"]) == names
    for name in names:
        assert f"| {name} | " in page.read_text()
