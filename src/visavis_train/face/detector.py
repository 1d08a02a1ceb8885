"""The detector's network: likelihood, size, offset and roll of a face for each cell of a square picture."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis_train.face.parts import Residual, conv

INPUT_PX = 160
STRIDE_PX = 8
GRID = INPUT_PX // STRIDE_PX


class DetectorOutput(NamedTuple):
    """Maps for a batch of B pictures.

    Attributes:
        heat: (B, 20, 20) logits that a face's centre lies in the cell.
        size: (B, 20, 20) logarithm of the face's side over the picture's.
        offset: (B, 2, 20, 20) from the cell's centre to the face's, in cells.
        roll: (B, 2, 20, 20) along the cosine and the sine of the face's roll.
    """

    heat: Tensor
    size: Tensor
    offset: Tensor
    roll: Tensor


class DetectorNet(nn.Module):
    """A four-level pyramid read out at stride 8 (CenterNet-like, arXiv:1904.07850)."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = conv(3, width, 7, 4)
        self.eighth = nn.Sequential(conv(width, 2 * width, 3, 2), Residual(2 * width))
        self.sixteenth = nn.Sequential(conv(2 * width, 4 * width, 3, 2), Residual(4 * width))
        self.top = nn.Sequential(conv(4 * width, 5 * width, 3, 2), Residual(5 * width), Residual(5 * width))
        self.from_top = conv(5 * width, 4 * width, 1)
        self.from_sixteenth = conv(4 * width, 2 * width, 1)
        last = nn.Conv2d(2 * width, 6, 1)
        nn.init.zeros_(last.weight)
        # Start values: most cells have no face, and a face fills a fifth of the picture.
        last.bias = nn.Parameter(torch.tensor([-4.0, -1.6, 0.0, 0.0, 0.0, 0.0]))
        self.head = nn.Sequential(conv(2 * width, 2 * width), last)

    def forward(self, image: Tensor) -> DetectorOutput:
        """Pictures (B, 3, 160, 160) in 0..1."""
        eighth = self.eighth(self.stem(image - 0.5))
        sixteenth = self.sixteenth(eighth)
        top = self.from_top(self.top(sixteenth))
        sixteenth = sixteenth + functional.interpolate(top, scale_factor=2.0, mode="nearest")
        eighth = eighth + functional.interpolate(
            self.from_sixteenth(sixteenth), scale_factor=2.0, mode="nearest"
        )
        maps = self.head(eighth)
        return DetectorOutput(maps[:, 0], maps[:, 1], maps[:, 2:4], maps[:, 4:])


class DetectorExport(nn.Module):
    """The network as the runtime calls it.

    Pictures (B, 160, 160, 3) uint8 -> heat (B, 20, 20) in 0..1, side over the picture's (B, 20, 20), offset
    (B, 2, 20, 20) in cells and the direction of the roll (B, 2, 20, 20).
    """

    def __init__(self, net: DetectorNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See the class."""
        out = self.net(pictures.permute(0, 3, 1, 2).float() / 255)
        return torch.sigmoid(out.heat), torch.exp(out.size), out.offset, out.roll
