"""Reactions of a trained listener, loaded with its tokenizer; it reacts as the program does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visavis.reaction.listener import ListenerModel
from visavis.reaction.predictor import Predictor
from visavis.reaction.sampling import Sampling
from visavis.reaction.tokenizer import FaceTokenizer
from visavis.types import FloatArray
from visavis_train.data.conversation_pack import PersonClip
from visavis_train.listener.baselines.method import item_seed


class TrainedListener:
    """Our own network, frame by frame, with random styles.

    Args:
        listener: the program's listener.
    """

    def __init__(self, listener: ListenerModel) -> None:
        self._listener = listener

    @classmethod
    def load(cls, file: Path, tokenizer: FaceTokenizer, sampling: Sampling) -> TrainedListener:
        """The method with a run folder's ``listener.onnx``.

        Raises:
            InputError: the file cannot be read.
            WeightsError: the file is not a listener, or has another tokenizer.
        """
        return cls(ListenerModel(Predictor.load(file), tokenizer, sampling))

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
