"""Errors of a face network on a pack's faces, relative to their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from visavis.types import FloatArray
from visavis_train.face.data.faces import FaceDataset, FacePack
from visavis_train.face.network import EYE_CORNERS, FaceNet, rotation_matrix
from visavis_train.face.parts import TEACHER_WEIGHTS


class Answers(NamedTuple):
    """The network's answers for some faces of a pack, and their labels."""

    landmarks: FloatArray
    weights: FloatArray
    truth: FloatArray
    rotation: FloatArray
    score: FloatArray


@torch.no_grad()
def read_rows(net: FaceNet, pack: FacePack, rows: NDArray[Any]) -> Answers:
    """Read the exact crops of some rows."""
    net.eval()
    data, outs = FaceDataset(pack, rows, None), []
    for start in range(0, len(rows), 64):
        images = torch.stack([data[i]["image"] for i in range(start, min(start + 64, len(rows)))])
        out = net(images.to(net.mean_shape.device).permute(0, 3, 1, 2).float() / 255)
        probabilities = (torch.sigmoid(each) for each in (out.weights, out.truth, out.score))
        weights, truth, score = probabilities
        outs.append((out.landmarks, weights, truth, rotation_matrix(out.rotation), score))
    net.train()
    return Answers(*(torch.cat(column).cpu().numpy() for column in zip(*outs, strict=True)))


def label_agreement(net: FaceNet, pack: FacePack, rows: NDArray[Any]) -> dict[str, float | None]:
    """Agreement with the labels of some faces.

    ``r`` is the mean Pearson correlation over the weights that move there (standard deviation > 0.03), of the
    teacher's head; ``true_r`` the same of the truth head; ``landmark`` the mean error as a share of the
    distance between the outer eye corners; ``yaw_deg`` and ``pitch_deg`` mean errors. None if nothing moves.
    """
    found, wanted = read_rows(net, pack, rows), pack.weights[rows]
    moving = np.flatnonzero(wanted.std(axis=0) > 0.03)
    error = np.abs(angles(found.rotation) - angles(pack.rotation[rows])).mean(axis=0)
    points = pack.landmarks[rows][..., :2]
    apart = np.linalg.norm(points[:, EYE_CORNERS[0]] - points[:, EYE_CORNERS[1]], axis=1)
    off = np.linalg.norm(found.landmarks[..., :2] - points, axis=2).mean(axis=1)
    result = {
        "r": channel_correlations(found.weights, wanted)[moving[moving < TEACHER_WEIGHTS]],
        "true_r": channel_correlations(found.truth, wanted)[moving],
        "landmark": off / apart,
        "yaw_deg": error[0],
        "pitch_deg": error[1],
        "score": found.score,
    }
    return {
        name: round(float(np.mean(value)), 4) if np.size(value) else None for name, value in result.items()
    }


def channel_correlations(found: FloatArray, wanted: FloatArray) -> FloatArray:
    """(C,) Pearson's r of each of the first C channels of (N, C) and (N, 52); 0 if one does not move."""
    a = found - found.mean(axis=0)
    b = wanted[:, : found.shape[1]] - wanted[:, : found.shape[1]].mean(axis=0)
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    r = np.divide((a * b).sum(axis=0), size, np.zeros_like(size), where=size > 1e-9)
    return np.asarray(r, np.float32)


def angles(rotation: FloatArray) -> FloatArray:
    """Yaw and pitch (N, 2) in degrees of rotations (N, 3, 3)."""
    forward = rotation[:, :, 2]
    yaw = np.arctan2(forward[:, 0], forward[:, 2])
    pitch = np.arcsin(np.clip(forward[:, 1], -1, 1))
    return np.asarray(np.degrees(np.stack([yaw, pitch], axis=1)), np.float32)


@dataclass(frozen=True, slots=True)
class Blend:
    """The mixture of the two heads for each weight.

    Attributes:
        share: (52,) share of the truth head in the logit, 0..1; -1 if neither head can read the channel.
        offset: (52,) added to the logit.
        reliability: (52,) 0..1, correlation of the mixture with the labels: the teacher's answers within
            clips for channels that the teacher can read, true weights of rendered faces for other channels.
    """

    share: FloatArray
    offset: FloatArray
    reliability: FloatArray


