"""The two heads of all expression networks: expression logits and label logits.

The heads answer the questions of two data sets: which of 8 expressions ten people see (FER+, Barsoum et al.
2016, arXiv:1608.01041), and which of 7 labels FER-2013 gives (Goodfellow et al. 2013, arXiv:1307.0414). The
two agree on 65% of the faces, so one head cannot serve both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from visavis.channels import EXPRESSIONS
from visavis.datasets.fer2013 import SIDE_PX
from visavis.expression.labels import FER2013_LABELS
from visavis_train.loop.experiment import Settings


class Reading(Settings):
    """How pictures come to a network, and which of its heads answer.

    Attributes:
        face_px: side of the faces in training and at run time; pictures of other sizes are scaled to it, and
            the network scales it to ``model.image_px``.
        pixels: ``standardized``: each face has mean 0 and standard deviation 1; ``unit``: 0 to 1, as in the
            first paper.
        heads: ``both``; or ``labels``: only the head of the 7 labels is trained, and it answers for the 8
            expressions too, without contempt.
    """

    face_px: int = Field(default=SIDE_PX, ge=16, le=512)
    pixels: Literal["standardized", "unit"] = "standardized"
    heads: Literal["both", "labels"] = "both"

    def scale(self, gray: Tensor) -> Tensor:
        """Grey pictures (N, 1, H, W) from 0 to 1 -> what the network reads."""
        return standardize(gray) if self.pixels == "standardized" else gray


class ExpressionNet(nn.Module, ABC):
    """Grey crops (N, 1, S, S) -> logits of 8 expressions (N, 8) and 7 labels (N, 7).

    A subclass defines :meth:`features`, and its constructor ends with :meth:`add_heads`.

    Attributes:
        reading: how the crops are scaled.
    """

    reading = Reading()

    def add_heads(self, width: int, dropout: float) -> None:
        """Add both heads on features of ``width`` channels; training drops a share of the features."""
        self.dropout = nn.Dropout(dropout)
        self.expressions = nn.Linear(width, len(EXPRESSIONS))
        self.labels = nn.Linear(width, len(FER2013_LABELS))

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, width)."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, 8) in the order of EXPRESSIONS and (N, 7) in the order of FER2013_LABELS."""
        return self.answer(self.features(x))

    def answer(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The result of :meth:`features` -> the logits of :meth:`forward`."""
        pooled = self.dropout(features)
        return self.expressions(pooled), self.labels(pooled)

    def penalty(self) -> Tensor | None:
        """A loss () of the network's own, of its last batch in training; None for none. Read it once."""
        return None


def standardize(images: Tensor) -> Tensor:
    """Scale each picture (N, 1, H, W) to mean 0 and standard deviation 1: lamps and cameras differ."""
    centered = images - images.mean(dim=(1, 2, 3), keepdim=True)
    spread = centered.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return centered / (spread + 1e-3)


def grid_positions(width: int, grid: int) -> nn.Parameter:
    """Learned positions (1, width, grid, grid), small at the start."""
    return nn.Parameter(torch.randn(1, width, grid, grid) * 0.02)


def add_positions(maps: Tensor, positions: Tensor) -> Tensor:
    """Maps (N, D, H, W) with positions of any grid, interpolated -> tokens (N, H W, D), row by row."""
    if maps.shape[2] != positions.shape[2]:
        positions = functional.interpolate(positions, size=maps.shape[2:], mode="bilinear")
    return (maps + positions).flatten(2).transpose(1, 2)
