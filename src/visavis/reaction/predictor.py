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
# The token of an unknown frame: no face, no speaker, a masked or not yet existing past.
UNKNOWN = -1
# What network files call the tokens of the speaker.
SPEAKER_INPUT = "partner"
# The metadata's numbers: attentions of the speaker and of the listener, heads of each, width of a head.
_CACHE = ("attentions", "own_attentions", "heads", "width")
_OUTPUTS = ("hidden", "keys", "values", "own_keys", "own_values")
_NEEDED = {"levels", "sound_channels", "controls", "patch", "context", "cache", "frame_rate_hz", "speaks"}


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Inputs of N listeners of M speakers for the next T positions of P frames each.

    N is a multiple of M: the first N / M listeners have the first speaker.

    Attributes:
        speaker: (M, T, P) int64 tokens of the speakers; -1 if not known.
        own: (N, T, P) int64: the listener's own tokens of the position before; -1 if not known.
        sound: (M, T, P, S) float32, NaN where not known; S is 0 for networks without sound.
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
        if len(self._cache) != len(_CACHE):
            raise WeightsError(
                f"the {KIND} was exported by an earlier version: add --resume to the command of its "
                "training, which exports it anew"
            )
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
        session = networks.open_file(path, threads)
        with networks.naming(path):
            return cls(session)

    def memory(self, listeners: int, speakers: int | None = None) -> StreamMemory:
        """The state of N parallel listeners of M speakers before their first frame.

        Args:
            listeners: N.
            speakers: M; N must be a multiple of it. None: each listener has a speaker of its own.
        """
        attentions, own, heads, width = self._cache
        count = listeners if speakers is None else speakers
        return StreamMemory(
            _empty((attentions, count, heads), width, self.context),
            _empty((own, count, listeners // count, heads), width, self.context),
        )

    def predict(self, heard: Heard, memory: StreamMemory) -> FloatArray:
        """Predict T positions; ``memory`` advances by T positions.

        Returns:
            (N, T, P, D) float32 hidden states, which :attr:`head` reads. Position t is predicted from what
            was heard up to t.

        Raises:
            InputError: arrays do not fit each other or the network.
        """
        self._check(heard, memory)
        hidden, *added = self._session.run(_OUTPUTS, self._feed(heard, memory))
        memory.add((added[0], added[1]), (added[2], added[3]))
        result: FloatArray = hidden.reshape(*heard.own.shape, -1)
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
        speakers, (listeners, positions) = len(heard.speaker), heard.own.shape[:2]
        by_speaker = (speakers, listeners // speakers, positions)
        arrays: dict[str, NDArray[Any]] = {
            SPEAKER_INPUT: heard.speaker,
            "own": heard.own.reshape(*by_speaker, self.patch),
            "sound": heard.sound,
            "controls": heard.controls.reshape(*by_speaker, self.controls),
            "ages": memory.ages,
        }
        for kind, past in (("", memory.speaker), ("own_", memory.own)):
            for name, each in zip(("keys", "values"), past, strict=True):
                arrays |= {f"{kind}past_{name}_{place}": part for place, part in enumerate(each)}
        return {name: array for name, array in arrays.items() if name in self._inputs}

    def _check(self, heard: Heard, memory: StreamMemory) -> None:
        t = heard.speaker.shape[1]
        expected = {
            "speaker": (memory.speakers, t, self.patch),
            "own": (memory.listeners, t, self.patch),
            "sound": (memory.speakers, t, self.patch, self.sound_channels),
            "controls": (memory.listeners, t, self.controls),
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


# Keys (..., D, W) and values (..., W, D) of positions.
KeysValues = tuple[FloatArray, FloatArray]


def _empty(shape: tuple[int, ...], width: int, context: int) -> KeysValues:
    return np.zeros((*shape, width, context), np.float32), np.zeros((*shape, context, width), np.float32)


class StreamMemory:
    """Keys and values of the last W positions of M speakers and their N listeners, in a ring.

    Args:
        speaker: keys (A, M, H, D, W) and values (A, M, H, W, D) of A attentions of H heads.
        own: keys (B, M, N / M, H, D, W) and values (B, M, N / M, H, W, D) of the listeners' attentions.

    Attributes:
        ages: (W,) int64: how many positions ago each slot was written; 0 for an empty one.
        speakers, listeners: M and N.
    """

    def __init__(self, speaker: KeysValues, own: KeysValues) -> None:
        self.speaker, self.own = speaker, own
        self.ages = np.zeros(speaker[0].shape[-1], np.int64)
        self.speakers = own[0].shape[1]
        self.listeners = self.speakers * own[0].shape[2]
        self._next = 0

    def reset(self) -> None:
        """Forget the streams, as before their first frame."""
        self.ages[:] = 0
        self._next = 0

    def copies(self, count: int) -> StreamMemory:
        """Independent parallel copies of this memory."""
        result = StreamMemory(*(_repeated(part, count) for part in (self.speaker, self.own)))
        result.ages[:] = self.ages
        result._next = self._next
        return result

    def add(self, speaker: KeysValues, own: KeysValues) -> None:
        """Store T positions, with T in the place of W, over the oldest ones."""
        length, size = speaker[0].shape[-1], len(self.ages)
        kept = min(length, size)
        slots = (self._next + np.arange(length - kept, length)) % size
        for (keys, values), added in ((self.speaker, speaker), (self.own, own)):
            keys[..., slots] = added[0][..., length - kept :]
            values[..., slots, :] = added[1][..., length - kept :, :]
        self.ages[self.ages > 0] += length
        self.ages[slots] = np.arange(kept, 0, -1)
        self._next = (self._next + length) % size


def _repeated(parts: KeysValues, count: int) -> KeysValues:
    keys, values = (np.repeat(part, count, axis=1) for part in parts)
    return keys, values
