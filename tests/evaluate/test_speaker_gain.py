"""The part of people's reactions that a listener explains, on calls and listeners with a known answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from support.tiny_listener import Echo, entropy
from visavis.datasets.calls import Call
from visavis.errors import InputError, WeightsError
from visavis.evaluate.speaker_gain import OTHERS, SpeakerGain, measure_speaker_gain
from visavis.reaction.head import TokenHead
from visavis.reaction.predictor import Heard, Predictor, StreamMemory
from visavis.reaction.sampling import Sampling
from visavis.reaction.signals import HEARD_CHANNELS, SignalCodec
from visavis.types import FloatArray

LEVELS = (2, 2, 2, 4)
CODEC = SignalCodec(
    tuple(np.asarray([0.5], np.float32) for _ in range(3)),
    tuple(np.asarray([0.0, 1.0], np.float32) for _ in range(3)),
)

SURE = 20.0


class Known(Predictor):
    """Says that a listener copies the speaker's AU12 with a given chance, and nothing else."""

    def __init__(self, chance: float) -> None:
        self.levels, self.vocabulary = LEVELS, 32
        self.sound_channels, self.controls = HEARD_CHANNELS, 0
        self.patch, self.context, self.frame_rate_hz, self.speaks = 1, 1, 10.0, "signals"
        self.notes = {"edges": [list(e) for e in CODEC.edges], "centres": [list(c) for c in CODEC.centers]}
        # Of the second digit, AU12, each value is the likelier one in its own state; no other weight counts.
        weights = np.zeros(TokenHead.size(LEVELS, 2), np.float32)
        second = LEVELS[0] * 3
        weights[second : second + 4] = np.eye(2).ravel() * np.log(chance / (1 - chance)) / SURE
        self.head = TokenHead(LEVELS, 2, weights)

    memory = Echo.memory

    def predict(self, heard: Heard, memory: StreamMemory) -> FloatArray:
        speaker = np.repeat(heard.sound, len(heard.own) // len(heard.sound), axis=0)[..., 1, None]
        states = np.where(speaker > 0, [0.0, SURE], [SURE, 0.0])
        return np.where(np.isnan(speaker), 0.0, states).astype(np.float32)


def calls(copied: float, count: int = 6, frames: int = 600) -> list[Call]:
    """Calls in which B shows A's AU12 in this share of the frames, and otherwise the opposite."""
    rng = np.random.default_rng(1)
    result = []
    for number in range(count):
        signals = rng.integers(0, 2, (frames // 3, 2, 4)).astype(np.float32)
        other = rng.random(frames // 3) >= copied
        signals[:, 1, 1] = np.where(other, 1 - signals[:, 0, 1], signals[:, 0, 1])
        result.append(Call(f"s{number}_x", np.repeat(signals, 3, axis=0)))
    return result


def scored(chance: float, made: Sequence[Call], guidance: float = 1.0) -> SpeakerGain:
    return SpeakerGain.of(measure_speaker_gain(Known(chance), made, sampling=Sampling(guidance=guidance)))


@pytest.mark.slow
def test_the_right_listener_of_coupled_people_needs_the_bits_of_their_entropy() -> None:
    bits = scored(0.8, calls(0.8)).mean("bits_per_frame")
    assert bits["true_speaker"] == pytest.approx(4 + entropy(0.8), abs=0.05)
    assert bits["alone"] == pytest.approx(5)
    assert bits["other_speaker"] == pytest.approx(4 - (np.log2(0.8) + np.log2(0.2)) / 2, abs=0.1)


@pytest.mark.slow
def test_coupled_people_are_told_from_strangers() -> None:
    # Six calls of one sign each: 2 of the 64 ways to flip them.
    assert scored(0.8, calls(0.8)).p_value == pytest.approx(2 / 64, rel=0.1)
    assert scored(0.8, calls(0.5)).p_value > 0.05


@pytest.mark.slow
def test_peaks_of_the_copies_and_of_those_who_do_not_listen() -> None:
    gain = scored(0.8, calls(0.8))
    peaks = gain.mean("au12_peak_r")
    assert peaks["copy_speaker"] == pytest.approx(1.0)
    assert peaks["truth"] == pytest.approx(0.6, abs=0.08)  # 0.8 - 0.2
    assert peaks["model"] == pytest.approx(peaks["truth"], abs=0.1)
    # 41 shifts of 200 frames of noise.
    assert peaks["random"] < 0.3
    variance = gain.mean("variance")
    assert variance["model"] == pytest.approx(variance["truth"], rel=0.1)


@pytest.mark.slow
def test_two_runs_with_one_seed_agree() -> None:
    made = calls(0.8, count=3)
    first, second = (measure_speaker_gain(Known(0.7), made, seed=4) for _ in range(2))
    assert first == second
    assert first != measure_speaker_gain(Known(0.7), made, seed=5)


def test_calls_of_one_pair_are_no_strangers() -> None:
    made = [Call(f"s1_{k}", call.signals) for k, call in enumerate(calls(0.8, count=2))]
    with pytest.raises(InputError, match="s1_0: no call of another pair"):
        measure_speaker_gain(Known(0.8), made)


def test_short_calls_are_named() -> None:
    with pytest.raises(InputError, match="call s0_x has 120 frames; expected more than 121"):
        measure_speaker_gain(Known(0.8), calls(0.8, frames=120))


def test_a_listener_of_faces_is_refused() -> None:
    other = Known(0.8)
    other.speaks = "faces"
    with pytest.raises(WeightsError, match="found one of faces"):
        measure_speaker_gain(other, calls(0.8))


def test_the_progress_is_told() -> None:
    told: list[int] = []
    measure_speaker_gain(Known(0.8), calls(0.8, count=3), on_call=lambda: told.append(OTHERS))
    assert len(told) == 3


@pytest.mark.slow
def test_guidance_strengthens_what_a_weak_listener_knows() -> None:
    made = calls(0.8)
    usual, guided, deaf = (scored(0.6, made, guidance) for guidance in (1.0, 3.0, 0.0))
    strangers = guided.mean("au12_peak_r")["model_with_strangers"]
    assert strangers == pytest.approx(guided.mean("au12_peak_r")["random"], abs=0.1)
    peaks = [each.mean("au12_peak_r")["model"] for each in (deaf, usual, guided)]
    assert peaks[0] < 0.3  # As of strangers.
    assert peaks == sorted(peaks)
    # Odds of 1.5 to the third power are 3.4: right in 77% of the frames, wrong in 23%.
    assert peaks[2] == pytest.approx(0.54, abs=0.08)
    assert guided.mean("bits_per_frame") == usual.mean("bits_per_frame")
    against = {name: guided.model_against(name) for name in ("random", "copy_speaker")}
    assert against["random"]["above"] == pytest.approx(peaks[2] - guided.mean("au12_peak_r")["random"])
    assert against["copy_speaker"]["above"] < 0
    # Nearer than both in each of six calls: 2 of the 64 ways to flip them.
    for found in against.values():
        assert found["nearer_p"] == pytest.approx(2 / 64, rel=0.1)
