"""Listeners who react with faces to a speaker's face and speech, 25 times a second.

A listener is a distribution of faces: samples of one moment differ, and each continues its own past.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from visavis.base import networks
from visavis.base.arrays import as_float32, require_whole
from visavis.base.files import PathText, as_path
from visavis.channels import FACE_CHANNELS
from visavis.errors import InputError, WeightsError
from visavis.reaction.cues import HEARD_CHANNELS, CuedSpeech
from visavis.reaction.neutral_face import RunningNeutralFace
from visavis.reaction.predictor import UNKNOWN, Heard, Predictor
from visavis.reaction.sampling import Sampling
from visavis.reaction.speech import FRAME_RATE_HZ, SPEECH_CHANNELS
from visavis.reaction.style import CONTROLS, Style
from visavis.reaction.tokenizer import FaceTokenizer, Tokens
from visavis.types import FloatArray

ASSET = "listener"
# Encoder and decoder of the listener's tokenizer, which describes movements more than identity.
LISTENER_TOKENIZER = ("listener_tokens_encoder", "listener_tokens_decoder")
SPEAKS = "faces"
# Gestures begin with digits of a few percent, so cutting more than this removes nods. With this guidance,
# samples nod at pauses and smile with the speaker like the training data: docs/models/listener.md.
DEFAULT_SAMPLING = Sampling(temperature=1.0, top_p=0.99, guidance=1.5)


class ListenerModel:
    """Reacts with faces to a face and speech. It keeps no state; :meth:`start` gives a stream with state.

    Args:
        predictor: a network that predicts face tokens.
        tokenizer: the tokenizer of the predictor's training.
        sampling: how tokens are drawn.

    Raises:
        WeightsError: predictor and tokenizer do not belong together, or the predictor has other inputs.
    """

    def __init__(
        self, predictor: Predictor, tokenizer: FaceTokenizer, sampling: Sampling = DEFAULT_SAMPLING
    ) -> None:
        found = (predictor.speaks, predictor.notes.get("tokenizer"), predictor.frame_rate_hz)
        expected = (SPEAKS, tokenizer.pair, FRAME_RATE_HZ)
        if found != expected or tokenizer.vocabulary != (predictor.vocabulary,):
            raise WeightsError(
                f"expected a listener of {SPEAKS} at {FRAME_RATE_HZ} Hz trained with the tokenizer "
                f"{tokenizer.pair}; found one of {found[0]} at {found[2]:g} Hz trained with {found[1]}"
            )
        heard, obeyed = predictor.sound_channels, predictor.controls
        if heard not in (0, len(HEARD_CHANNELS)) or obeyed not in (0, len(CONTROLS)):
            raise WeightsError(
                f"the listener hears {heard} numbers a frame and obeys {obeyed}; expected "
                f"{len(HEARD_CHANNELS)} and {len(CONTROLS)}, or 0: train it again"
            )
        self.predictor, self.tokenizer, self.sampling = predictor, tokenizer, sampling
        # Frames of the speaker that the network was trained to see in advance.
        self.ahead = int(predictor.notes.get("ahead", 0))

    @classmethod
    def default(cls, threads: int = 1) -> Self:
        """The embedded networks.

        Raises:
            WeightsError: this version has no listener, or its files are missing or were changed.
        """
        if ASSET not in networks.manifest():
            raise WeightsError(
                "this version of visavis brings no listener: train one (visavis train "
                "experiments/listener.toml) and name its listener.onnx as the listener"
            )
        tokenizer = FaceTokenizer.default(threads, LISTENER_TOKENIZER)
        return cls(Predictor(networks.open_session(ASSET, threads)), tokenizer)

    @classmethod
    def embedded(cls) -> Self | None:
        """The embedded networks; None if this version has none.

        Raises:
            WeightsError: the files are damaged.
        """
        return cls.default() if ASSET in networks.manifest() else None

    @classmethod
    def load(cls, path: PathText, tokenizer: FaceTokenizer | None = None, threads: int = 1) -> Self:
        """A listener from a file in a training's run folder.

        Args:
            path: the file.
            tokenizer: the tokenizer of its training; None for the package's tokenizer that the file names.
            threads: number of processor threads.

        Raises:
            InputError: the file cannot be read.
            WeightsError: the file is not a listener, or belongs to another tokenizer.
        """
        path = as_path(path)
        predictor = Predictor.load(path, threads)
        with networks.naming(path):
            known = tokenizer or _embedded_tokenizer(predictor.notes.get("tokenizer"), threads)
            return cls(predictor, known)

    def with_sampling(
        self,
        *,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        guidance: float | None = None,
    ) -> Self:
        """The same listener with other sampling; see :class:`~visavis.reaction.sampling.Sampling`.

        Args:
            temperature, top_k, top_p, guidance: new values; None keeps the old one.

        Raises:
            InputError: a value is outside its range.
        """
        usual = self.sampling
        sampling = Sampling(
            usual.temperature if temperature is None else temperature,
            usual.top_k if top_k is None else top_k,
            usual.top_p if top_p is None else top_p,
            usual.guidance if guidance is None else guidance,
        )
        return type(self)(self.predictor, self.tokenizer, sampling)

    def start(self, seed: int = 0, samples: int = 1, style: Style | None = None) -> ListenerState:
        """The state of a stream before its first frame.

        Args:
            seed: random seed of the draws. Sample k does not depend on the number of samples.
            samples: number K of listeners; all hear the same.
            style: style of all listeners; None draws it at random for each.

        Raises:
            InputError: there are fewer than 1 samples, or the listener needs later frames.
        """
        if self.ahead:
            raise InputError(
                f"this listener sees its speaker {self.ahead} frames in advance, so it cannot run live; "
                "train one with ahead = 0"
            )
        return self._state(seed, samples, style)

    def _state(self, seed: int, samples: int, style: Style | None) -> ListenerState:
        if samples < 1:
            raise InputError(f"samples must be 1 or more; found {samples}")
        return ListenerState(self, seed, samples, style)

    def react(
        self,
        face: ArrayLike,
        speech: ArrayLike | None = None,
        *,
        seed: int = 0,
        samples: int = 1,
        style: Style | None = None,
    ) -> Tokens:
        """Reactions to a whole clip; a stream gives the same.

        Args:
            face: (T, 58) face of the speaker at 25 Hz, rows of NaN where no face is known.
            speech: (T, 44) speech features of the speaker, NaN where not known; None without sound.
            seed: random seed of the draws.
            samples: number K of listeners.
            style: style of the listeners.

        Returns:
            (K, T) tokens.

        Raises:
            InputError: an array has another shape or infinite values.
        """
        faces = as_float32("faces", face, (None, len(FACE_CHANNELS)), allow_nan=True)
        sound = np.full((len(faces), len(SPEECH_CHANNELS)), np.nan) if speech is None else speech
        rows = as_float32("speech", sound, (len(faces), len(SPEECH_CHANNELS)), allow_nan=True)
        stream = self._state(seed, samples, style)
        pairs = zip(earlier(faces, self.ahead), earlier(rows, self.ahead), strict=True)
        tokens = [stream.step(*pair) for pair in pairs]
        return np.stack(tokens, axis=1) if tokens else np.empty((samples, 0), np.int64)


class ListenerState:
    """K listeners of one speaker.

    Args:
        listener: the networks; may serve many streams.
        seed: random seed of the draws.
        samples: number K of listeners.
        style: style of the listeners; may be changed between frames.
    """

    def __init__(self, listener: ListenerModel, seed: int, samples: int, style: Style | None) -> None:
        self.style = style
        require_whole("seed", seed, 0, 2**32 - 1)
        self._listener, self._seed, self._samples = listener, seed, samples
        self._guided = listener.sampling.guided
        ways = 2 if self._guided else 1  # Beside the speaker, and alone.
        self._memory = listener.predictor.memory(samples * ways, ways)
        self._speaker, self._sound = listener.tokenizer.stream(), CuedSpeech()
        rest = listener.tokenizer.rest
        self._rest = None if rest is None else RunningNeutralFace(rest)
        self.reset()

    def reset(self) -> None:
        """Forget the stream and draw again from the seed, as before the first frame."""
        patch = self._listener.predictor.patch
        self._memory.reset()
        self.start_new_person()
        self._draws = [np.random.default_rng((self._seed, k)) for k in range(self._samples)]
        self._frame = 0
        self._heard_tokens: Tokens = np.full(patch, UNKNOWN, np.int64)
        self._heard_sound: FloatArray = np.full((patch, len(HEARD_CHANNELS)), np.nan, np.float32)
        self._own: Tokens = np.full((self._samples, patch), UNKNOWN, np.int64)

    def start_new_person(self) -> None:
        """See another person from now on; the last person's usual face no longer counts."""
        self._speaker.reset()
        self._sound.reset()
        if self._rest is not None:
            self._rest.reset()

    def step(self, face: FloatArray, speech: FloatArray) -> Tokens:
        """React to the next frame.

        Args:
            face: (58,) face of the speaker, NaN where not known.
            speech: (44,) features of the speaker's speech in this frame, NaN where not known.

        Returns:
            (K,) tokens of the listeners in this frame; see :meth:`faces`.
        """
        predictor = self._listener.predictor
        seen = face if self._rest is None else self._rest.moved(face)
        token = self._speaker.encode(seen[None]).reshape(1)
        self._heard_tokens = np.concatenate([self._heard_tokens[1:], token])
        self._heard_sound = np.concatenate([self._heard_sound[1:], self._sound.update(speech)[None]])
        place = self._frame % predictor.patch
        if place == 0:
            self._own = self._drawn(predictor.predict(self._heard(), self._memory)[:, 0])
        self._frame += 1
        return self._own[:, place]

    def faces(self, tokens: Tokens) -> FloatArray:
        """(K,) tokens -> (K, 58) face states."""
        return self._listener.tokenizer.decode(tokens)

    def _heard(self) -> Heard:
        """The last P frames, the same for all K, and each one's past; with guidance also without a
        speaker."""
        predictor, count = self._listener.predictor, self._samples
        controls = np.full(predictor.controls, np.nan, np.float32)
        if self.style is not None and predictor.controls:
            if (traits := tuple(predictor.notes.get("traits", CONTROLS))) != CONTROLS:
                raise InputError(f"this listener was trained with {', '.join(traits)}: leave out the style")
            controls[:] = self.style.values
        heard = Heard(
            self._heard_tokens[None, None],
            self._own[:, None],
            self._heard_sound[None, None, :, : predictor.sound_channels],
            np.repeat(controls[None, None], count, axis=0),
        )
        return heard.beside_alone() if self._guided else heard

    def _drawn(self, hidden: FloatArray) -> Tokens:
        """(K, P, D), or (2 K, P, D) if guided -> (K, P)."""
        head, sampling, patch = self._listener.predictor.head, self._listener.sampling, hidden.shape[1]
        chances = np.stack([draw.random((patch, len(head.levels))) for draw in self._draws])
        beside, alone = hidden[: self._samples], hidden[self._samples :]
        drawn = [
            head.draw(beside[:, p], chances[:, p], sampling, alone[:, p] if self._guided else None)
            for p in range(patch)
        ]
        return np.stack(drawn, axis=1)


def earlier(rows: FloatArray, frames: int) -> FloatArray:
    """(T, C) as many frames earlier; NaN at the end."""
    if not frames:
        return rows
    fill = np.full((min(frames, len(rows)), rows.shape[1]), np.nan, rows.dtype)
    return np.concatenate([rows[frames:], fill])


def _embedded_tokenizer(pair: object, threads: int) -> FaceTokenizer:
    """The package's tokenizer of that training; else the general tokenizer."""
    if networks.manifest().keys() >= set(LISTENER_TOKENIZER):
        own = FaceTokenizer.default(threads, LISTENER_TOKENIZER)
        if own.pair == pair:
            return own
    return FaceTokenizer.default(threads)
