"""An expression network in; the same one as it runs, from a grey crop's bytes to probabilities, out."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from visavis.datasets.fer2013 import SIDE_PX
from visavis_train.models.heads import standardise


class ExpressionGraph(nn.Module):
    """The network with enlarging or shrinking, standardisation and softmax inside.

    Args:
        network: an expression network.
        side_px: side of the pictures that it gets.
    """

    def __init__(self, network: nn.Module, side_px: int = SIDE_PX) -> None:
        super().__init__()
        self.network = network
        self.side_px = side_px

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, 48, 48) uint8 -> probabilities (N, 8) of EXPRESSIONS and (N, 7) of FER2013_LABELS."""
        grey = images.float() / 255
        if self.side_px != SIDE_PX:
            size = (self.side_px, self.side_px)
            # Shrinking needs the smoothing, enlarging would not be changed by it.
            grey = functional.interpolate(grey, size, mode="bilinear", antialias=self.side_px < SIDE_PX)
        expressions, labels = self.network(standardise(grey))
        return expressions.softmax(dim=1), labels.softmax(dim=1)
