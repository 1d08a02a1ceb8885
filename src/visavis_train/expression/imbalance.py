"""The labels' loss, and what it does about labels that are rare."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from visavis.base.words import counted
from visavis.datasets.faces import LabeledFaces

Imbalance: TypeAlias = Literal["none", "sampler", "weights", "focal", "logits"]
FOCUS = 2.0


class LabelLoss:
    """Cross-entropy of one head, in the form that ``training.imbalance`` names.

    Args:
        goals: (N, C) targets of all training faces; a row of zeros is a face without a label. A label that no
            face has counts as frequent, so that no method makes it more probable.
        method: the method.
        power: strength of ``sampler``, ``weights`` and ``logits``.
    """

    def __init__(self, goals: Tensor, method: Imbalance, power: float) -> None:
        self._method = method
        counts = goals.sum(dim=0)
        shares = (counts / counts.sum().clamp_min(1e-9)).clamp_min(1e-4)
        seen = torch.bincount(goals[goals.sum(dim=1) > 0].argmax(dim=1), minlength=len(counts)) > 0
        shares = torch.where(seen, shares, shares.max())
        # Scaled so that the mean over all faces is 1: the learning rate keeps its meaning.
        rare = shares.pow(-power)
        self._weights = rare / (shares * rare).sum()
        self._prior = power * shares.log()

    def face_weights(self, goals: Tensor) -> Tensor:
        """How often each face (N, C) is drawn by the method ``sampler``, in relation to the others."""
        return (goals @ self._weights) + (goals.sum(dim=1) == 0)

    def __call__(self, logits: Tensor, goals: Tensor) -> Tensor:
        """The sum over faces, for logits (B, C) and targets (B, C)."""
        if self._method == "logits":
            logits = logits + self._prior
        losses = -goals * functional.log_softmax(logits, dim=1)
        if self._method == "weights":
            losses = losses * self._weights
        elif self._method == "focal":
            losses = losses * (1 - torch.softmax(logits, dim=1)).pow(FOCUS)
        return losses.sum()


def told(faces: LabeledFaces, method: Imbalance) -> str:
    """What the rarest and the most frequent label are, and the method, in words."""
    counts = sorted((count, name) for name, count in faces.counts.items() if count)
    (least, rare), (most, frequent) = counts[0], counts[-1]
    if least == most:
        return f"each label has {counted(most, 'face')}; training.imbalance is {method!r}"
    return (
        f"the rarest label is {rare} ({counted(least, 'face')}), the most frequent {frequent} "
        f"({counted(most, 'face')}); training.imbalance is {method!r}"
    )
