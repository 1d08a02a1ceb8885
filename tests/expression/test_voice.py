"""Face and voice together by Bayes, and silence that changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.people import seen_face
from support.sounds import talk
from visavis.base.networks import open_session
from visavis.channels import EXPRESSIONS
from visavis.errors import WeightsError
from visavis.expression.reader import expression_from
from visavis.expression.voice import VOICE_LABELS, VoiceClassifier, VoiceReader, enough_voice, fuse
from visavis.reaction.speech import SpeechReader, speech_features
from visavis.types import AudioChunk, Face, FloatArray

RATE_HZ = 16_000
FACE = np.asarray([0.4, 0.1, 0.1, 0.1, 0.05, 0.05, 0.1, 0.1], np.float32)


class Says(VoiceClassifier):
    """Hears one expression in every voice."""

    def __init__(self, name: str, share: float = 0.9) -> None:
        self.answer = np.full(7, (1 - share) / 6, np.float32)
        self.answer[VOICE_LABELS.index(name)] = share
        self.heard: list[int] = []

    def predict(self, rows: FloatArray) -> FloatArray:
        self.heard.append(len(rows))
        return self.answer


def shown(probabilities: FloatArray = FACE) -> Face:
    return replace(seen_face(), expression=expression_from(probabilities, None), label="neutral")


def hear(reader: VoiceReader, samples: FloatArray, time_s: float = 0.0) -> None:
    for start in range(0, len(samples), 800):
        reader.hear(AudioChunk(samples[start : start + 800], RATE_HZ, time_s + start / RATE_HZ))


@given(st.lists(st.floats(0.01, 1), min_size=8, max_size=8), st.floats(0, 2))
def test_a_voice_that_says_nothing_changes_nothing(values: list[float], weight: float) -> None:
    face = np.asarray(values, np.float32) / np.float32(sum(values))
    np.testing.assert_allclose(fuse(face, np.full(7, 1 / 7), weight), face, atol=1e-6)


def test_both_are_bayes_rule() -> None:
    voice = Says("anger").answer
    both = fuse(FACE, voice, 1.0)
    anger, neutral = EXPRESSIONS.index("anger"), EXPRESSIONS.index("neutral")
    odds = both[anger] / both[neutral]
    assert odds == pytest.approx(FACE[anger] / FACE[neutral] * voice[-1] / voice[0], rel=1e-5)
    assert both.sum() == pytest.approx(1)
    np.testing.assert_allclose(fuse(FACE, voice, 0.0), FACE, atol=1e-7)


@pytest.mark.parametrize("amplitude", [0.0, 0.01])
def test_without_a_voice_the_very_same_faces_come_back(amplitude: float) -> None:
    says = Says("anger")
    reader = VoiceReader(SpeechReader, says)
    face = shown()
    noise = (amplitude * np.random.default_rng(0).normal(size=3 * RATE_HZ)).astype(np.float32)
    hear(reader, noise)
    assert reader.witness([face], 3.0)[0] is face
    assert not says.heard


def test_a_voice_counts_while_it_speaks_and_then_fades() -> None:
    reader = VoiceReader(SpeechReader, Says("anger"), weight=1.0)
    face = shown()
    hear(reader, talk(2.0, RATE_HZ))
    read = reader.witness([face], 2.0)[0]
    assert read.label == read.expression.label == "anger"
    hear(reader, np.zeros(3 * RATE_HZ, np.float32), 2.0)
    shares = [
        reader.witness([face], time_s)[0].expression.probabilities[VOICE_LABELS.index("anger")]
        for time_s in (2.1, 2.4, 2.7)
    ]
    assert shares == sorted(shares, reverse=True)
    assert reader.witness([face], 3.5)[0] is face


def test_with_several_faces_nobody_knows_who_speaks() -> None:
    reader = VoiceReader(SpeechReader, Says("anger"))
    hear(reader, talk(2.0, RATE_HZ))
    faces = (shown(), shown())
    assert reader.witness(faces, 2.0) == faces
    unread = seen_face()
    assert reader.witness([unread], 2.0)[0] is unread


def test_a_reset_forgets_the_voice() -> None:
    reader = VoiceReader(SpeechReader, Says("anger"))
    hear(reader, talk(2.0, RATE_HZ))
    reader.reset()
    face = shown()
    assert reader.witness([face], 2.0)[0] is face


def test_chunks_of_any_size_give_the_same() -> None:
    samples, answers = talk(3.0, RATE_HZ), []
    for size in (160, 4000):
        says = Says("happy")
        reader = VoiceReader(SpeechReader, says)
        for start in range(0, len(samples), size):
            reader.hear(AudioChunk(samples[start : start + size], RATE_HZ, start / RATE_HZ))
        answers.append(says.heard)
    assert answers[0] == answers[1]
    assert answers[0]


def test_the_embedded_network_gives_distributions_of_any_length() -> None:
    classifier = VoiceClassifier()
    rows = speech_features(talk(3.0, RATE_HZ), RATE_HZ)
    assert enough_voice(rows)
    assert not enough_voice(rows[:10])
    for part in (rows[:1], rows[:15], rows):
        answer = classifier.predict(part)
        assert answer.shape == (7,)
        assert answer.sum() == pytest.approx(1, abs=1e-5)


def test_another_network_is_refused() -> None:
    with pytest.raises(WeightsError, match="expected rows, labels"):
        VoiceClassifier(open_session("expression"))
