"""An expression network as it runs: a grey crop's bytes to probabilities."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis.channels import EXPRESSIONS
from visavis.datasets.fer2013 import SIDE_PX
from visavis.expression.labels import FER2013_TO_EXPRESSION
from visavis_train.expression.models.heads import Reading
from visavis_train.expression.models.sparse import DOWNSAMPLING, SparseNet


class ExpressionGraph(nn.Module):
    """The network with enlarging or shrinking, scaling of pixels and softmax inside.

    Args:
        network: an expression network; its ``reading`` gives F, the side of the faces.
        side_px: side of the network's pictures.
    """

    def __init__(self, network: nn.Module, side_px: int = SIDE_PX) -> None:
        super().__init__()
        self.network = network
        self.side_px = side_px
        self.reading: Reading = getattr(network, "reading", Reading())
        if self.reading.heads == "labels":
            # Column of the 7 labels for each expression; for contempt, a column of zeros after them.
            known = FER2013_TO_EXPRESSION
            columns = [known.index(n) if n in known else len(known) for n in range(len(EXPRESSIONS))]
            self.register_buffer("_columns", torch.tensor(columns), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, F, F) uint8 -> probabilities (N, 8) of EXPRESSIONS and (N, 7) of FER2013_LABELS."""
        return self.probabilities(*self.network(self.prepare(images)))

    def probabilities(self, expressions: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Both heads' logits (N, 8) and (N, 7) -> probabilities."""
        if self.reading.heads == "both":
            return expressions.softmax(dim=1), labels.softmax(dim=1)
        seven = labels.softmax(dim=1)
        return functional.pad(seven, (0, 1)).index_select(1, cast(Tensor, self._columns)), seven

    def prepare(self, images: Tensor) -> Tensor:
        """(N, 1, F, F) uint8 -> (N, 1, S, S) float32, scaled."""
        gray, face_px = images.float() / 255, self.reading.face_px
        if self.side_px != face_px:
            size = (self.side_px, self.side_px)
            # Shrinking needs the smoothing; enlarging does not change with it.
            gray = functional.interpolate(gray, size, mode="bilinear", antialias=self.side_px < face_px)
        return self.reading.scale(gray)


class SparseGraph(nn.Module):
    """A network that drops tokens in one layer, as it runs, with the number of kept tokens as an input.

    Args:
        network: the network; its ``pruning`` is ``cls`` in one layer, with ``queries`` ``kept``.
    """

    def __init__(self, network: SparseNet) -> None:
        super().__init__()
        self.network = network
        self.pictures = ExpressionGraph(network, network.grid * DOWNSAMPLING)

    def forward(self, images: Tensor, keep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read faces with a given number of tokens.

        Args:
            images: (N, 1, F, F) uint8.
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
        return *self.pictures.probabilities(expressions, labels), kept
