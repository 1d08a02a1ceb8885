"""The expression stage: it reads what the faces of one stream of frames show."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

import numpy as np

from visavis.channels import ACTION_UNITS, BLENDSHAPES
from visavis.expression.action_units import action_units
from visavis.expression.circumplex import valence_arousal
from visavis.expression.registry import DEFAULT, open_classifier
from visavis.expression.smoothing import LabelHold, ProbabilitySmoother
from visavis.expression.sparse import SparseClassifier
from visavis.types import BoolArray, Expression, Face, FaceState, FloatArray, ImageArray

# How FER-2013 frames a face, compared with the tracker's region (1.5 times the landmarks' box, turned with
# the head): medians over 676 of 700 random Training faces with landmarks of MediaPipe (0.10.32). Side of the
# cell over side of the region: quartiles 0.69, 0.74, 0.79. Centre of the cell relative
# to the centre of the region, in sides of the region: across -0.03, 0.00, 0.02; down -0.05, -0.04, -0.01 (the
# cell sits higher). FER-2013's cells are not turned with the head, but ours are: its faces' roll has
# quartiles -0.10 and 0.06 rad.
CROP_SCALE = 0.74
CROP_DOWN = -0.037
# The smoothing of a person who was not seen for this long starts again.
FORGOTTEN_S = 2.0
# A face is read once in each span of this length of the stream's time (its probabilities are smoothed over
# 0.3 s), so that when it is read does not depend on when the stream began; and at once when it moves: when a
# blendshape weight, not of blinks or gaze, has changed by this much since the last reading. On 13 clips, 99%
# of the frames have the label that reading every frame gives (experiments/LOG.md).
READ_EVERY_S = 0.1
MOVED = 0.2
# Clocks of files are rounded.
CLOCK_SLACK_S = 1e-3
_MIMIC = np.asarray([not name.startswith(("eyeBlink", "eyeLook")) for name in BLENDSHAPES])


class Classifier(Protocol):
    """The interface of networks that the reader can use."""

    def predict(self, crops: ImageArray) -> FloatArray:
        """(N, H, H[, 3]) uint8 -> (N, 8) probabilities of EXPRESSIONS."""


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """What the network said of one person's face."""

    probabilities: FloatArray
    kept: BoolArray | None
    time_s: float
    weights: FloatArray

    def stands(self, face: Face, time_s: float, spacing: float) -> bool:
        """Whether the face needs no new reading yet."""
        every_s = spacing * READ_EVERY_S
        turns = [math.floor((each_s + CLOCK_SLACK_S) / every_s) for each_s in (self.time_s, time_s)]
        return (
            turns[0] == turns[1]
            and self.time_s <= time_s
            and float(np.abs(face.state.weights - self.weights)[_MIMIC].max()) <= spacing * MOVED
        )


@dataclass(slots=True)
class _Person:
    """The state of one person in a stream."""

    last_s: float
    reading: _Reading | None = None
    smoother: ProbabilitySmoother = field(default_factory=ProbabilitySmoother)
    hold: LabelHold = field(default_factory=LabelHold)


class ExpressionReader:
    """Reads the expressions of faces in one stream; each person has separate smoothing and a separate label.

    Args:
        classifier: gives the probabilities of the 8 expressions.

    Attributes:
        spacing: readings are this many times rarer than usual; at least 1. It may be changed at any time.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self.spacing = 1.0
        self._people: dict[int, _Person] = {}

    @classmethod
    def default(cls, recognizer: str = DEFAULT, keep: float | None = None) -> Self:
        """A reader with an embedded network; see :func:`~visavis.expression.registry.open_classifier`."""
        return cls(open_classifier(recognizer, keep))

    @property
    def drops_tokens(self) -> bool:
        """Whether the network drops tokens of the crop."""
        return isinstance(self._classifier, SparseClassifier)

    def read(
        self, faces: Sequence[Face], crop: Callable[[Face], ImageArray], time_s: float
    ) -> tuple[Face, ...]:
        """The faces of the stream's next frame with their expressions and labels.

        New faces, faces that moved, and those last read :data:`READ_EVERY_S` (times :attr:`spacing`) ago or
        before are read; the others' last reading goes on.

        Args:
            faces: all faces of the frame.
            crop: gives a face's picture (H, H, 3) or (H, H) uint8, framed by :data:`CROP_SCALE` and
                :data:`CROP_DOWN`.
            time_s: time of the frame.

        Raises:
            InputError: the crops are not square uint8.
        """
        self._forget(time_s - FORGOTTEN_S)
        people = [self._people.setdefault(face.track_id, _Person(time_s)) for face in faces]
        due = [
            (person, face)
            for person, face in zip(people, faces, strict=True)
            if person.reading is None or not person.reading.stands(face, time_s, self.spacing)
        ]
        if due:
            answers = self._predict(np.stack([crop(face) for _, face in due]))
            for (person, face), now, kept in zip(due, *answers, strict=True):
                person.reading = _Reading(now, kept, time_s, face.state.weights)
        return tuple(self._shown(person, face, time_s) for person, face in zip(people, faces, strict=True))

    @staticmethod
    def _shown(person: _Person, face: Face, time_s: float) -> Face:
        """The face with its person's last reading, smoothed."""
        if person.reading is None:
            return face
        person.last_s = time_s
        smooth = person.smoother.update(person.reading.probabilities, time_s)
        person.hold.update(smooth, time_s)
        shown = expression_from(smooth, face.state)
        return replace(face, expression=shown, label=person.hold.label, kept=person.reading.kept)

    def read_stills(self, crops_rgb: ImageArray, faces: Sequence[Face]) -> list[Face]:
        """Faces of single pictures with their expressions, without smoothing; the stream is not affected.

        Args:
            crops_rgb: (N, H, H, 3) or (N, H, H) uint8, framed as :meth:`read` needs it.
            faces: the N faces in the same order.
        """
        read = []
        for face, now, kept in zip(faces, *self._predict(crops_rgb), strict=True):
            shown = expression_from(now, None if face.cropped else face.state)
            read.append(replace(face, expression=shown, label=shown.label, kept=kept))
        return read

    def reset(self) -> None:
        """Forget the stream, as before its first frame."""
        self._people.clear()

    def _predict(self, crops_rgb: ImageArray) -> tuple[FloatArray, Sequence[BoolArray | None]]:
        """Probabilities (N, 8), and the kept tokens of each crop."""
        now = self._classifier.predict(crops_rgb)
        kept = self._classifier.kept if isinstance(self._classifier, SparseClassifier) else None
        return now, [None] * len(now) if kept is None else list(kept)

    def _forget(self, before_s: float) -> None:
        for number in [number for number, person in self._people.items() if person.last_s < before_s]:
            del self._people[number]


def expression_from(probabilities: FloatArray, state: FaceState | None) -> Expression:
    """Combine the expressions (8,), their valence and arousal, and the face's action units."""
    units = np.zeros(len(ACTION_UNITS), np.float32) if state is None else action_units(state.weights)
    return Expression(
        np.concatenate([units, valence_arousal(probabilities), probabilities]).astype(np.float32)
    )
