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
from visavis_train.face.parts import TEACHER_WEIGHTS, fused


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
        share: (52,) share of the truth head in the logit where the heads agree, 0..1; -1 if neither head can
            read the channel.
        doubt: (52,) see :func:`~visavis_train.face.parts.fused`.
        offset: (52,) added to the logit.
        reliability: (52,) 0..1, correlation of the mixture with the labels: the teacher's answers within
            clips for channels that the teacher can read, true weights of rendered faces for other channels.
    """

    share: FloatArray
    doubt: FloatArray
    offset: FloatArray
    reliability: FloatArray


# Tried shares of the truth head, doubts, and offsets, ascending: heads read rare movements too small, or see
# some where none is.
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
DOUBTS = (1.0, 1.5, 2.0, 3.0, 4.5, 7.0)
OFFSETS = (-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)
# For channels that the teacher reads, relative to the correlation with the teacher: the correlation with the
# truth, the rise from 0 to 1 of the true weight (up to ENOUGH_RISE), and the mean error beside the teacher.
TRUTH_COUNTS, RISE_COUNTS, ERROR_COUNTS = 1.5, 0.7, 4.0
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
    tried = [(share, doubt, offset) for share in SHARES for doubt in DOUBTS for offset in OFFSETS]
    heads, true_heads = [_logits(found) for found, _ in real], _logits(true[0])
    on_real, on_true, gains = [], [], []
    for mixture in tried:
        mixed = [(_weights(*each, *mixture), known) for each, (_, known) in zip(heads, real, strict=True)]
        r = np.stack([channel_correlations(*pair) for pair in mixed])
        on_real.append((r * moves).sum(axis=0) / moves.sum(axis=0).clip(1))
        error = np.mean([np.abs(found - known).mean(axis=0) for found, known in mixed], axis=0)
        found = _weights(*true_heads, *mixture)
        on_true.append(channel_correlations(found, true[1]))
        rises = on_true[-1] * found.std(axis=0) / true[1].std(axis=0).clip(1e-6)
        gains.append(RISE_COUNTS * np.minimum(rises, ENOUGH_RISE) - ERROR_COUNTS * error)
    best = (np.stack(on_real) + TRUTH_COUNTS * np.stack(on_true) + np.stack(gains)).argmax(axis=0)
    alone = channel_correlations(true[0].truth, true[1])
    agreed = np.take_along_axis(np.stack(on_real), best[None], axis=0)[0]
    share, doubt, offset = np.asarray(tried, np.float32)[best].T
    share = np.where(seen, share, np.where(alone >= LEAST_R, 1, -1))
    usual = [[np.quantile(_weights(*each, 1, 1, by), 0.99, axis=0) for each in heads] for by in OFFSETS]
    low = (np.max(usual, axis=1) <= USUAL).sum(axis=0)
    offset = np.where(seen, offset, np.asarray(OFFSETS)[np.maximum(low - 1, 0)]) * (share >= 0)
    reliability = np.where(seen, agreed, np.where(share > 0, alone, 0))
    return Blend(
        share.astype(np.float32),
        doubt.astype(np.float32),
        offset.astype(np.float32),
        np.clip(reliability, 0, 1).astype(np.float32),
    )


def blended(found: Answers, share: float, doubt: float, offset: float = 0.0) -> FloatArray:
    """Weights (N, 52) of the two heads' answers; see :class:`Blend`."""
    return _weights(*_logits(found), share, doubt, offset)


def _logits(found: Answers) -> tuple[FloatArray, FloatArray]:
    """Logits (N, 52) of the teacher's head and of the truth head."""
    inside = (np.clip(each, 1e-6, 1 - 1e-6) for each in (found.weights, found.truth))
    teacher, truth = (np.log(each / (1 - each)) for each in inside)
    return np.pad(teacher, ((0, 0), (0, 1))), truth


def _weights(teacher: FloatArray, truth: FloatArray, share: float, doubt: float, offset: float) -> FloatArray:
    logits = fused(teacher, truth, np.full(1, share, np.float32), np.full(1, doubt, np.float32))
    return np.asarray(1 / (1 + np.exp(-logits - offset)), np.float32)
