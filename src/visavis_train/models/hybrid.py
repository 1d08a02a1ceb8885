"""Grey face crops in, expression and label logits out: convolutions, a transformer, attention pooling.

The convolutions see texture and edges cheaply and bring the picture down to a 6x6 grid; the transformer
relates the grid's cells (brow to mouth, left to right); a learned query per head decides where to look.
The two heads answer two questions that data sets really ask: which of 8 expressions do ten people see
(FER+, Barsoum et al. 2016, arXiv:1608.01041), and which of 7 labels does FER-2013 carry (Goodfellow et al.
2013, arXiv:1307.0414). The two agree on 65% of the faces, so one head cannot serve both.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from visavis.channels import EXPRESSIONS
from visavis.emotion.labels import FER2013_LABELS
from visavis_train.experiment import Settings

# From the input to the transformer's grid: stem, first and second stage halve the side each.
DOWNSAMPLING = 8


class HybridConfig(Settings):
    """Sizes of the network.

    Attributes:
        image_px: side of the input at run time; a multiple of 8.
        widths: channels at 1/2, 1/4 and 1/8 of the side; the last is the transformer's width.
        blocks: residual blocks at 1/4 and 1/8.
        layers: transformer layers.
        heads: attention heads, in the layers and in the pooling.
        mlp_ratio: hidden width of a layer's MLP over the transformer's width.
        dropout: share of pooled features dropped before the heads in training.
        drop_path: chance to skip a transformer layer's branch in training, per face.
    """

    image_px: int = Field(default=48, ge=8, multiple_of=DOWNSAMPLING)
    widths: tuple[int, int, int] = (24, 64, 160)
    blocks: tuple[int, int] = (2, 1)
    layers: int = Field(default=2, ge=0)
    heads: int = Field(default=5, ge=1)
    mlp_ratio: float = Field(default=2.0, gt=0)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    drop_path: float = Field(default=0.1, ge=0, lt=1)


def standardise(images: Tensor) -> Tensor:
    """Each picture (N, 1, H, W) to mean 0 and standard deviation 1: lamps and cameras differ."""
    centred = images - images.mean(dim=(1, 2, 3), keepdim=True)
    spread = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return centred / (spread + 1e-3)


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
    """Two 3x3 convolutions beside the identity; the second starts at zero, so the block starts as it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Conv(width, width)
        self.second = Conv(width, width)
        self.second.norm.weight.data.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class Attention(nn.Module):
    """Multi-head self-attention over tokens (N, T, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        n, t, d = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        result: Tensor = self.out(mixed.transpose(1, 2).reshape(n, t, d))
        return result


class TransformerLayer(nn.Module):
    """Pre-norm attention and MLP, each skipped at random per face in training (Huang et al. 2016)."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, drop_path: float) -> None:
        super().__init__()
        hidden = round(width * mlp_ratio)
        self.drop_path = drop_path
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        x = x + self._skip(self.attention(self.norm1(x)))
        return x + self._skip(self.mlp(self.norm2(x)))

    def _skip(self, branch: Tensor) -> Tensor:
        if not self.training or self.drop_path == 0:
            return branch
        kept = 1 - self.drop_path
        return branch * branch.new_empty(len(branch), 1, 1).bernoulli_(kept).div_(kept)


class AttentionPool(nn.Module):
    """Each head weighs the tokens by a learned query and averages its share of the features."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scores = nn.Linear(width, heads)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, D)."""
        n, t, d = x.shape
        weights = self.scores(x).softmax(dim=1).transpose(1, 2).unsqueeze(2)  # (N, heads, 1, T)
        values = x.reshape(n, t, self.heads, d // self.heads).transpose(1, 2)  # (N, heads, T, D/heads)
        result: Tensor = (weights @ values).reshape(n, d)
        return result


class HybridNet(nn.Module):
    """Standardised grey crops (N, 1, S, S) -> logits of 8 expressions (N, 8) and 7 labels (N, 7).

    S may be any multiple of 8: the positions are learned on the grid of ``image_px`` and interpolated for
    smaller pictures, so that early epochs can train on small ones.
    """

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        stem, middle, width = config.widths
        self.grid = config.image_px // DOWNSAMPLING
        # Four pixels become four channels: as wide as a 6x6 kernel of stride 2, at a fraction of its cost.
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), Conv(4, stem), nn.ReLU())
        self.stages = nn.Sequential(
            Conv(stem, middle, stride=2),
            nn.ReLU(),
            *[ResidualBlock(middle) for _ in range(config.blocks[0])],
            Conv(middle, width, stride=2),
            nn.ReLU(),
            *[ResidualBlock(width) for _ in range(config.blocks[1])],
        )
        self.positions = nn.Parameter(torch.randn(1, width, self.grid, self.grid) * 0.02)
        self.layers = nn.Sequential(
            *[
                TransformerLayer(width, config.heads, config.mlp_ratio, config.drop_path)
                for _ in range(config.layers)
            ]
        )
        self.norm = nn.LayerNorm(width)
        self.pool = AttentionPool(width, config.heads)
        self.dropout = nn.Dropout(config.dropout)
        self.expressions = nn.Linear(width, len(EXPRESSIONS))
        self.labels = nn.Linear(width, len(FER2013_LABELS))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, 8) in the order of EXPRESSIONS and (N, 7) in the order of FER2013_LABELS."""
        x = self.stages(self.stem(x))
        positions: Tensor = self.positions
        if x.shape[2] != self.grid:
            positions = functional.interpolate(positions, size=x.shape[2:], mode="bilinear")
        tokens = (x + positions).flatten(2).transpose(1, 2)
        pooled = self.dropout(self.pool(self.norm(self.layers(tokens))))
        return self.expressions(pooled), self.labels(pooled)