# Tried shares of the truth head, and offsets, ascending: the heads read rare movements too small, or see some
# where none is.
SHARES = tuple(step / 10 for step in range(11))
OFFSETS = (-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)
# For channels that the teacher reads, relative to the correlation with the teacher: the correlation with the
# truth, the rise from 0 to 1 of the true weight (up to ENOUGH_RISE), and the mean error beside the teacher.
TRUTH_COUNTS, RISE_COUNTS, ERROR_COUNTS = 0.2, 0.7, 4.0
ENOUGH_RISE = 0.3
# A channel moves in a clip if its standard deviation is at least this.
MOVES = 0.03
# For a channel that the teacher cannot read: smallest correlation of the truth head with the truth; and what
# 99% of the stills, and of each clip, stay below: few people puff their cheeks or show their tongue there.
LEAST_R, USUAL = 0.3, 0.15


def choose_blend(real: Sequence[tuple[Answers, FloatArray]], true: tuple[Answers, FloatArray]) -> Blend:
    """Choose the mixture of the heads for each weight, on faces that are in no report.

    For channels that the teacher reads, the mixture agrees with the teacher within each clip, follows the
    truth, and rises with it. The two heads have different errors, so a mean of them is usually better. For
    other channels, only the truth head counts, with the largest offset that keeps them low on usual faces.

    Args:
        real: for each clip, and for the stills, the network's answers and the teacher's weights (N, 52).
        true: its answers for rendered faces, and their true weights (M, 52).
    """
    moves = np.stack([wanted.std(axis=0) > MOVES for _, wanted in real])
    seen = moves.any(axis=0)
    tried = [(share, offset) for share in SHARES for offset in OFFSETS]
    on_real, on_true, gains = [], [], []
    for mixture in tried:
        mixed = [(blended(found, *mixture), known) for found, known in real]
        r = np.stack([channel_correlations(*pair) for pair in mixed])
        on_real.append((r * moves).sum(axis=0) / moves.sum(axis=0).clip(1))
        error = np.mean([np.abs(found - known).mean(axis=0) for found, known in mixed], axis=0)
        found = blended(true[0], *mixture)
        on_true.append(channel_correlations(found, true[1]))
        rises = on_true[-1] * found.std(axis=0) / true[1].std(axis=0).clip(1e-6)
        gains.append(RISE_COUNTS * np.minimum(rises, ENOUGH_RISE) - ERROR_COUNTS * error)
    best = (np.stack(on_real) + TRUTH_COUNTS * np.stack(on_true) + np.stack(gains)).argmax(axis=0)
    alone = on_true[tried.index((1.0, 0.0))]
    agreed = np.take_along_axis(np.stack(on_real), best[None], axis=0)[0]
    share, offset = np.asarray(tried, np.float32)[best].T
    share = np.where(seen, share, np.where(alone >= LEAST_R, 1, -1))
    usual = [[np.quantile(blended(found, 1.0, each), 0.99, axis=0) for found, _ in real] for each in OFFSETS]
    low = (np.max(usual, axis=1) <= USUAL).sum(axis=0)
    offset = np.where(seen, offset, np.asarray(OFFSETS)[np.maximum(low - 1, 0)]) * (share >= 0)
    reliability = np.where(seen, agreed, np.where(share > 0, alone, 0))
    return Blend(
        share.astype(np.float32),
        offset.astype(np.float32),
        np.clip(reliability, 0, 1).astype(np.float32),
    )


def blended(found: Answers, share: float, offset: float = 0.0) -> FloatArray:
    """Weights (N, 52): a share of the truth head's logit, the rest of the teacher's, and an offset."""
    teacher, truth = (np.log(p / (1 - p)) for p in (_inside(found.weights), _inside(found.truth)))
    teacher = np.pad(teacher, ((0, 0), (0, 1)))
    return np.asarray(1 / (1 + np.exp(-(teacher + share * (truth - teacher) + offset))), np.float32)


def _inside(probability: FloatArray) -> FloatArray:
    return np.clip(probability, 1e-6, 1 - 1e-6)
