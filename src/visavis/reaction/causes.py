"""Explanation of a listener's reaction: which moment of the speaker caused which gesture.

The listener repeats its reaction while a stretch of the speaker's face or sound is hidden. If its gesture
becomes less likely, that stretch contributed to the gesture. Nothing is random: the same clip and reaction
give the same figures. They show what the network used, not what a person would use.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from visavis.base.arrays import as_float32
from visavis.channels import FACE_CHANNELS
from visavis.errors import InputError
from visavis.reaction.cues import CuedSpeech
from visavis.reaction.gestures import Gesture, find_gestures
from visavis.reaction.listener import ListenerModel
from visavis.reaction.neutral_face import as_seen
from visavis.reaction.predictor import UNKNOWN, Heard
from visavis.reaction.speech import FRAME_RATE_HZ, SPEECH_CHANNELS
from visavis.reaction.style import Style
from visavis.reaction.tokenizer import Tokens
from visavis.types import FloatArray

FACE, SPEECH, NEITHER = "face", "speech", "neither"
# How much is hidden before a gesture's start, all at once and in blocks.
BEFORE_S, BLOCK_S = 2.0, 0.4
# Only a gesture's way to its peak is scored, and no more than this: the rest follows from its start.
LONGEST_S = 1.0
# Twice as likely.
CAUSE_BITS = 1.0
_BEFORE, _BLOCK, _LONGEST = (round(time_s * FRAME_RATE_HZ) for time_s in (BEFORE_S, BLOCK_S, LONGEST_S))
# Number of positions that one call processes.
_POSITIONS = 64
Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of the speaker, and its contribution to a gesture.

    Attributes:
        start, end: first frame, and one past the last frame.
        face_bits, speech_bits: how much less likely the gesture is if the speaker's face, or sound, is hidden
            here; negative if it is more likely then.
    """

    start: int
    end: int
    face_bits: float
    speech_bits: float


@dataclass(frozen=True, slots=True)
class Explained:
    """A gesture of a listener and its cause.

    Attributes:
        gesture: the explained gesture.
        face_bits, speech_bits: as in :class:`Block`, for all blocks at once.
        together_bits: the same with both face and sound hidden.
        blocks: from 2 s before the gesture's start to its peak, but at most 1 s after the start.
    """

    gesture: Gesture
    face_bits: float
    speech_bits: float
    together_bits: float
    blocks: tuple[Block, ...]

    @property
    def raised_by(self) -> str:
        """The larger of :data:`FACE` and :data:`SPEECH`; :data:`NEITHER` below :data:`CAUSE_BITS`."""
        if max(self.face_bits, self.speech_bits) < CAUSE_BITS:
            return NEITHER
        return FACE if self.face_bits > self.speech_bits else SPEECH

    @property
    def cause(self) -> Block | None:
        """The block in which the cause contributes most; None if the speaker did not cause the gesture."""
        if self.raised_by == NEITHER:
            return None
        return max(self.blocks, key=lambda b: b.face_bits if self.raised_by == FACE else b.speech_bits)


def explain(
    listener: ListenerModel, face: FloatArray, speech: FloatArray, tokens: Tokens, style: Style | None = None
) -> list[Explained]:
    """The causes of all gestures of a listener.

    Args:
        listener: the listener that reacted.
        face: (T, 58) face of the speaker at 25 Hz, rows of NaN where no face is known.
        speech: (T, 44) speech features of the speaker, NaN where not known.
        tokens: (T,) tokens of the listener's reaction.
        style: style of the listener.

    Raises:
        InputError: arrays do not fit each other, or tokens are outside the vocabulary.
    """
    gestures = find_gestures(listener.tokenizer.decode(tokens))
    return explain_gestures(listener, face, speech, tokens, gestures, style)


def explain_gestures(
    listener: ListenerModel,
    face: FloatArray,
    speech: FloatArray,
    tokens: Tokens,
    gestures: Sequence[Gesture],
    style: Style | None = None,
) -> list[Explained]:
    """As :func:`explain`, for known gestures in the order of their starts.

    Raises:
        InputError: as in :func:`explain`; or a gesture is not inside the clip, or not in order.
    """
    again = _Again(listener, face, speech, tokens, style)
    explained = []
    last = 0
    for gesture in gestures:
        if not last <= gesture.start < gesture.peak < len(tokens):
            raise InputError(f"a gesture of frames {gesture.start} to {gesture.peak} is out of order or clip")
        last = gesture.start
        explained.append(_explained(again, gesture))
    return explained


