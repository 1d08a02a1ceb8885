"""An expression network as it runs: a grey crop's bytes to probabilities."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis.datasets.fer2013 import SIDE_PX
from visavis.errors import InputError
from visavis_train.expression.models.heads import standardise
from visavis_train.expression.models.sparse import DOWNSAMPLING, SparseNet


class ExpressionGraph(nn.Module):
    """The network with enlarging or shrinking, standardisation and softmax inside.

    Args:
        network: an expression network.
        side_px: side of the network's pictures.
    """

    def __init__(self, network: nn.Module, side_px: int = SIDE_PX) -> None:
        super().__init__()
        self.network = network
        self.side_px = side_px

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, 48, 48) uint8 -> probabilities (N, 8) of EXPRESSIONS and (N, 7) of FER2013_LABELS."""
        expressions, labels = self.network(self.prepare(images))
        return expressions.softmax(dim=1), labels.softmax(dim=1)

    def prepare(self, images: Tensor) -> Tensor:
        """(N, 1, 48, 48) uint8 -> (N, 1, S, S) float32, standardised."""
        grey = images.float() / 255
        if self.side_px != SIDE_PX:
            size = (self.side_px, self.side_px)
            # Shrinking needs the smoothing; enlarging does not change with it.
            grey = functional.interpolate(grey, size, mode="bilinear", antialias=self.side_px < SIDE_PX)
        return standardise(grey)


class SparseGraph(nn.Module):
    """A network that drops tokens in one layer, as it runs, with the number of kept tokens as an input.

    Args:
        network: the network; its ``pruning`` is ``cls`` in one layer, with ``asking`` ``kept``.

    Raises:
        InputError: the network prunes in another way.
    """

    def __init__(self, network: SparseNet) -> None:
        super().__init__()
        how = network.pruning
        if how.method != "cls" or how.asking != "kept" or len(how.rates) != 1:
            raise InputError(
                "the number of tokens can be an input where pruning.method is cls, asking is kept, and one "
                f"keep rate is below 1; found {how.method}, {how.asking}, and {len(how.rates)} such rates"
            )
        self.network = network
        self.pictures = ExpressionGraph(network, network.grid * DOWNSAMPLING)

    def forward(self, images: Tensor, keep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read faces with a given number of tokens.

        Args:
            images: (N, 1, 48, 48) uint8.
            keep: () int64, 1 to the number of tokens besides CLS.

        Returns:
            Probabilities (N, 8) of EXPRESSIONS and (N, 7) of FER2013_LABELS; (N, keep) int64 kept cells of
            the grid, counted row by row, best first.
        """
        count = cast(int, keep.item())
        torch._check(count >= 1)
        torch._check(count <= self.network.grid**2)
        tokens = self.network.tokens(self.pictures.prepare(images))
        features, [kept] = self.network.read(tokens, count)
        expressions, labels = self.network.answer(features)
        return expressions.softmax(dim=1), labels.softmax(dim=1), kept
