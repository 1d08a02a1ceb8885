"""Causes of a gesture: known causes are found in their place, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support import tiny_listener, tiny_tokenizer
from support.later_listener import Later
from visavis.channels import FACE_INDEX
from visavis.errors import InputError
from visavis.reaction.causes import FACE, NEITHER, SPEECH, explain, explain_gestures
from visavis.reaction.gestures import SMILE, Gesture
from visavis.reaction.listener import ListenerModel
from visavis.reaction.predictor import Predictor
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.types import FloatArray

SMILES = FACE_INDEX["mouthSmileLeft"]
FRAMES = 160


def listener(folder: Path, predictor: Predictor, window: int = 1) -> ListenerModel:
    """Its tokens are levels of a smile."""
    predictor.notes["tokenizer"] = f"1-{window}"
    return tiny_listener.of_tokenizer(
        *tiny_tokenizer.write(folder, window=window, channels=[SMILES]), predictor=predictor
    )


def speaker(smile: slice | None = None, says: slice | None = None) -> tuple[FloatArray, FloatArray]:
    """A face that smiles and a voice that speaks in some frames."""
    face = np.full((FRAMES, 58), 0.1, np.float32)
    speech = np.zeros((FRAMES, len(SPEECH_CHANNELS)), np.float32)
    if smile is not None:
        face[smile, SMILES] = 0.9
    if says is not None:
        speech[says, SPEECH_CHANNELS.index("speech")] = 1
    return face, speech


@pytest.mark.parametrize("delay", [3, 12, 30])
def test_a_smile_is_traced_to_the_smile_that_it_answers(tmp_path: Path, delay: int) -> None:
    networks = listener(tmp_path, Later(delay))
    face, speech = speaker(smile=slice(60, 66))
    tokens = networks.react(face, speech)[0]
    (found,) = explain(networks, face, speech, tokens)
    assert (found.gesture.kind, found.raised_by) == (SMILE, FACE)
    assert abs(found.gesture.start - 59 - delay) <= 3
    assert found.cause.start < 66
    assert found.cause.end > 60
    assert found.speech_bits == pytest.approx(0, abs=1e-3)
    assert found.together_bits == pytest.approx(found.face_bits, rel=1e-3)
    for block in found.blocks:
        if block.end <= 60 or block.start >= 66:
            assert block.face_bits == pytest.approx(0, abs=1e-3)
        assert block.speech_bits == pytest.approx(0, abs=1e-3)


def test_a_cause_may_begin_after_its_gesture(tmp_path: Path) -> None:
    networks = listener(tmp_path, Later(3))
    face, speech = speaker(smile=slice(72, 78))
    slow = Gesture(SMILE, 60, 80, 0.8)
    (found,) = explain_gestures(networks, face, speech, networks.react(face, speech)[0], [slow])
    assert (found.raised_by, found.cause.start, found.cause.end) == (FACE, 70, 80)


def test_a_smile_is_traced_to_the_words_that_it_answers(tmp_path: Path) -> None:
    networks = listener(tmp_path, Later(15, speech=True))
    face, speech = speaker(says=slice(60, 66))
    (found,) = explain(networks, face, speech, networks.react(face, speech)[0])
    assert found.raised_by == SPEECH
    assert found.cause.start < 66
    assert found.cause.end > 60
    assert found.speech_bits > 50 > 1 > abs(found.face_bits)


def test_what_is_drawn_evenly_has_no_cause(tmp_path: Path) -> None:
    networks = listener(tmp_path, Later(1, even=True))
    face, speech = speaker(smile=slice(40, 80), says=slice(20, 60))
    explained = explain(networks, face, speech, networks.react(face, speech, seed=3)[0])
    assert explained
    for found in explained:
        assert (found.raised_by, found.cause) == (NEITHER, None)
        assert found.together_bits == pytest.approx(0, abs=1e-3)


def test_what_came_later_counts_for_nothing(tmp_path: Path) -> None:
    networks = listener(tmp_path, Later(12))
    face, speech = speaker(smile=slice(60, 66))
    tokens = networks.react(face, speech)[0]
    (before,) = explain(networks, face, speech, tokens)
    end = before.blocks[-1].end
    face[end:], speech[end:] = 0.5, np.nan
    assert explain_gestures(networks, face, speech, tokens, [before.gesture]) == [before]


def test_how_many_gestures_came_before_does_not_matter(tmp_path: Path) -> None:
    networks = listener(tmp_path, Later(12))
    face, speech = speaker(smile=slice(60, 66))
    face[100:104, SMILES] = 0.9
    tokens = networks.react(face, speech)[0]
    both = explain(networks, face, speech, tokens)
    assert len(both) == 2
    assert explain_gestures(networks, face, speech, tokens, [both[1].gesture]) == [both[1]]


def test_blocks_cover_the_time_before_and_the_way_to_the_peak(tmp_path: Path) -> None:
    networks = listener(tmp_path, Later(1, even=True))
    face, speech = speaker()
    tokens = networks.react(face, speech)[0]
    gestures = [Gesture(SMILE, 3, 8, 0.2), Gesture(SMILE, 70, 75, 0.2), Gesture(SMILE, 80, 140, 0.2)]
    early, short, long = explain_gestures(networks, face, speech, tokens, gestures)
    assert [(b.start, b.end) for b in early.blocks] == [(0, 3), (3, 9)]
    starts = [20, 30, 40, 50, 60, 70]
    assert [(b.start, b.end) for b in short.blocks] == list(zip(starts, [*starts[1:], 76], strict=True))
    assert long.blocks[-1].end == 80 + 26


def test_a_tokenizer_with_a_memory_forgets_what_is_hidden(tmp_path: Path) -> None:
    networks = listener(tmp_path, Later(12), window=8)
    face, speech = speaker(smile=slice(60, 76))
    (found,) = explain(networks, face, speech, networks.react(face, speech)[0])
    assert found.raised_by == FACE
    assert found.face_bits > 50


def test_gestures_out_of_order_or_clip_are_refused(tmp_path: Path) -> None:
    networks = listener(tmp_path, Later(1))
    face, speech = speaker()
    tokens = networks.react(face, speech)[0]
    for gestures in (
        [Gesture(SMILE, 9, 12, 0.1), Gesture(SMILE, 3, 12, 0.1)],
        [Gesture(SMILE, 150, FRAMES, 0.1)],
        [Gesture(SMILE, 5, 5, 0.1)],
    ):
        with pytest.raises(InputError, match="out of order or clip"):
            explain_gestures(networks, face, speech, tokens, gestures)
    with pytest.raises(InputError, match="speech has shape"):
        explain(networks, face, speech[:-1], tokens)
