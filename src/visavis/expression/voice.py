"""Expressions from a voice, and from face and voice together."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from textwrap import shorten
from typing import Protocol

import numpy as np
import onnxruntime as ort

from visavis.base import networks
from visavis.channels import EXPRESSIONS
from visavis.errors import WeightsError
from visavis.expression.classifier import output_names
from visavis.expression.reader import expression_from
from visavis.expression.smoothing import LabelHold
from visavis.types import AudioChunk, Face, FloatArray

NAME = "voice"
# RAVDESS's actors never show contempt, so a voice says nothing about it.
VOICE_LABELS: tuple[str, ...] = tuple(name for name in EXPRESSIONS if name != "contempt")
_COLUMNS = [EXPRESSIONS.index(name) for name in VOICE_LABELS]
# Exponent of the voice's evidence, chosen on validation actors by visavis evaluate voices --faces: 1.2, 1.15
# and 1.15 with three seeds of the pairs.
WEIGHT = 1.15
ROWS_PER_S = 25
# The network hears this much of the past, and reads it anew in these steps.
WINDOW_S, STEP_S = 3.0, 0.2
# So much of the window must be voice: rows whose speech probability is above SPOKEN.
LEAST_VOICE_S, SPOKEN = 0.6, 0.5
# After the voice ends, its evidence fades to nothing in this time.
FADE_S = 1.0
# Sound that was gone for longer starts a new stream; a shorter hole is silence.
LONGEST_SILENCE_S = 10.0


class SpeechRows(Protocol):
    """A stream of sound as rows of speech features."""

    def push(self, chunk: AudioChunk) -> FloatArray:
        """Take the next sound; returns the completed rows (n, 44), the speech probability last."""


class VoiceClassifier:
    """Reads expressions from rows of speech features.

    Args:
        session: a network with the input ``rows`` (N, T, 44) and the output ``labels`` (N, 7), probabilities
            that assume that each label is as frequent as the others; None opens the embedded one.

    Raises:
        WeightsError: the network is missing, was changed, or is of another kind.
    """

    def __init__(self, session: ort.InferenceSession | None = None) -> None:
        self._session = networks.open_session(NAME) if session is None else session
        found, labels = output_names(self._session), networks.metadata(self._session).get("labels")
        if found != ("rows", "labels") or labels != list(VOICE_LABELS):
            raise WeightsError(
                f"the voice network has {shorten(', '.join(found), 80)} for {labels}; expected rows, labels "
                "for visavis' own labels"
            )

    def predict(self, rows: FloatArray) -> FloatArray:
        """Probabilities (7,) of :data:`VOICE_LABELS` from sound (T, 44), T at least 1."""
        answer: FloatArray = self._session.run(["labels"], {"rows": rows[None]})[0][0]
        return answer


def fuse(face: FloatArray, voice: FloatArray, weight: float = WEIGHT) -> FloatArray:
    """Both witnesses together: the face's probabilities times the voice's likelihood ratio to a power.

    If face and voice are independent given the expression, the probabilities of both are proportional to
    p(face) p(voice) / prior; the prior of the voice is uniform. A weight below 1 allows for witnesses that
    depend on each other. The voice's ratio for contempt is 1.

    Args:
        face: (..., 8) probabilities of EXPRESSIONS.
        voice: (..., 7) probabilities of VOICE_LABELS.
        weight: the power; 0 leaves the face as it is.
    """
    ratio = np.ones((*voice.shape[:-1], len(EXPRESSIONS)))
    ratio[..., _COLUMNS] = np.maximum(voice, 1e-6) * len(VOICE_LABELS)
    both = face * ratio**weight
    return np.asarray(both / both.sum(axis=-1, keepdims=True), np.float32)


class VoiceReader:
    """Listens to the person of one stream, and lets the voice witness what the face shows.

    Args:
        start: makes a stream of speech features that begins at this time.
        classifier: None opens the embedded network.
        weight: see :func:`fuse`.
    """

    def __init__(
        self,
        start: Callable[[float], SpeechRows],
        classifier: VoiceClassifier | None = None,
        weight: float = WEIGHT,
    ) -> None:
        self._start, self._weight = start, weight
        self._classifier = classifier or VoiceClassifier()
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._stream: SpeechRows | None = None
        self._rows: deque[FloatArray] = deque(maxlen=round(WINDOW_S * ROWS_PER_S))
        self._start_s = self._sound_end_s = 0.0
        self._count = self._since = 0
        self._spoken_s = -math.inf  # When the last row with voice ended.
        self._said: FloatArray | None = None
        self._hold = LabelHold()

    def hear(self, chunk: AudioChunk) -> None:
        """Take the next sound.

        Raises:
            InputError: the rate is outside 8 to 192 kHz.
        """
        if self._stream is None or chunk.time_s - self._sound_end_s > LONGEST_SILENCE_S:
            self.reset()
            self._start_s = math.floor(chunk.time_s * ROWS_PER_S) / ROWS_PER_S
            self._stream = self._start(self._start_s)
        for row in self._stream.push(chunk):
            self._take(row)
        self._sound_end_s = max(self._sound_end_s, chunk.time_s + len(chunk.samples) / chunk.sample_rate_hz)

    def _take(self, row: FloatArray) -> None:
        self._rows.append(row)
        self._count += 1
        self._since += 1
        if row[-1] <= SPOKEN:
            return
        self._spoken_s = self._start_s + self._count / ROWS_PER_S
        if self._since < STEP_S * ROWS_PER_S:
            return
        self._since = 0
        heard = np.stack(self._rows)
        self._said = self._classifier.predict(heard) if enough_voice(heard) else None

    def witness(self, faces: Sequence[Face], time_s: float) -> tuple[Face, ...]:
        """The faces, of which the only one also shows what the voice says.

        Nothing changes without a voice, or with several faces, since nobody knows who speaks.

        Args:
            faces: all faces of the frame.
            time_s: time of the frame.
        """
        left = min(max(1 - (time_s - self._spoken_s) / FADE_S, 0.0), 1.0)
        seen = faces[0].expression if len(faces) == 1 else None
        if self._said is None or not left or seen is None:
            self._hold.reset()
            return tuple(faces)
        both = fuse(seen.probabilities, self._said, left * self._weight)
        label = self._hold.update(both, time_s)
        shown = expression_from(both, None if faces[0].cropped else faces[0].state)
        return (replace(faces[0], expression=shown, label=label),)


def enough_voice(rows: FloatArray) -> bool:
    """Whether enough of the rows (T, 44) are voice."""
    return bool(np.count_nonzero(rows[:, -1] > SPOKEN) >= LEAST_VOICE_S * ROWS_PER_S)
