"""The hybrid expression network: convolutions, a transformer and attention pooling.

The convolutions see texture and edges at low cost and reduce the picture to a 6x6 grid. The transformer
relates the grid's cells (brow to mouth, left to right). A learned query for each head decides where to look.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from visavis_train.expression.models.convolution import Conv, ResidualBlock
from visavis_train.expression.models.heads import ExpressionNet, add_positions, grid_positions
from visavis_train.layers.transformer import TransformerLayer
from visavis_train.loop.experiment import Settings

# From the input to the transformer's grid: stem, first and second stage each halve the side.
DOWNSAMPLING = 8


class HybridConfig(Settings):
    """The hybrid: convolutions, then a transformer.

    Attributes:
        kind: which network this is.
        image_px: side of the input at run time; a multiple of 8.
        widths: channels at 1/2, 1/4 and 1/8 of the side; the last is the transformer's width, a multiple
            of ``heads``.
        stem_blocks: residual blocks at 1/2 of the side.
        blocks: residual blocks at 1/4 and 1/8.
        layers: transformer layers.
        heads: attention heads, in the layers and in the pooling.
        mlp_ratio: hidden width of a layer's MLP over the transformer's width.
        dropout: share of pooled features dropped before the heads in training.
        drop_path: chance to skip a transformer layer's branch in training, per face.
    """

    kind: Literal["hybrid"] = "hybrid"
    image_px: int = Field(default=48, ge=8, multiple_of=DOWNSAMPLING)
    widths: tuple[int, int, int] = (24, 64, 160)
    stem_blocks: int = Field(default=0, ge=0)
    blocks: tuple[int, int] = (2, 1)
    layers: int = Field(default=2, ge=0)
    heads: int = Field(default=5, ge=1)
    mlp_ratio: float = Field(default=2.0, gt=0)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    drop_path: float = Field(default=0.1, ge=0, lt=1)

    @property
    def side_step_px(self) -> int:
        """Sides of pictures are multiples of this."""
        return DOWNSAMPLING

    @model_validator(mode="after")
    def _check(self) -> Self:
        if min(self.widths) < 1 or self.widths[-1] % self.heads:
            raise ValueError(
                f"widths {list(self.widths)} must be positive and end with a multiple of heads, {self.heads}"
            )
        if min(self.blocks) < 0:
            raise ValueError(f"blocks are {list(self.blocks)}; expected 0 or more")
        return self


class AttentionPool(nn.Module):
    """Attention pooling: each head weighs the tokens by a learned query, and averages its features."""

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


class HybridNet(ExpressionNet):
    """The network of :class:`HybridConfig`.

    S may be any multiple of 8: the positions are learned on the grid of ``image_px`` and interpolated for
    smaller pictures, so that early epochs can use small pictures.
    """

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        stem, middle, width = config.widths
        # Four pixels become four channels. This equals a 6x6 kernel of stride 2, at a fraction of its cost.
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(2),
            Conv(4, stem),
            nn.ReLU(),
            *[ResidualBlock(stem) for _ in range(config.stem_blocks)],
        )
        self.stages = nn.Sequential(
            Conv(stem, middle, stride=2),
            nn.ReLU(),
            *[ResidualBlock(middle) for _ in range(config.blocks[0])],
            Conv(middle, width, stride=2),
            nn.ReLU(),
            *[ResidualBlock(width) for _ in range(config.blocks[1])],
        )
        self.positions = grid_positions(width, config.image_px // DOWNSAMPLING)
        self.layers = nn.Sequential(
            *[
                TransformerLayer(width, config.heads, config.mlp_ratio, config.drop_path)
                for _ in range(config.layers)
            ]
        )
        self.norm = nn.LayerNorm(width)
        self.pool = AttentionPool(width, config.heads)
        self.add_heads(width, config.dropout)

    def features(self, x: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, D)."""
        tokens = add_positions(self.stages(self.stem(x)), self.positions)
        pooled: Tensor = self.pool(self.norm(self.layers(tokens)))
        return pooled
