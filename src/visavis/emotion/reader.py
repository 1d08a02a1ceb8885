"""The emotion stage: it reads what the faces of one stream of frames show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

import numpy as np

from visavis.channels import ACTION_UNITS
from visavis.emotion.action_units import action_units
from visavis.emotion.circumplex import valence_arousal
from visavis.emotion.opening import DEFAULT, open_classifier
from visavis.emotion.smoothing import LabelHold, ProbabilitySmoother
from visavis.emotion.sparse import Keeping, SparseClassifier
from visavis.types import BoolArray, Emotion, Face, FaceState, FloatArray, ImageArray

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


class Classifier(Protocol):
    """The interface of networks that the reader can use."""

    def predict(self, crops: ImageArray) -> FloatArray:
        """(N, H, H[, 3]) uint8 -> (N, 8) probabilities of EXPRESSIONS."""


@dataclass(slots=True)
class _Person:
    """The state of one person in a stream."""

    last_s: float
    smoother: ProbabilitySmoother = field(default_factory=ProbabilitySmoother)
    hold: LabelHold = field(default_factory=LabelHold)


class EmotionReader:
    """Reads the emotions of faces in one stream; each person has separate smoothing and a separate label.

    Args:
        classifier: gives the probabilities of the 8 expressions.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._people: dict[int, _Person] = {}

    @classmethod
    def default(cls, recognizer: str = DEFAULT, keep: Keeping | None = None) -> Self:
        """A reader with an embedded network; see :func:`~visavis.emotion.opening.open_classifier`."""
        return cls(open_classifier(recognizer, keep))

    @property
    def drops_tokens(self) -> bool:
        """Whether the network drops tokens of the crop."""
        return isinstance(self._classifier, SparseClassifier)

    def read(self, crops_rgb: ImageArray, faces: Sequence[Face], time_s: float) -> tuple[Face, ...]:
        """The faces of the stream's next frame with their emotions and labels.

        Args:
            crops_rgb: (N, H, H, 3) or (N, H, H) uint8, framed by :data:`CROP_SCALE` and :data:`CROP_DOWN`.
            faces: the N faces in the same order.
            time_s: time of the frame.

        Raises:
            InputError: the crops are not square uint8.
        """
        self._forget(time_s - FORGOTTEN_S)
        read = []
        for face, now, kept in zip(faces, *self._predict(crops_rgb), strict=True):
            person = self._people.setdefault(face.track_id, _Person(time_s))
            person.last_s = time_s
            smooth = person.smoother.update(now, time_s)
            person.hold.update(smooth, time_s)
            shown = emotion(smooth, face.state)
            read.append(replace(face, emotion=shown, label=person.hold.label, kept=kept))
        return tuple(read)

    def read_still(self, crop_rgb: ImageArray, face: Face) -> Face:
        """The face of one picture with its emotion, without smoothing; it does not affect the stream.

        Args:
            crop_rgb: (H, H, 3) or (H, H) uint8, framed as in :meth:`read`.
            face: the face in the crop.
        """
        (now,), (kept,) = self._predict(crop_rgb[None])
        shown = emotion(now, None if face.cropped else face.state)
        return replace(face, emotion=shown, label=shown.label, kept=kept)

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


def emotion(probabilities: FloatArray, state: FaceState | None) -> Emotion:
    """Combine the expressions (8,), their valence and arousal, and the face's action units."""
    units = np.zeros(len(ACTION_UNITS), np.float32) if state is None else action_units(state.weights)
    return Emotion(np.concatenate([units, valence_arousal(probabilities), probabilities]).astype(np.float32))
