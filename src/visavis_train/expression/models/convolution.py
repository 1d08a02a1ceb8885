"""Convolution blocks of the expression networks."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Conv(nn.Module):
    """3x3 convolution and batch norm."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        result: Tensor = self.norm(self.conv(x))
        return result


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions plus the identity; the second starts at zero, so the block starts as identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Conv(width, width)
        self.second = Conv(width, width)
        self.second.norm.weight.data.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return functional.relu(x + self.second(functional.relu(self.first(x))))
