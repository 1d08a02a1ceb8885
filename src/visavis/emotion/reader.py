"""A face crop and a FaceState in, an Emotion out: the emotion stage of one stream."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np

from visavis.channels import ACTION_UNITS
from visavis.emotion.action_units import action_units
from visavis.emotion.circumplex import valence_arousal
from visavis.emotion.opening import DEFAULT, open_classifier
from visavis.emotion.smoothing import LabelHold, ProbabilitySmoother
from visavis.emotion.sparse import Keeping, SparseClassifier
from visavis.types import BoolArray, Emotion, FaceState, FloatArray, ImageArray

# How FER-2013 frames a face, against the tracker's region (1.5 times the box of the landmarks, turned with
# the head): median over the 676 of 700 random Training faces in which MediaPipe (0.10.32) finds landmarks.
# Side of the cell over side of the region: quartiles 0.69, 0.74, 0.79. Centre of the cell from that of the
# region, in sides of the region: across -0.03, 0.00, 0.02; down -0.05, -0.04, -0.01 (the cell sits higher).
# FER-2013's cells are not turned with the head, ours are: its faces' roll has quartiles -0.10 and 0.06 rad.
CROP_SCALE = 0.74
CROP_DOWN = -0.037


class Classifier(Protocol):
    """What the reader needs of a network."""

    def predict(self, crops: ImageArray) -> FloatArray:
        """(N, H, H[, 3]) uint8 -> (N, 8) probabilities of EXPRESSIONS."""


class EmotionReader:
    """Reads one person's emotion through a stream of frames.

    Args:
        classifier: gives the 8 expressions of a crop.
        smoother: steadies the probabilities; its default has a time constant of 0.3 s.
        hold: keeps the label from flickering.
    """

    def __init__(
        self,
        classifier: Classifier,
        smoother: ProbabilitySmoother | None = None,
        hold: LabelHold | None = None,
    ) -> None:
        self._classifier = classifier
        self._smoother = smoother or ProbabilitySmoother()
        self._hold = hold or LabelHold()
        self._kept: BoolArray | None = None

    @classmethod
    def default(cls, recognizer: str = DEFAULT, keep: Keeping | None = None) -> Self:
        """With an embedded network; see :func:`~visavis.emotion.opening.open_classifier`."""
        return cls(open_classifier(recognizer, keep))

    @property
    def label(self) -> str | None:
        """The expression to show, with hysteresis; None before the first reading."""
        return self._hold.label

    @property
    def drops_tokens(self) -> bool:
        """Whether the network drops tokens of the crop."""
        return isinstance(self._classifier, SparseClassifier)

    @property
    def kept(self) -> BoolArray | None:
        """(G, G) which tokens of the stream's last crop were kept, row by row.

        None before the first reading, and where the network drops none.
        """
        return self._kept

    def read(self, crop_rgb: ImageArray, state: FaceState | None, time_s: float) -> Emotion:
        """Read the stream's next frame.

        Args:
            crop_rgb: (H, H, 3) or (H, H) uint8, framed by :data:`CROP_SCALE` and :data:`CROP_DOWN`.
            state: the face's state; None leaves the action units at 0.
            time_s: the frame's time.

        Raises:
            InputError: the crop is not square uint8.
        """
        now = self._classifier.predict(crop_rgb[None])[0]
        if isinstance(self._classifier, SparseClassifier) and self._classifier.kept is not None:
            self._kept = self._classifier.kept[0]
        smooth = self._smoother.update(now, time_s)
        self._hold.update(smooth, time_s)
        return emotion(smooth, state)

    def read_still(self, crop_rgb: ImageArray, state: FaceState | None = None) -> Emotion:
        """Read one picture on its own: no smoothing, and the stream's state stays as it is."""
        return emotion(self._classifier.predict(crop_rgb[None])[0], state)

    def reset(self) -> None:
        """Forget the stream, as before its first frame."""
        self._smoother.reset()
        self._hold.reset()
        self._kept = None


def emotion(probabilities: FloatArray, state: FaceState | None) -> Emotion:
    """Join the expressions (8,), what the circumplex makes of them, and the action units of the face."""
    units = np.zeros(len(ACTION_UNITS), np.float32) if state is None else action_units(state.weights)
    return Emotion(np.concatenate([units, valence_arousal(probabilities), probabilities]).astype(np.float32))
