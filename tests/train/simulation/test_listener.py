"""The simulated listener: causal, repeatable, within limits, and true to its style."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import tiny_simulation as tiny
from visavis.channels import FACE_INDEX
from visavis.errors import InputError
from visavis.metrics.pairing import peak_r
from visavis.reaction.cues import PAUSE
from visavis.reaction.style import Style
from visavis_train.simulation.cues import RISE, Speaker, find_cues, since_speech
from visavis_train.simulation.listener import HEAD_LIMITS, REACTION_FRAMES
from visavis_train.simulation.real_faces import HEAD_AT, SMILE_AT
from visavis_train.simulation.statistics import count_nods, look_share
from visavis_train.simulation.styles import random_style

LIVELY = Style(1, 1, 1, 1, 0.5)


def changed_from(speaker: Speaker, frame: int, seed: int) -> Speaker:
    """Another speaker who has been the same until then."""
    other = tiny.speaker(len(speaker), seed)
    arrays = {
        name: np.concatenate([getattr(speaker, name)[:frame], getattr(other, name)[frame:]])
        for name in ("speech", "voiced", "energy", "pitch", "face")
    }
    arrays["face"][frame:] += 0.2
    return Speaker(**arrays)


@settings(max_examples=12)
@given(st.integers(1, 399), st.integers(0, 5))
def test_what_comes_later_changes_nothing_before(frame: int, seed: int) -> None:
    speaker, listener = tiny.speaker(400, seed), tiny.listener(LIVELY, seed)
    before = listener.react(speaker).face
    after = listener.react(changed_from(speaker, frame, seed + 7)).face
    until = frame + REACTION_FRAMES
    np.testing.assert_array_equal(before[:until], after[:until])


def test_what_the_speaker_does_changes_what_follows() -> None:
    speaker, listener = tiny.speaker(400), tiny.listener(LIVELY)
    after = listener.react(changed_from(speaker, 100, 9)).face
    assert np.abs(after - listener.react(speaker).face)[150:].max() > 0.05


def test_the_same_seed_reacts_alike_and_another_does_not() -> None:
    speaker = tiny.speaker(300)
    one, same, other = (tiny.listener(LIVELY, seed).react(speaker).face for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.05


@pytest.mark.parametrize("seed", range(3))
def test_faces_stay_within_their_limits(seed: int) -> None:
    face = tiny.listener(LIVELY, seed).react(tiny.speaker(500, seed)).face
    assert np.isfinite(face).all()
    assert face[:, : HEAD_AT[0]].min() >= 0
    assert face[:, : HEAD_AT[0]].max() <= 1
    assert (np.abs(face[:, HEAD_AT[:3]]) <= HEAD_LIMITS).all()


def over_seeds(kind: Style) -> list[tuple[Speaker, np.ndarray]]:
    return [
        (speaker, tiny.listener(kind, seed).react(speaker).face)
        for seed in range(4)
        for speaker in [tiny.speaker(1000, seed)]
    ]


def test_more_nodding_nods_more() -> None:
    counts = [
        sum(count_nods(face[:, FACE_INDEX["pitch"]], 25) for _, face in over_seeds(Style(nodding=nodding)))
        for nodding in (0, 0.4, 1)
    ]
    assert counts[0] <= 4
    assert counts[0] < counts[1] < counts[2]


def test_more_smiling_smiles_more() -> None:
    means = [
        np.mean([face[:, SMILE_AT].mean() for _, face in over_seeds(Style(smiling=s, mirroring=0))])
        for s in (0, 0.5, 1)
    ]
    assert means[0] + 0.02 < means[1] < means[2] - 0.02


def test_more_mirroring_smiles_with_the_speaker() -> None:
    def together(mirroring: float) -> float:
        pairs = over_seeds(Style(mirroring=mirroring, smiling=0.2))
        smiles = [(s.smile.astype(float), face[:, SMILE_AT].mean(axis=1).astype(float)) for s, face in pairs]
        return float(np.mean([peak_r(a, b, 50) for a, b in smiles]))

    assert together(0) < 0.3
    assert together(1) > together(0) + 0.3


def test_more_gaze_looks_more() -> None:
    shares = [np.mean([look_share(face) for _, face in over_seeds(Style(gaze=g))]) for g in (0, 1)]
    assert 0.2 < shares[0] < shares[1] - 0.1


def test_more_expressiveness_moves_more() -> None:
    spread = [
        np.mean([face[:, FACE_INDEX["pitch"]].std() for _, face in over_seeds(Style(expressiveness=e))])
        for e in (0, 1)
    ]
    assert spread[1] > 1.3 * spread[0]


def test_smiles_fade_when_the_speaker_has_left() -> None:
    speaker = tiny.speaker(1000)
    gone = replace(speaker, speech=np.where(np.arange(1000) < 300, speaker.speech, False))
    smiles = [
        np.mean([tiny.listener(LIVELY, seed).react(s).face[600:, SMILE_AT].mean() for seed in range(4)])
        for s in (speaker, gone)
    ]
    assert smiles[1] < 0.6 * smiles[0]


@given(st.integers(1, 299), st.integers(0, 3))
def test_cues_are_causal(frame: int, seed: int) -> None:
    speaker = tiny.speaker(300, seed)
    before, after = (
        [cue for cue in find_cues(s) if cue.frame < frame]
        for s in (speaker, changed_from(speaker, frame, seed + 5))
    )
    assert before == after


def test_a_pause_after_talk_is_a_cue_200_ms_later() -> None:
    speech = np.r_[np.ones(30), np.zeros(30), np.ones(5), np.zeros(30)] > 0
    silent = np.zeros(len(speech), np.float32)
    speaker = Speaker(speech, speech & False, silent, silent, np.zeros((len(speech), 58), np.float32))
    # The second stretch of talk is too short to invite anything.
    assert [(cue.kind, cue.frame) for cue in find_cues(speaker)] == [(PAUSE, 34)]
    assert since_speech(speech)[[29, 34, 60]].tolist() == pytest.approx([0, 0.2, 0])


def test_a_smile_is_a_cue_once_and_knows_when_it_began() -> None:
    speech = np.zeros(100, np.bool_)
    face = np.zeros((100, 58), np.float32)
    face[20:60, SMILE_AT] = np.minimum(np.arange(40) * 0.02, 0.5)[:, None]
    still = np.zeros(100, np.float32)
    cues = find_cues(Speaker(speech, speech, still, still, face))
    assert [cue.kind for cue in cues] == [RISE]
    assert cues[0].since <= 20
    assert 24 <= cues[0].frame <= 28


def test_a_style_is_of_shares() -> None:
    with pytest.raises(InputError, match="nodding is a share, 0 to 1; found 2"):
        Style(nodding=2)
    assert random_style(np.random.default_rng(1)) == random_style(np.random.default_rng(1))
