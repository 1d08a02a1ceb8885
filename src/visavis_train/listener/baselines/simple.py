"""Baselines that learn almost nothing: truth, chance, the speaker's own face, means, the nearest neighbour.

The first four are from the REACT challenges (Song et al. 2024, arXiv:2401.05166).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from visavis.types import FloatArray
from visavis_train.data.conversation_pack import BEHAVIOR_CHANNELS, ListeningPack, PersonClip
from visavis_train.listener.baselines.method import each_item, fitted
from visavis_train.listener.baselines.training import Scale

# Ten late copies are 0.2 to 2 s behind: people imitate a smile within about this time.
LATER_FRAMES = 5


def _repeated(behavior: FloatArray, samples: int) -> FloatArray:
    return np.repeat(behavior[None], samples, axis=0)


class GroundTruth:
    """The reaction of the real listener, K times, as in the challenges.

    Args:
        listeners: the listeners of each speaker's clip, by the clip's name.
    """

    def __init__(self, listeners: Mapping[str, PersonClip]) -> None:
        self._listeners = listeners

    def reactions(self, items: Sequence[PersonClip], samples: int, seed: int) -> FloatArray:
        """See :class:`~visavis_train.listener.baselines.method.Method`; without randomness."""
        return np.stack([_repeated(self._listeners[item.name].behavior, samples) for item in items])


class Uniform:
    """Uniform random numbers from 0 to 1, for each number of each frame.

    Their variance is 1/12 and their diversity 1/6, as published for REACT2024's random baseline.
    """

    def reactions(self, items: Sequence[PersonClip], samples: int, seed: int) -> FloatArray:
        """See :class:`~visavis_train.listener.baselines.method.Method`."""

        def react(item: PersonClip, rng: np.random.Generator) -> FloatArray:
            return rng.random((samples, len(item), BEHAVIOR_CHANNELS), np.float32)

        return each_item(items, react, seed)


class CopySpeaker:
    """The speaker's own face at the same moment."""

    def reactions(self, items: Sequence[PersonClip], samples: int, seed: int) -> FloatArray:
        """See :class:`~visavis_train.listener.baselines.method.Method`; without randomness."""
        return np.stack([_repeated(item.behavior, samples) for item in items])


class LateCopy:
    """The speaker's own face of some moments ago; each reaction is later than the one before.

    The official code copies without delay and so all copies are equal; yet the published diversity of copies
    is not 0. How they were made is not published.
    """

    def reactions(self, items: Sequence[PersonClip], samples: int, seed: int) -> FloatArray:
        """See :class:`~visavis_train.listener.baselines.method.Method`; without randomness."""
        delays = LATER_FRAMES * np.arange(1, samples + 1)[:, None]
        rows = (np.maximum(np.arange(len(item.behavior)) - delays, 0) for item in items)
        return np.stack([item.behavior[each] for item, each in zip(items, rows, strict=True)])


class MeanSequence:
    """The mean of all training listeners: frame by frame, or ``still``: one face that never moves."""

    def __init__(self, train: ListeningPack, *, still: bool = False) -> None:
        every = [item.listener.behavior for item in train.items]
        longest = max(map(len, every))
        # Columns that no listener has stay unknown; the metrics refuse them with a clear error.
        total, known = np.zeros((2, longest, BEHAVIOR_CHANNELS))
        for behavior in every:
            total[: len(behavior)] += np.nan_to_num(behavior)
            known[: len(behavior)] += np.isfinite(behavior)
        if still:
            total, known = total.sum(axis=0, keepdims=True), known.sum(axis=0, keepdims=True)
        self._mean = np.divide(total, known, out=np.full_like(total, np.nan), where=known > 0).astype(
            np.float32
        )

    def reactions(self, items: Sequence[PersonClip], samples: int, seed: int) -> FloatArray:
        """See :class:`~visavis_train.listener.baselines.method.Method`; without randomness."""
        return np.stack([_repeated(fitted(self._mean, len(item)), samples) for item in items])


class NearestNeighbour:
    """The reactions of the listeners of the most similar training speakers.

    Speakers are compared by the mean and spread over time of their face, expression and speech, each in units
    of its spread over the training speakers.
    """

    def __init__(self, train: ListeningPack) -> None:
        speakers = [train.items[place].speaker for place in train.first_of_speakers()]
        self._listeners = [
            [item.listener for item in train.items if item.speaker is speaker] for speaker in speakers
        ]
        described = np.stack([_described(speaker) for speaker in speakers])
        self._scale = Scale.of([described])
        self._described = self._scale.into(described)

    def reactions(self, items: Sequence[PersonClip], samples: int, seed: int) -> FloatArray:
        """See :class:`~visavis_train.listener.baselines.method.Method`; without randomness.

        The listeners of the nearest speaker come first, then those of the next. If the training has fewer
        than K listeners, they begin again.
        """
        return np.stack([self._nearest(item, samples) for item in items])

    def _nearest(self, item: PersonClip, samples: int) -> FloatArray:
        here = self._scale.into(_described(item))
        order = np.argsort(((self._described - here) ** 2).sum(axis=1), kind="stable")
        ranked = [listener for place in order for listener in self._listeners[place]]
        return np.stack([fitted(ranked[k % len(ranked)].behavior, len(item)) for k in range(samples)])


def _described(clip: PersonClip) -> FloatArray:
    """(2 x 127,) mean and spread over the frames; 0 for unknown numbers."""
    speech = np.zeros((len(clip), 0)) if clip.speech is None else clip.speech
    rows = np.nan_to_num(np.concatenate([clip.behavior, speech], axis=1).astype(np.float32))
    return np.concatenate([rows.mean(axis=0), rows.std(axis=0)])
