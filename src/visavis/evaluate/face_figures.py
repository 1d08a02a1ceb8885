"""Figures of face reading: weights, landmarks and head angles compared with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from visavis.channels import BLENDSHAPES, HEAD_ANGLES
from visavis.metrics import faces as metrics
from visavis.track import Track
from visavis.types import BoolArray, FloatArray, NumberArray

WEIGHTS = slice(0, len(BLENDSHAPES))
HEAD = slice(len(BLENDSHAPES), len(BLENDSHAPES) + len(HEAD_ANGLES))


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Readings of N faces, ours or the true ones.

    Attributes:
        weights: (N, 52).
        head_rad: (N, 3) yaw, pitch, roll.
        landmarks: (N, P, 2).
        numbers: (P,) the landmarks' point numbers in MediaPipe's face mesh.
    """

    weights: FloatArray
    head_rad: FloatArray
    landmarks: FloatArray
    numbers: NumberArray

    @classmethod
    def of_track(cls, track: Track, frames: BoolArray) -> Self:
        """The readings in some frames of a track; each must have a face."""
        face = track.face[frames]
        return cls(face[:, WEIGHTS], face[:, HEAD], track.landmarks_xy[frames], track.landmark_numbers)

    def points(self, numbers: Sequence[int]) -> FloatArray:
        """Landmarks (N, len(numbers), 2) with these numbers."""
        places = {int(number): place for place, number in enumerate(self.numbers)}
        return self.landmarks[:, [places[number] for number in numbers]]


@dataclass(frozen=True, slots=True, eq=False)
class FaceFigures:
    """Accuracy of face reading; see :mod:`visavis.metrics.faces`.

    Attributes:
        n: number of faces.
        r: (52,) correlation; NaN where the truth does not vary.
        rise: (52,) rise of the weight from rest to full; NaN if the truth does not have both.
        error: (52,) mean absolute error.
        moving: (52,) whether the truth moves.
        landmarks: error as a share of the distance between the outer eye corners, overall and by part.
        head_deg: (3,) mean absolute error of yaw, pitch and roll.
    """

    n: int
    r: NDArray[np.float64]
    rise: NDArray[np.float64]
    error: NDArray[np.float64]
    moving: BoolArray
    landmarks: dict[str, float]
    head_deg: NDArray[np.float64]

    @classmethod
    def of(cls, ours: Readings, truth: Readings) -> Self:
        """Compare readings of at least one face; common landmarks are used.

        Raises:
            InputError: one of them lacks the outer eye corners.
        """
        numbers = sorted(set(ours.numbers.tolist()) & set(truth.numbers.tolist()))
        return cls(
            len(truth.weights),
            metrics.channel_r(ours.weights, truth.weights),
            metrics.rise_at_full(ours.weights, truth.weights),
            np.abs(ours.weights - truth.weights).mean(axis=0, dtype=np.float64),
            truth.weights.std(axis=0) > metrics.MOVING,
            metrics.landmark_errors(ours.points(numbers), truth.points(numbers), np.asarray(numbers)),
            metrics.angle_errors_deg(ours.head_rad, truth.head_rad),
        )

    @property
    def mean_r(self) -> float:
        """Mean correlation over the channels (without gaze) that vary in the truth; NaN if there are none."""
        return _mean(self.r[~metrics.GAZE])

    @property
    def channels(self) -> int:
        """Number of channels in :attr:`mean_r`."""
        return int(np.isfinite(self.r[~metrics.GAZE]).sum())

    @property
    def moving_r(self) -> float:
        """Mean correlation over the channels that move in the truth, with gaze; NaN if there are none."""
        return _mean(self.r[self.moving])

    @property
    def mean_rise(self) -> float:
        """Mean rise over the channels with a rise, without gaze and tongueOut; NaN if there are none."""
        return _mean(self.rise[metrics.RISING])

    @property
    def rising(self) -> int:
        """Number of channels in :attr:`mean_rise`, at most 43."""
        return int(np.isfinite(self.rise[metrics.RISING]).sum())

    @property
    def flat(self) -> int:
        """Number of these channels that rise by less than 0.1."""
        return int((self.rise[metrics.RISING] < metrics.LEAST_RISE).sum())


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan
