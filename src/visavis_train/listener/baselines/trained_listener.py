"""Reactions of a trained listener; it reacts as the program does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visavis.reaction.listener import ListenerModel
from visavis.types import FloatArray
from visavis_train.data.conversation_pack import PersonClip
from visavis_train.listener.baselines.method import item_seed


class TrainedListener:
    """Our own network, frame by frame, with random styles."""

    def __init__(self, listener: ListenerModel) -> None:
        self._listener = listener

    def reactions(self, items: Sequence[PersonClip], samples: int, seed: int) -> FloatArray:
        """See :class:`~.method.Method`; the expression is the tokenizer's own reading."""
        return np.stack([self._react(item, samples, item_seed(item, seed)) for item in items])

    def _react(self, item: PersonClip, samples: int, seed: int) -> FloatArray:
        speech = None if item.speech is None else item.speech.astype(np.float32)
        face = item.face.astype(np.float32)
        tokens = self._listener.react(face, speech, seed=seed, samples=samples)
        tokenizer = self._listener.tokenizer
        return np.stack(
            [np.concatenate([tokenizer.decode(row), tokenizer.expressions(row)], axis=1) for row in tokens]
        )
