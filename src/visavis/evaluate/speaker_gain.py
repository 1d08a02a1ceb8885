"""Measuring on real calls how much of a person a listener explains by the true speaker and by others.

Each person of each call is predicted frame by frame: with the speaker of that call, with people of other
calls, and alone. A listener that really listens predicts best with the true speaker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.base.words import counted
from visavis.datasets.calls import CALL_RATE_HZ, Call
from visavis.errors import InputError, WeightsError
from visavis.metrics.pairing import peak_r, sign_flip_p
from visavis.reaction.predictor import UNKNOWN, Heard, Predictor
from visavis.reaction.sampling import Sampling
from visavis.reaction.signals import AU12, HEARD_CHANNELS, SignalCodec, as_heard
from visavis.types import FloatArray

SPEAKS = "signals"
# The embedded listener of calls.
ASSET = "calls_listener"
PEAK_WITHIN_S = 2.0
# Number of wrong speakers of each person, and number of positions that are predicted at a time.
OTHERS = 3
# Number of samples of a listener, and of people from other calls, in a mean correlation: one alone is chance.
SAMPLES = 10
# Guidance at which samples follow the speaker like real listeners: experiments/LOG.md.
DEFAULT_SAMPLING = Sampling(guidance=3.0)
_POSITIONS = 64
_CONDITIONS = ("true_speaker", "other_speaker", "alone")


@dataclass(frozen=True, slots=True)
class CallScores:
    """Scores of both people in one call.

    Attributes:
        name: name of the call.
        bits_per_frame: bits by ``true_speaker``, ``other_speaker`` and ``alone``.
        au12_peak_r: peak correlation with the speaker, by ``truth``, ``model``, ``copy_speaker``, ``mean``
            and ``random``; for ``model_with_strangers``, with people of other calls.
        variance: variance of AU12 over time, by ``truth`` and ``model``.
    """

    name: str
    bits_per_frame: dict[str, float]
    au12_peak_r: dict[str, float]
    variance: dict[str, float]


@dataclass(frozen=True, slots=True)
class SpeakerGain:
    """Scores of all calls.

    Attributes:
        calls: scores of each call.
        p_value: two-sided p-value that the true speaker and others explain equally much, by flipping the
            signs of the calls' differences.
    """

    calls: tuple[CallScores, ...]
    p_value: float

    @classmethod
    def of(cls, calls: Sequence[CallScores]) -> SpeakerGain:
        """Combine calls, which may be scored by several networks."""
        differences = [
            call.bits_per_frame["true_speaker"] - call.bits_per_frame["other_speaker"] for call in calls
        ]
        return cls(tuple(calls), sign_flip_p(np.asarray(differences)))

    def mean(self, field: str) -> dict[str, float]:
        """Means over the calls of ``bits_per_frame``, ``au12_peak_r`` or ``variance``."""
        rows = [getattr(call, field) for call in self.calls]
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def model_against(self, other: str) -> dict[str, float]:
        """Compare the model's samples with another listener of ``au12_peak_r``, paired over calls.

        Returns:
            ``above``: how much more the samples follow the speaker, with ``above_p``; and ``nearer_p`` for
            being no nearer to the real listener. p-values are two-sided, by flipping signs.
        """
        peaks = {
            name: np.asarray([call.au12_peak_r[name] for call in self.calls])
            for name in ("truth", "model", other)
        }
        above = peaks["model"] - peaks[other]
        nearer = abs(peaks[other] - peaks["truth"]) - abs(peaks["model"] - peaks["truth"])
        return {
            "above": float(above.mean()),
            "above_p": sign_flip_p(above),
            "nearer_p": sign_flip_p(nearer),
        }


def codec_of(predictor: Predictor) -> SignalCodec:
    """The codec that turns signals into the tokens of a listener's training.

    Raises:
        WeightsError: the listener uses face tokens, or lacks the codec's data.
    """
    notes = predictor.notes
    found = (predictor.speaks, predictor.patch, predictor.sound_channels)
    if found != (SPEAKS, 1, HEARD_CHANNELS) or not {"edges", "centres"} <= notes.keys():
        raise WeightsError(
            f"expected a listener of {SPEAKS} that hears {HEARD_CHANNELS} numbers, frame by frame; found one "
            f"of {found[0]} that hears {found[2]}, {found[1]} frames at a time"
        )
    return SignalCodec(tuple(notes["edges"]), tuple(notes["centres"]))


def measure_speaker_gain(
    predictor: Predictor,
    calls: Sequence[Call],
    *,
    others: Sequence[Call] | None = None,
    seed: int = 0,
    sampling: Sampling = DEFAULT_SAMPLING,
    on_call: Callable[[], None] | None = None,
) -> tuple[CallScores, ...]:
    """Score a listener on calls.

    Args:
        predictor: a listener of signals.
        calls: calls to score.
        others: calls for wrong speakers and the baselines ``mean`` and ``random``; by default ``calls``.
            Calls of the scored call's own pair are not used.
        seed: random seed of the wrong speakers and the samples.
        sampling: how sampled listeners are drawn.
        on_call: called after each call.

    Raises:
        InputError: there is no call of another pair, or calls are too short for a correlation.
        WeightsError: the listener is not a listener of signals.
    """
    codec = codec_of(predictor)
    slower = round(CALL_RATE_HZ / predictor.frame_rate_hz)
    scores = []
    for place, call in enumerate(calls):
        rng = np.random.default_rng((seed, place))
        strangers = [other for other in (others or calls) if other.pair != call.pair]
        if not strangers:
            raise InputError(f"call {call.name}: no call of another pair to compare with")
        score = _Scoring(predictor, codec, call, slower, strangers, rng, sampling)
        scores.append(CallScores(call.name, score.bits(), *score.au12()))
        if on_call:
            on_call()
    return tuple(scores)


class _Scoring:
    """Computes the scores of one call."""

    def __init__(
        self,
        predictor: Predictor,
        codec: SignalCodec,
        call: Call,
        slower: int,
        strangers: Sequence[Call],
        rng: np.random.Generator,
        sampling: Sampling,
    ) -> None:
        self.predictor, self.codec, self.call, self.slower, self.rng = predictor, codec, call, slower, rng
        self.sampling = sampling
        self.own = codec.encode(call.slowed(slower)).T
        self.speaker = self._people(call)[::-1]
        self.strangers = strangers
        self.reach = round(PEAK_WITHIN_S * CALL_RATE_HZ)
        if len(call.signals) <= 2 * self.reach + 1:
            raise InputError(
                f"call {call.name} has {counted(len(call.signals), 'frame')}; expected "
                f"more than {2 * self.reach + 1}"
            )

    def bits(self) -> dict[str, float]:
        """Bits for each frame, mean of both people."""
        alone = np.full_like(self.speaker, np.nan)
        wrong = [self._people(self._stranger()) for _ in range(OTHERS)]
        speakers = np.concatenate([self.speaker, alone, *wrong])
        own = np.tile(self.own, (len(speakers) // 2, 1))
        nats = self._nats(speakers, own).reshape(-1, 2).mean(axis=1)
        bits = nats / np.log(2)
        return {
            "true_speaker": float(bits[0]),
            "other_speaker": float(bits[2:].mean()),
            "alone": float(bits[1]),
        }

    def au12(self) -> tuple[dict[str, float], dict[str, float]]:
        """Peak correlations with the speaker's AU12, and variances, mean of both people."""
        truth = self.call.signals[..., AU12].T
        speaker, length = truth[::-1], truth.shape[1]
        model = np.repeat(self.codec.decode(self._sampled())[..., AU12], self.slower, axis=-1)
        strangers = [np.resize(self._stranger().signals[..., AU12], (length, 2)).T for _ in range(SAMPLES)]
        others = [np.resize(each.signals[..., AU12].mean(axis=1), length) for each in self.strangers]
        mean = np.mean(others, axis=0)
        listeners = {
            "truth": truth[None],
            "model": model,
            "copy_speaker": speaker[None],
            "mean": np.stack([mean, mean])[None],
            "random": np.stack(strangers),
        }
        peaks = {name: self._peak(listener, speaker) for name, listener in listeners.items()}
        peaks["model_with_strangers"] = self._peak(model, np.stack(strangers))
        return peaks, {name: float(listeners[name].var(axis=-1).mean()) for name in ("truth", "model")}

    def _peak(self, listeners: FloatArray, speaker: FloatArray) -> float:
        """Mean over S pairs of listeners (S, 2, T) of the peak correlation with the speakers (..., 2, T)."""
        return float(peak_r(listeners, speaker[..., : listeners.shape[-1]], self.reach).mean())

    def _people(self, call: Call) -> FloatArray:
        """Both people of a call (2, T, 6) as a listener hears them, repeated or cut to this call's length."""
        slow = call.slowed(self.slower)
        shape = (self.own.shape[1], HEARD_CHANNELS)
        return np.stack(
            [np.resize(as_heard(slow[:, who], self.predictor.frame_rate_hz), shape) for who in (0, 1)]
        )

    def _stranger(self) -> Call:
        """A call of another pair, which may be shorter or longer."""
        return self.strangers[int(self.rng.integers(len(self.strangers)))]

    def _nats(self, speaker: FloatArray, own: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean nats a frame (N,), from speakers (N, T, 6) and the predicted person's tokens (N, T)."""
        before = np.concatenate([np.full((len(own), 1), UNKNOWN), own[:, :-1]], axis=1)
        memory = self.predictor.memory(len(own))
        total: NDArray[np.float64] = np.zeros(len(own))
        for start in range(0, own.shape[1], _POSITIONS):
            cut = slice(start, start + _POSITIONS)
            heard = self._heard(speaker[:, cut], before[:, cut])
            hidden = self.predictor.predict(heard, memory)[:, :, 0]
            total += self.predictor.head.nats(hidden, own[:, cut]).sum(axis=1)
        mean: NDArray[np.float64] = total / own.shape[1]
        return mean

    def _sampled(self) -> NDArray[np.int64]:
        """Tokens (S, 2, T) of sampled listeners for each person."""
        head, speaker = self.predictor.head, self.speaker
        people, length = speaker.shape[:2]
        count, guided = people * SAMPLES, self.sampling.guided
        ways = 2 if guided else 1
        memory = self.predictor.memory(count * ways, people * ways)
        result = np.full((count, length), UNKNOWN)
        before = np.full((count, 1), UNKNOWN)
        chances = self.rng.random((length, SAMPLES, people, len(head.levels))).swapaxes(1, 2)
        chances = chances.reshape(length, count, -1)
        for frame in range(length):
            heard = self._heard(speaker[:, frame : frame + 1], before)
            hidden = self.predictor.predict(heard.beside_alone() if guided else heard, memory)[:, 0, 0]
            alone = hidden[count:] if guided else None
            result[:, frame] = head.draw(hidden[:count], chances[frame], self.sampling, alone)
            before = result[:, frame : frame + 1]
        return result.reshape(people, SAMPLES, length).swapaxes(0, 1)

    def _heard(self, speaker: FloatArray, own: NDArray[np.int64]) -> Heard:
        """The network's input from (M, T, 6) and tokens (N, T): speakers are sound channels, not tokens."""
        return Heard(
            np.full((*speaker.shape[:2], 1), UNKNOWN),
            np.ascontiguousarray(own[..., None]),
            np.ascontiguousarray(speaker[:, :, None]),
            np.zeros((*own.shape, 0), np.float32),
        )
