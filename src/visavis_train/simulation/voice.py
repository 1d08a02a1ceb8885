"""One person's sound over a clip, and the times of its utterances, from utterances and real turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.errors import InputError
from visavis.types import FloatArray
from visavis_train.simulation.turns import Timings, Window
from visavis_train.simulation.utterances import Utterance

# Chance that the next utterance has the same mood. Our choice: acted speech has no moods.
SAME_MOOD = 0.75
# An utterance may reach over the end of its turn by this share of its length.
OVERHANG = 0.5
# Least share of a clip that utterances must fill in a window, and number of tried windows.
LEAST_SAID, TRIES = 0.35, 200
# Room noise between utterances, where the archives are silent: 66 dB below full scale, our choice.
ROOM = 0.0005


@dataclass(frozen=True, slots=True)
class Said:
    """An utterance and its start in the clip."""

    utterance: Utterance
    start_s: float

    @property
    def end_s(self) -> float:
        """The end of the utterance."""
        return self.start_s + self.utterance.length_s


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """One person's voice in a clip.

    Attributes:
        samples: (N,) float32 at 16 kHz.
        said: utterances in order, without overlap.
        window: the real turns that it follows.
    """

    samples: FloatArray
    said: tuple[Said, ...]
    window: Window


def speak(own: Sequence[Utterance], timings: Timings, length_s: float, rng: np.random.Generator) -> Voice:
    """Fill the turns of a real window with utterances of one person.

    The window gives the starts and, roughly, the ends of turns. Utterances are never cut, so a turn ends with
    the one that would reach over its end by more than half. Within a turn, real pauses separate the
    utterances.

    Raises:
        InputError: there are no utterances, or they are too long for every window.
    """
    if not own:
        raise InputError("a speaker without utterances")
    for _ in range(TRIES):
        window = timings.windows[int(rng.integers(len(timings.windows)))]
        said = _fill(window, own, timings, length_s, rng)
        if sum(one.utterance.length_s for one in said) >= LEAST_SAID * length_s:
            return Voice(mix(said, length_s, rng), tuple(said), window)
    raise InputError(f"no real turn is long enough for an utterance of {own[0].speaker}: make longer clips")


def _fill(
    window: Window, own: Sequence[Utterance], timings: Timings, length_s: float, rng: np.random.Generator
) -> list[Said]:
    said: list[Said] = []
    deck: list[Utterance] = []
    for turn in window.turns:
        at_s = max(turn.start_s, said[-1].end_s if said else 0.0)
        while at_s < turn.end_s:
            deck, utterance = _deal(deck, own, said, rng)
            end_s = at_s + utterance.length_s
            if end_s > length_s or end_s - turn.end_s > OVERHANG * utterance.length_s:
                break
            deck = [other for other in deck if other is not utterance]
            said.append(Said(utterance, at_s))
            at_s = end_s + timings.pauses_s[int(rng.integers(len(timings.pauses_s)))]
    return said


def _deal(
    deck: list[Utterance], own: Sequence[Utterance], said: list[Said], rng: np.random.Generator
) -> tuple[list[Utterance], Utterance]:
    """The next utterance: none is repeated before all were used, and moods last."""
    deck = deck or list(own)
    mood = said[-1].utterance.emotion if said else None
    kept = [utterance for utterance in deck if utterance.emotion == mood]
    choice = kept if kept and rng.random() < SAME_MOOD else deck
    return deck, choice[int(rng.integers(len(choice)))]


def mix(said: Sequence[Said], length_s: float, rng: np.random.Generator) -> FloatArray:
    """The samples of a clip: utterances with room noise."""
    count = round(length_s * SPEECH_RATE_HZ)
    samples = ROOM * rng.standard_normal(count, np.float32)
    for one in said:
        start = round(one.start_s * SPEECH_RATE_HZ)
        part = one.utterance.samples[: count - start]
        samples[start : start + len(part)] += part
    return samples.clip(-1, 1)