def _explained(again: _Again, gesture: Gesture) -> Explained:
    end = min(gesture.peak, gesture.start + _LONGEST) + 1
    edges = [*(max(edge, 0) for edge in range(gesture.start - _BEFORE, end, _BLOCK)), end]
    stretches = [(a, b) for a, b in pairwise(edges) if a < b]
    whole = (stretches[0][0], end)
    again.go_to(whole[0])
    nothing = (end, end)
    hidden = [(nothing, nothing), (whole, nothing), (nothing, whole), (whole, whole)]
    hidden += [(stretch, nothing) for stretch in stretches]
    hidden += [(nothing, stretch) for stretch in stretches]
    bits = again.bits(hidden, (gesture.start + 1, end))
    face, speech, together, *each = (bits[1:] - bits[0]).tolist()
    count = len(stretches)
    blocks = (
        Block(*stretch, *pair)
        for stretch, pair in zip(stretches, zip(each[:count], each[count:], strict=True), strict=True)
    )
    return Explained(gesture, face, speech, together, tuple(blocks))


class _Again:
    """A listener that repeats its reaction.

    It goes through the clip once. From any position it can look ahead several times with parts of the speaker
    hidden, because by causality its past does not depend on them.
    """

    def __init__(
        self,
        listener: ListenerModel,
        face: FloatArray,
        speech: FloatArray,
        tokens: Tokens,
        style: Style | None,
    ) -> None:
        predictor, length = listener.predictor, len(tokens)
        known = as_float32("faces", face, (length, len(FACE_CHANNELS)), allow_nan=True)
        faces = as_seen(known, listener.tokenizer.rest)  # What the listener knows is not hidden.
        sound = as_float32("speech", speech, (length, len(SPEECH_CHANNELS)), allow_nan=True)
        # A position hears frames up to its own first frame, so the speaker is late by the rest of a patch.
        ahead = ((predictor.patch - 1, 0), (0, 0))
        self._face = np.pad(faces, ahead, constant_values=np.nan)
        self._speech = np.pad(sound, ahead, constant_values=np.nan)
        self._own = np.concatenate([np.full(predictor.patch, UNKNOWN, np.int64), tokens])
        self._controls = np.full(predictor.controls, np.nan, np.float32)
        if style is not None and predictor.controls:
            self._controls[:] = style.values
        self._tokens, self._predictor = tokens, predictor
        self._memory = predictor.memory(1)
        self._speaker, self._sound = listener.tokenizer.stream(), CuedSpeech()
        self._position = 0

    def go_to(self, frame: int) -> None:
        """Advance as far as possible without hearing anything from this frame on."""
        patch = self._predictor.patch
        while (count := min(frame // patch - self._position, _POSITIONS)) > 0:
            rows = slice(self._position * patch, (self._position + count) * patch)
            speaker = self._speaker.encode(self._face[rows])
            sound = self._sound.updated(self._speech[rows])
            self._predictor.predict(self._heard(rows, speaker[None], sound[None]), self._memory)
            self._position += count

    def bits(self, hidden: Sequence[tuple[Stretch, Stretch]], said: Stretch) -> FloatArray:
        """Bits (V,) of the tokens of some frames, for V ways of hiding the speaker's face and sound."""
        patch = self._predictor.patch
        first, last = self._position, -(-said[1] // patch)
        rows = slice(first * patch, last * patch)
        speaker, sound = [], []
        for face_hidden, speech_hidden in hidden:
            speaker.append(self._speaker.fork().encode(self._without(self._face, rows, face_hidden)))
            sound.append(self._sound.fork().updated(self._without(self._speech, rows, speech_hidden)))
        heard = self._heard(rows, np.stack(speaker), np.stack(sound))
        hidden_states = self._predictor.predict(heard, self._memory.copies(len(hidden)))
        of_said = slice(said[0] - rows.start, said[1] - rows.start)
        states = hidden_states.reshape(len(hidden), -1, hidden_states.shape[-1])[:, of_said]
        tokens = np.repeat(self._tokens[None, slice(*said)], len(hidden), axis=0)
        nats = self._predictor.head.nats(states, tokens).sum(axis=1, dtype=np.float64)
        return np.asarray(nats / math.log(2), np.float32)

    def _without(self, values: FloatArray, rows: slice, stretch: Stretch) -> FloatArray:
        """A copy of some rows, with NaN in a stretch of frames."""
        result = values[rows].copy()
        ahead = self._predictor.patch - 1 - rows.start
        result[stretch[0] + ahead : stretch[1] + ahead] = np.nan
        return result

    def _heard(self, rows: slice, speaker: Tokens, sound: FloatArray) -> Heard:
        """The input of V streams: tokens (V, F) and sound (V, F, S) of the frames of these rows."""
        count, patch = len(speaker), self._predictor.patch
        own = self._own[rows].reshape(1, -1, patch)
        shape = (count, own.shape[1], patch)
        return Heard(
            speaker.reshape(shape),
            np.repeat(own, count, axis=0),
            sound[..., : self._predictor.sound_channels].reshape(*shape, -1),
            np.broadcast_to(self._controls, (*shape[:2], len(self._controls))).astype(np.float32),
        )
