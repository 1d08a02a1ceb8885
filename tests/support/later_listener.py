"""A listener with a memory, on ``tiny_tokenizer``: it shows the speaker's face of some frames before."""

from __future__ import annotations

import numpy as np

from support.tiny_listener import Echo
from visavis.reaction.predictor import Heard, StreamMemory
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.types import FloatArray


class Later(Echo):
    """Shows the speaker's face of so many frames before; alone, token 1.

    Args:
        delay: frames, 1 or more; that long is its memory.
        speech: whether it shows token 14 instead where the speaker spoke then.
        even: whether every token is as likely as any other.
    """

    def __init__(self, delay: int, speech: bool = False, even: bool = False) -> None:
        super().__init__(even=even)
        self.context = self.delay = delay
        self.speech = speech

    def memory(self, listeners: int, speakers: int | None = None) -> StreamMemory:
        shape = (1, speakers or listeners, 1, 1)
        keys = np.zeros((*shape, self.context), np.float32)
        own = np.zeros((0, shape[1], listeners // shape[1], 1, 1, self.context), np.float32)
        return StreamMemory((keys, np.zeros_like(keys.swapaxes(-1, -2))), (own, own.swapaxes(-1, -2)))

    def predict(self, heard: Heard, memory: StreamMemory) -> FloatArray:
        self._check(heard, memory)
        spoke = heard.sound[..., 0, SPEECH_CHANNELS.index("speech")] > 0.5
        shown = np.where(heard.speaker[..., 0] < 0, 1, heard.speaker[..., 0])
        now = np.where(spoke & self.speech, 14, shown).astype(np.float32)
        oldest_first = np.argsort(-memory.ages, kind="stable")[: int((memory.ages > 0).sum())]
        known = np.concatenate([memory.speaker[0][0, :, 0, 0, oldest_first].T, now], axis=1)
        past = np.pad(known, ((0, 0), (self.delay, 0)), constant_values=1)
        wanted = past[:, -self.delay - now.shape[1] : -self.delay].astype(np.int64)
        none = np.zeros((*memory.own[0].shape[:-1], now.shape[1]), np.float32)
        memory.add((now[None, :, None, None], now[None, :, None, :, None]), (none, none.swapaxes(-1, -2)))
        wanted = np.repeat(wanted, len(heard.own) // len(wanted), axis=0)
        states = np.zeros((*wanted.shape, 1, self.vocabulary), np.float32)
        if not self.even:
            np.put_along_axis(states, wanted[..., None, None], self.surely, axis=-1)
        return states
