"""Listeners on ``tiny_tokenizer`` that are easy to compute: they copy, or draw evenly."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from support import tiny_tokenizer
from visavis.reaction.cues import HEARD_CHANNELS
from visavis.reaction.head import TokenHead
from visavis.reaction.listener import ListenerModel
from visavis.reaction.predictor import Heard, Predictor, StreamMemory
from visavis.reaction.sampling import Sampling
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.reaction.style import CONTROLS
from visavis.reaction.tokenizer import FaceTokenizer
from visavis.types import FloatArray

SURE = 50.0


class Echo(Predictor):
    """Shows the speaker's face of the same frame; alone, token 1; with speech, token 14; or draws evenly.

    Args:
        patch: frames of a position.
        even: whether every token is as likely as any other.
        surely: how sure it is, in nats.
    """

    def __init__(self, patch: int = 1, even: bool = False, surely: float = SURE) -> None:
        self.levels, self.vocabulary = (tiny_tokenizer.LEVELS,), tiny_tokenizer.LEVELS
        self.sound_channels, self.controls = len(HEARD_CHANNELS), len(CONTROLS)
        self.patch, self.context, self.frame_rate_hz, self.speaks = patch, 1, 25.0, "faces"
        self.notes = {"tokenizer": "1-1"}
        self.even, self.surely = even, surely
        self.heard: list[Heard] = []
        size = self.vocabulary
        # A state is what each token is to get before the softmax.
        weights = np.concatenate([np.eye(size).ravel(), np.zeros(size)]).astype(np.float32)
        self.head = TokenHead(self.levels, size, weights)

    def memory(self, listeners: int, speakers: int | None = None) -> StreamMemory:
        count = speakers or listeners
        empty = np.zeros((1, count, listeners // count, 1, 1, 1), np.float32)
        return StreamMemory((empty, empty), (empty, empty))

    def predict(self, heard: Heard, memory: StreamMemory) -> FloatArray:
        self._check(heard, memory)
        self.heard.append(heard)
        logits = np.zeros((*heard.own.shape, self.vocabulary), np.float32)
        if not self.even:
            wanted = np.where(heard.speaker < 0, 1, heard.speaker)
            speaks = heard.sound[..., SPEECH_CHANNELS.index("speech")] > 0.5
            wanted = np.repeat(np.where(speaks, 14, wanted), len(heard.own) // len(heard.speaker), axis=0)
            np.put_along_axis(logits, wanted[..., None], self.surely, axis=-1)
        return logits


def listener(folder: Path, predictor: Predictor | None = None) -> ListenerModel:
    """A listener in front of the tiny tokenizer."""
    return of_tokenizer(*tiny_tokenizer.write(folder), predictor=predictor)


def of_tokenizer(encoder: Path, decoder: Path, predictor: Predictor | None = None) -> ListenerModel:
    """A listener in front of these two networks of the tiny tokenizer."""
    return ListenerModel(predictor or Echo(), FaceTokenizer.load(encoder, decoder), Sampling())


def entropy(chance: float) -> float:
    """Bits of a choice of two, one of them with this chance."""
    return float(-chance * np.log2(chance) - (1 - chance) * np.log2(1 - chance))
