"""Picture streams and landmark streams: feature maps of the picture and of the landmarks.

These are the two streams of POSTER (Zheng et al. 2023, arXiv:2204.04083), which SAE uses too: IR-50 (Deng et
al. 2019, arXiv:1801.07698) and MobileFaceNet (Chen et al. 2018, arXiv:1804.07573) as published, and small
ones that can be trained here. Both streams of a pair give maps of the same size.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from visavis.base import networks
from visavis.errors import WeightsError
from visavis_train.expression.models.convolution import Conv, ResidualBlock
from visavis_train.onnx.storage import widen

# The face network's trunk reads pictures in 0..1 minus 0.5. Ours are standardised; faces vary by about
# this much.
_SPREAD = 0.25
# The trunk's convolutions up to 1/8 of the side, by their names in the network and in its ONNX file.
_TRUNK = ("trunk.0.0", "trunk.1.0", "trunk.2.first.0", "trunk.2.second.0")


class SmallImageStream(nn.Module):
    """Residual convolutions: (N, 1, S, S) -> (N, 192, S/8, S/8), 2x2 cells of 48 channels side by side."""

    channels = 192

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(2),
            Conv(4, 24),
            nn.ReLU(),
            ResidualBlock(24),
            Conv(24, 48, stride=2),
            nn.ReLU(),
            ResidualBlock(48),
            nn.PixelUnshuffle(2),
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        result: Tensor = self.layers(x)
        return result


class FaceTrunk(nn.Module):
    """The first half of the face network's landmark trunk: (N, 1, S, S) -> (N, 96, S/8, S/8).

    Its batch norms are folded into its kernels, as in the embedded file.
    """

    channels = 96

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(3, 48, 7, 4, 3),
                nn.Conv2d(48, 96, 3, 2, 1),
                nn.Conv2d(96, 96, 3, 1, 1),
                nn.Conv2d(96, 96, 3, 1, 1),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        stem, down, first, second = self.layers
        x = down(stem((_SPREAD * x).expand(-1, 3, -1, -1)).relu()).relu()
        result: Tensor = (x + second(first(x).relu())).relu()
        return result

    def load(self) -> None:
        """Load the weights of the embedded face network.

        Raises:
            WeightsError: the network is missing, was changed, or is of another size.
        """
        model = onnx.load_from_string(networks.read("face"))
        widen(model)
        stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        try:
            state = {
                f"{number}.{part}": torch.from_numpy(np.array(stored[f"net.{name}.{kept}"]))
                for number, name in enumerate(_TRUNK)
                for part, kept in (("weight", "weight"), ("bias", "weight_bias"))
            }
            self.layers.load_state_dict(state)
        except (KeyError, RuntimeError) as error:
            raise WeightsError(
                f"the embedded face network has another trunk than expected: {error}"
            ) from error


class IrBlock(nn.Module):
    """ArcFace's improved residual block: norm, convolution, PReLU, convolution, norm."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.shortcut: nn.Module = nn.MaxPool2d(1, stride)
        if inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.branch = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        result: Tensor = self.shortcut(x) + self.branch(x)
        return result


class Ir50(nn.Module):
    """IR-50 up to its third stage: (N, 1, S, S) -> (N, 1024, S/16, S/16).

    POSTER reshapes the 256 channels of 14x14 to 49 tokens of 1024 numbers in memory order, so that each
    token sees every position. Here 2x2 neighbours become one token, which keeps its place.
    """

    channels = 1024

    def __init__(self) -> None:
        super().__init__()
        blocks = [IrBlock(64, 64, 1 if number else 2) for number in range(3)]
        blocks += [IrBlock(128 if number else 64, 128, 1 if number else 2) for number in range(4)]
        blocks += [IrBlock(256 if number else 128, 256, 1 if number else 2) for number in range(14)]
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        self.blocks = nn.Sequential(*blocks)
        self.unshuffle = nn.PixelUnshuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        result: Tensor = self.unshuffle(self.blocks(self.stem(x.expand(-1, 3, -1, -1))))
        return result


def _mobile(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.PReLU(outputs),
    )


class Bottleneck(nn.Module):
    """MobileFaceNet's block: widen, depthwise convolution, narrow; with a skip if the size stays."""

    def __init__(self, inputs: int, outputs: int, widen: int, stride: int) -> None:
        super().__init__()
        hidden = widen * inputs
        self.skip = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            _mobile(inputs, hidden, 1),
            _mobile(hidden, hidden, 3, stride, hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        result: Tensor = self.layers(x)
        return x + result if self.skip else result


class MobileFaceNet(nn.Module):
    """MobileFaceNet before its global layers (its Table 1): (N, 1, S, S) -> (N, 512, S/16, S/16)."""

    channels = 512
    # Widening, channels, blocks, stride of the first.
    STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_mobile(3, 64, 3, 2), _mobile(64, 64, 3, 1, 64)]
        inputs = 64
        for wider, outputs, blocks, stride in self.STAGES:
            for number in range(blocks):
                layers.append(Bottleneck(inputs, outputs, wider, 1 if number else stride))
                inputs = outputs
        self.layers = nn.Sequential(*layers, _mobile(inputs, self.channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        result: Tensor = self.layers(x.expand(-1, 3, -1, -1))
        return result


class Frozen(nn.Module):
    """A frozen network: its weights and its batch norms do not change."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """Set the mode of everything except the frozen network."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """The answer of the network."""
        result: Tensor = self.network(x)
        return result
