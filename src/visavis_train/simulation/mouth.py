"""A mouth that follows the loudness of a voice, put together from real takes of talking mouths.

The rule: a louder voice opens the mouth wider. The loudness of the frames with speech is turned by rank into
the openings that the takes show. Real frames are then strung together: their opening is near the wanted one
(target cost), and they follow each other in the take or look nearly as if (join cost). Dynamic programming
finds the cheapest string, as in unit selection (Hunt and Black 1996, ICASSP, "Unit selection in a
concatenative speech synthesis system"). The weakness: lips do not know the sounds. The mouth closes at an "m"
only where the voice also falls, and its roundings come from other words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from visavis.channels import FACE_INDEX
from visavis.types import BoolArray, FloatArray
from visavis_train.simulation.real_faces import MOUTH_AT, Take

# Most frames to choose from; the cost of the choice grows with their square.
MOST_FRAMES = 240
# A join costs as much as an equally large error of the opening.
JOIN = 0.6
CLOSED_SHARE = 0.3
# The mouths of some takes open little, because of the talker or our tracker. Their shapes are enlarged until
# the widest twentieth has this opening (GRID's: 0.35), at most by a factor of 2. Our choice.
WIDE, MOST_GAIN = 0.35, 2.0
SMOOTH = np.asarray([0.25, 0.5, 0.25], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Mouths:
    """Frames to choose from.

    Attributes:
        names: names of the takes.
        shape: (N, M) mouth and jaw weights, minus those of the take's closed mouth.
        opening: (N,) opening of the mouth.
        first: (N,) whether a frame is the first of a take.
    """

    names: tuple[str, ...]
    shape: FloatArray
    opening: FloatArray
    first: BoolArray

    @classmethod
    def of(cls, takes: Sequence[Take], rng: np.random.Generator) -> Self:
        """Frames of takes in random order, up to :data:`MOST_FRAMES`."""
        names: list[str] = []
        shapes: list[FloatArray] = []
        openings: list[FloatArray] = []
        first: list[bool] = []
        for number in rng.permutation(len(takes)).tolist():
            chosen = takes[number].face[: MOST_FRAMES - len(first)]
            if len(chosen) < 2:
                break
            wide = opening(chosen)
            closed = wide <= np.quantile(wide, CLOSED_SHARE)
            names.append(takes[number].name)
            shapes.append(chosen[:, MOUTH_AT] - np.median(chosen[closed][:, MOUTH_AT], axis=0))
            openings.append(wide - np.median(wide[closed]))
            gain = np.clip(WIDE / max(float(np.quantile(openings[-1], 0.95)), 1e-3), 1, MOST_GAIN)
            shapes[-1], openings[-1] = gain * shapes[-1], gain * openings[-1]
            first += [True] + [False] * (len(chosen) - 1)
        return cls(
            tuple(names),
            np.concatenate(shapes).astype(np.float32),
            np.concatenate(openings).astype(np.float32),
            np.asarray(first),
        )


def opening(face: FloatArray) -> FloatArray:
    """(T,) opening of the lips: FACS's unit 25, as in ``visavis.expression.action_units``."""
    at = FACE_INDEX
    lips = ("mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight")
    parted = face[:, [at[name] for name in lips]].sum(axis=1) / 2
    return np.asarray(face[:, at["jawOpen"]] - face[:, at["mouthClose"]] + parted, np.float32)


def wanted_opening(energy: FloatArray, speech: BoolArray, mouths: Mouths) -> FloatArray:
    """(T,) openings by rank: the loudest frame with speech gets the widest opening, and silence gets 0."""
    target = np.zeros(len(energy), np.float32)
    if speech.any():
        ranks = energy[speech].argsort(kind="stable").argsort(kind="stable")
        shares = CLOSED_SHARE / 2 + (1 - CLOSED_SHARE / 2) * ranks / max(len(ranks) - 1, 1)
        target[speech] = np.quantile(mouths.opening, shares).clip(0)
    return np.convolve(np.pad(target, 1, "edge"), SMOOTH, "valid")


def string_together(target: FloatArray, mouths: Mouths) -> FloatArray:
    """(T, 58) the change that talking with openings (T,) makes to a closed mouth; only mouth and jaw move."""
    scale = max(float(mouths.opening.std()), 1e-3)
    after = np.roll(mouths.shape, -1, axis=0)
    # Join cost: the next frame of the take against every other frame; the last frame has no next one.
    distance = np.square(after).sum(1)[:, None] + np.square(mouths.shape).sum(1) - 2 * after @ mouths.shape.T
    join = JOIN * np.maximum(distance, 0) / scale**2
    ends = np.flatnonzero(np.roll(mouths.first, -1))
    join[ends] = join[ends] + JOIN
    cost = np.square((mouths.opening - target[0]) / scale)
    back = np.empty((len(target), len(cost)), np.int32)
    columns = np.arange(len(cost))
    for frame in range(1, len(target)):
        total = cost[:, None] + join
        back[frame] = total.argmin(axis=0)
        cost = total[back[frame], columns] + np.square((mouths.opening - target[frame]) / scale)
    path = np.empty(len(target), np.intp)
    path[-1] = int(cost.argmin())
    for frame in range(len(target) - 1, 0, -1):
        path[frame - 1] = back[frame, path[frame]]
    result = np.zeros((len(target), 58), np.float32)
    padded = np.pad(mouths.shape[path], ((1, 1), (0, 0)), "edge")
    result[:, MOUTH_AT] = SMOOTH[0] * padded[:-2] + SMOOTH[1] * padded[1:-1] + SMOOTH[2] * padded[2:]
    return result
