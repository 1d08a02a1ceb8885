"""A network that predicts a listener's next tokens from the speaker's tokens and sound and its own past.

Its memory of a stream is a ring of keys and values, so memory does not grow with the length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from visavis.base import networks
from visavis.base.files import PathText
from visavis.errors import InputError, WeightsError
from visavis.reaction.head import TokenHead
from visavis.types import FloatArray

Tokens = NDArray[np.int64]
KIND = "listener"
# The token of an unknown frame.
UNKNOWN = -1
# What network files call the tokens of the speaker.
SPEAKER_INPUT = "partner"
_NEEDED = {"levels", "sound_channels", "controls", "patch", "context", "cache", "frame_rate_hz", "speaks"}


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Inputs of N listeners for the next T positions of P frames each.

    Attributes:
        speaker: (N, T, P) int64 tokens of the speaker; -1 if not known.
        own: (N, T, P) int64: the listener's own tokens of the position before; -1 if not known.
        sound: (N, T, P, S) float32, NaN where not known; S is 0 for networks without sound.
        controls: (N, T, C) float32 style, NaN where it is left free.
    """

    speaker: Tokens
    own: Tokens
    sound: FloatArray
    controls: FloatArray

    def beside_alone(self) -> Heard:
        """Inputs of 2 N listeners: these, then the same without a speaker."""
        return Heard(
            np.concatenate([self.speaker, np.full_like(self.speaker, UNKNOWN)]),
            np.tile(self.own, (2, 1, 1)),
            np.concatenate([self.sound, np.full_like(self.sound, np.nan)]),
            np.tile(self.controls, (2, 1, 1)),
        )


class Predictor:
    """A network that predicts a listener. It keeps no state; :meth:`memory` gives the state of streams.

    Args:
        session: the network, as ``visavis_train`` exports it.

    Attributes:
        levels: number of values of each digit of a token; their product is the size of the vocabulary.
        sound_channels: S, how many numbers describe a frame of sound.
        controls: C, how many numbers describe the style.
        patch: P, number of frames of a position.
        context: W, number of remembered positions.
        frame_rate_hz: frame rate of the training data.
        speaks: kind of its tokens: ``faces`` or ``signals``.
        head: the last layer, which reads the result of :meth:`predict`.
        notes: all metadata of the file.

    Raises:
        WeightsError: the network is of another kind.
    """

    def __init__(self, session: ort.InferenceSession) -> None:
        notes = networks.metadata(session)
        if notes.get("kind") != KIND:
            raise WeightsError(f"expected a {KIND}; found {notes.get('kind', 'another network')}")
        if missing := _NEEDED - notes.keys():
            raise WeightsError(f"the {KIND} does not say its {', '.join(sorted(missing))}; export it again")
        self.notes: dict[str, Any] = notes
        self.levels = tuple(int(size) for size in notes["levels"])
        self.vocabulary = int(np.prod(self.levels))
        self.sound_channels, self.controls = int(notes["sound_channels"]), int(notes["controls"])
        self.patch, self.context = int(notes["patch"]), int(notes["context"])
        self.frame_rate_hz = float(notes["frame_rate_hz"])
        self.speaks = str(notes["speaks"])
        self._cache = tuple(int(size) for size in notes["cache"])
        self._session = session
        self._inputs = {spec.name for spec in session.get_inputs()}
        self.head = self._read_head()

    @classmethod
    def load(cls, path: PathText, threads: int = 1) -> Self:
        """A network from a file in a training's run folder.

        Raises:
            InputError: the file cannot be read.
            WeightsError: the file is not a listener.
        """
        return cls(networks.open_file(path, threads))

    def memory(self, streams: int) -> StreamMemory:
        """The state of N parallel streams before their first frame."""
        attentions, heads, width = self._cache
        # Attentions come first in memory, so that each one's part is an input without being copied.
        keys = np.zeros((attentions, streams, heads, width, self.context), np.float32)
        values = np.zeros((attentions, streams, heads, self.context, width), np.float32)
        return StreamMemory(keys.swapaxes(0, 1), values.swapaxes(0, 1))

    def predict(self, heard: Heard, memory: StreamMemory) -> FloatArray:
        """Predict T positions; ``memory`` advances by T positions.

        Returns:
            (N, T, P, D) float32 hidden states, which :attr:`head` reads. Position t is predicted from what
            was heard up to t.

        Raises:
            InputError: arrays do not fit each other or the network.
        """
        self._check(heard, len(memory.ages))
        feed = self._feed(heard, memory)
        hidden, keys, values = self._session.run(["hidden", "keys", "values"], feed)
        memory.add(keys, values)
        result: FloatArray = hidden
        return result

    def _read_head(self) -> TokenHead:
        """Read the weights of the last layer, a constant output of the network."""
        shape = (1, 1, self.patch)
        nothing = Heard(
            np.full(shape, UNKNOWN, np.int64),
            np.full(shape, UNKNOWN, np.int64),
            np.zeros((*shape, self.sound_channels), np.float32),
            np.zeros((1, 1, self.controls), np.float32),
        )
        hidden, head = self._session.run(["hidden", "head"], self._feed(nothing, self.memory(1)))
        return TokenHead(self.levels, hidden.shape[-1], head)

    def _feed(self, heard: Heard, memory: StreamMemory) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {
            SPEAKER_INPUT: heard.speaker,
            "own": heard.own,
            "sound": heard.sound,
            "controls": heard.controls,
            "ages": memory.ages,
        }
        for name, past in (("past_keys", memory.keys), ("past_values", memory.values)):
            arrays[name] = past  # Networks of version 0.1 have one input for all attentions.
            arrays |= {f"{name}_{place}": past[:, place] for place in range(past.shape[1])}
        return {name: array for name, array in arrays.items() if name in self._inputs}

    def _check(self, heard: Heard, streams: int) -> None:
        t = heard.speaker.shape[1]
        expected = {
            "speaker": (streams, t, self.patch),
            "own": (streams, t, self.patch),
            "sound": (streams, t, self.patch, self.sound_channels),
            "controls": (streams, t, self.controls),
        }
        for name, shape in expected.items():
            array = getattr(heard, name)
            if array.shape != shape:
                raise InputError(f"{name} has shape {array.shape}; expected {shape}")
        for name in ("speaker", "own"):
            tokens = getattr(heard, name)
            if tokens.size and not (tokens.min() >= UNKNOWN and tokens.max() < self.vocabulary):
                raise InputError(
                    f"{name} holds tokens {tokens.min()} to {tokens.max()}; expected 0 to "
                    f"{self.vocabulary - 1}, or {UNKNOWN} where none is known"
                )


class StreamMemory:
    """Keys and values of the last W positions of N streams, in a ring, for A attentions of H heads.

    Attributes:
        keys: (N, A, H, D, W) float32.
        values: (N, A, H, W, D) float32.
        ages: (N, W) int64: how many positions ago each slot was written; 0 for an empty one.
    """

    def __init__(self, keys: FloatArray, values: FloatArray) -> None:
        self.keys, self.values = keys, values
        self.ages = np.zeros((len(keys), keys.shape[-1]), np.int64)
        self._next = 0

    def reset(self) -> None:
        """Forget the streams, as before their first frame."""
        self.ages[:] = 0
        self._next = 0

    def copies(self, count: int) -> StreamMemory:
        """Independent parallel copies of this memory."""
        result = StreamMemory(np.repeat(self.keys, count, axis=0), np.repeat(self.values, count, axis=0))
        result.ages[:] = np.repeat(self.ages, count, axis=0)
        result._next = self._next
        return result

    def add(self, keys: FloatArray, values: FloatArray) -> None:
        """Store T positions, (N, A, H, D, T) and (N, A, H, T, D), in place of the oldest ones."""
        length, size = keys.shape[-1], self.ages.shape[1]
        kept = min(length, size)
        slots = (self._next + np.arange(length - kept, length)) % size
        self.keys[..., slots] = keys[..., length - kept :]
        self.values[..., slots, :] = values[..., length - kept :, :]
        self.ages[self.ages > 0] += length
        self.ages[:, slots] = np.arange(kept, 0, -1)
        self._next = (self._next + length) % size
