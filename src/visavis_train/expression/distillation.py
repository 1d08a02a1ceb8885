"""Distillation: the answers of trained networks, and the loss against these answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from visavis.base.networks import open_file
from visavis.datasets.fer2013 import SIDE_PX
from visavis.errors import InputError
from visavis.expression.classifier import ExpressionClassifier

# (B, 1, F, F) uint8 -> probabilities (B, 8) of EXPRESSIONS and (B, 7) of FER2013_LABELS.
Teacher: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor]]
BATCH = 256


def distillation_loss(logits: Tensor, answer: Tensor, temperature: float) -> Tensor:
    """Divergence KL(teacher || network) at a temperature, times its square, mean over faces.

    It is zero if the network gives the teacher's answer (Hinton et al. 2015, arXiv:1503.02531, section 2,
    without the teacher's entropy, a constant).

    Args:
        logits: (N, classes) of the network.
        answer: (N, classes) probabilities of the teacher at that temperature, see :func:`soften`.
        temperature: divides the logits.
    """
    found = functional.log_softmax(logits / temperature, dim=1)
    return functional.kl_div(found, answer, reduction="batchmean") * temperature**2


def soften(probabilities: Tensor, temperature: float) -> Tensor:
    """Softmax probabilities (N, classes) as if their logits had been divided by ``temperature``."""
    return torch.softmax(probabilities.clamp_min(1e-12).log() / temperature, dim=1)


def ask(teachers: Sequence[Teacher], images: Tensor, advance: Callable[[], None]) -> tuple[Tensor, Tensor]:
    """Mean probabilities (N, 8) and (N, 7) of all teachers.

    Args:
        teachers: one or more teachers.
        images: (N, 1, F, F) uint8; each is also read mirrored.
        advance: called after every ``BATCH`` faces.
    """
    columns: tuple[list[Tensor], list[Tensor]] = ([], [])
    for faces in torch.split(images, BATCH):
        answers = [teacher(seen) for teacher in teachers for seen in (faces, faces.flip(3))]
        for column, answer in zip(columns, zip(*answers, strict=True), strict=True):
            column.append(torch.stack(answer).mean(dim=0))
        advance()
    return torch.cat(columns[0]), torch.cat(columns[1])


def onnx_teacher(path: Path, threads: int, face_px: int = SIDE_PX) -> Teacher:
    """An expression network from a file, as the runtime opens it.

    Raises:
        InputError: the file is missing, or its faces have another side.
        WeightsError: it is not an ONNX file of an expression network.
    """
    session = open_file(path, threads)
    if (side := ExpressionClassifier(session).side_px) != face_px:
        raise InputError(f"{path}: a teacher takes faces of {face_px} px here; this one takes {side} px")

    def answer(images: Tensor) -> tuple[Tensor, Tensor]:
        found: list[np.ndarray] = session.run(["expressions", "labels"], {"images": images.numpy()})
        return torch.from_numpy(found[0]), torch.from_numpy(found[1])

    return answer
