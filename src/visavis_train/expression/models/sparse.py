"""The sparse recogniser: a light stem, then a transformer that drops tokens.

Pruning saves only what comes after it. So the stem is light. The transformer, with nearly all of the cost,
works on many tokens (12x12 for 48 px) and drops them in its first layer: a low keep rate saves real time.
All keep rates and methods share one set of weights.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Literal, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from visavis.errors import InputError
from visavis_train.expression.models.convolution import Conv, ResidualBlock
from visavis_train.expression.models.cost import transformer_macs
from visavis_train.expression.models.heads import ExpressionNet, add_positions, grid_positions
from visavis_train.expression.models.learned import TokenScores, draw
from visavis_train.expression.models.merging import Merged, merge
from visavis_train.expression.models.pruning import (
    Counts,
    PruningConfig,
    best,
    cls_attention,
    count_kept,
    gather,
    take_tokens,
)
from visavis_train.expression.models.vgg import VggNet, plain_stages
from visavis_train.layers.transformer import TransformerLayer
from visavis_train.loop.experiment import Settings

# From the input to the grid of tokens.
DOWNSAMPLING = 4


class SparseConfig(Settings):
    """The sparse recogniser: convolutions, then a transformer with a CLS token that drops tokens.

    Attributes:
        kind: which network this is.
        image_px: side of the input at run time; a multiple of 4: there is a token for every 4x4 pixels.
        stem: channels at 1/2 and 1/4 of the side; or three numbers, at 1/1, 1/2 and 1/4: VGG's first stages
            of two convolutions, for ``init_stem``.
        blocks: residual blocks at 1/2 and 1/4, with a stem of two numbers.
        width: channels of a token; a multiple of ``heads``.
        layers: transformer layers.
        heads: attention heads.
        mlp_ratio: hidden width of a layer's MLP over ``width``.
        dropout: share of the CLS token's features dropped before the heads in training.
        drop_path: chance to skip a layer's branch in training, per face.
    """

    kind: Literal["sparse"] = "sparse"
    image_px: int = Field(default=48, ge=8, multiple_of=DOWNSAMPLING)
    stem: tuple[int, ...] = Field(default=(16, 40), min_length=2, max_length=3)
    blocks: tuple[int, int] = (1, 1)
    width: int = Field(default=96, ge=1)
    layers: int = Field(default=6, ge=1)
    heads: int = Field(default=3, ge=1)
    mlp_ratio: float = Field(default=2.0, gt=0)
    dropout: float = Field(default=0.15, ge=0, lt=1)
    drop_path: float = Field(default=0.05, ge=0, lt=1)
    pruning: PruningConfig = PruningConfig()

    @property
    def side_step_px(self) -> int:
        """Sides of pictures are multiples of this."""
        return DOWNSAMPLING

    @model_validator(mode="after")
    def _check(self) -> Self:
        if min(self.stem) < 1 or min(self.blocks) < 0:
            raise ValueError(
                f"stem {list(self.stem)} must be 1 or more, and blocks {list(self.blocks)} 0 or more"
            )
        if len(self.stem) == 3 and self.blocks != (1, 1):
            raise ValueError("blocks are of a stem of two numbers; leave them out")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads, {self.heads}")
        self.pruning.require_depth(self.layers)
        return self

    def counts(self) -> list[Counts]:
        """Numbers of tokens in each layer, at ``image_px``."""
        return self.pruning.counts(1 + (self.image_px // DOWNSAMPLING) ** 2, self.layers)

    def macs_equation_4(self) -> int:
        """Multiply-accumulates of the transformer's layers for one face, by the paper's formula."""
        return transformer_macs(self.counts(), self.width, self.mlp_ratio)


def _stem(config: SparseConfig) -> list[nn.Module]:
    if len(config.stem) == 3:
        return plain_stages(config.stem, convolutions=2)
    half, quarter = config.stem
    return [
        nn.PixelUnshuffle(2),  # As in HybridNet: four pixels become four channels.
        Conv(4, half),
        nn.ReLU(),
        *[ResidualBlock(half) for _ in range(config.blocks[0])],
        Conv(half, quarter, stride=2),
        nn.ReLU(),
        *[ResidualBlock(quarter) for _ in range(config.blocks[1])],
    ]


class SparseLayer(TransformerLayer):
    """A transformer layer that may remove tokens between its attention and its MLP; rate 1 removes none."""

    def __init__(self, config: SparseConfig, rate: float) -> None:
        super().__init__(config.width, config.heads, config.mlp_ratio, config.drop_path)
        self.rate, self.how = rate, config.pruning
        learns = self.how.method == "learned" and rate < 1
        self.scores = TokenScores(config.width, rate) if learns else None
        # The error of the last draw in training; see SparseNet.penalty.
        self.error: Tensor | None = None

    def reduce(
        self, x: Tensor, sizes: Tensor | None = None, keep: int | None = None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """One pass through the layer.

        Args:
            x: (N, T, D), CLS first.
            sizes: (N, T) number of tokens that each stands for, after merging; in training with learned
                scores, 0 for a token that is not kept; None for 1 each.
            keep: number of the T - 1 tokens that a pruning layer keeps; None for its keep rate.

        Returns:
            The tokens (N, K, D) that are left, their sizes, and their indices (N, K') among the T - 1;
            None if all are kept, with merging, and in training with learned scores.
        """
        others = x.shape[1] - 1
        # A given number is not compared: the exporter does not know whether it is less than all.
        prunes = self.rate < 1 and (keep is not None or count_kept(others, self.rate) < others)
        count = others if not prunes else keep if keep is not None else count_kept(others, self.rate)
        if prunes and self.training and self.scores is not None:
            return self._reduce_softly(x, sizes)
        if prunes and self.how.queries == "kept" and self.how.method != "tome":
            return self._reduce_first(x, count)
        q, k, v = self.attention.project(self.norm1(x))
        x = self._attend(x, sizes, q, k, v)
        kept: Tensor | None = None
        if prunes:
            match self.how.method:
                case "cls":
                    scores = cls_attention(q, k)
                    kept = best(scores, count)
                    x = take_tokens(x, scores, kept, self.how.fused_token)
                case "random" | "learned":
                    kept = self._choose(x, count)
                    x = gather(x, kept)
                case "tome":
                    ones = x.new_ones(x.shape[:2]) if sizes is None else sizes
                    x, sizes, _ = merge(Merged(x, ones, k.mean(dim=1)), count)
        return x + self._skip(self.dropout(self.mlp(self.norm2(x)))), sizes, kept

    def _reduce_first(self, x: Tensor, count: int) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """:meth:`reduce` without queries of removed tokens: at first only CLS has a query, for the scores."""
        if self.how.method == "cls":
            normed = self.norm1(x)
            k, v = self.attention.look(normed)
            scores = cls_attention(self.attention.ask(normed[:, :1]), k)
            kept = best(scores, count)
            left = take_tokens(x, scores, kept, self.how.fused_token)
            if self.how.keys == "all":
                return self.ask_all(left, k, v), None, kept
        else:
            kept = self._choose(x, count)
            left = gather(x, kept)
        seen = x if self.how.keys == "all" else left
        return self.ask_all(left, *self.attention.look(self.norm1(seen))), None, kept

    def _reduce_softly(self, x: Tensor, sizes: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """:meth:`reduce` in training with learned scores: all tokens stay, some with the size 0."""
        first, seen, left = self.how.queries == "kept", sizes, sizes
        if first:
            left = self._draw(x, sizes)
            seen = left if self.how.keys == "kept" else sizes
        x = self._attend(x, seen, *self.attention.project(self.norm1(x)))
        if not first:
            left = self._draw(x, sizes)
        return x + self._skip(self.dropout(self.mlp(self.norm2(x)))), left, None

    def _draw(self, x: Tensor, sizes: Tensor | None) -> Tensor:
        """The sizes (N, T) after a draw by the learned scores."""
        drawn = draw(cast(TokenScores, self.scores)(x, sizes), sizes, self.rate)
        self.error = drawn.error
        return drawn.sizes

    def _attend(self, x: Tensor, sizes: Tensor | None, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention with its residual; a merged token counts once for each of its parts (ToMe, Eq. 1)."""
        bias = None if sizes is None else sizes.log()[:, None, None]
        return x + self._skip(self.dropout(self.attention.mix(q, k, v, bias)))

    def ask_all(self, x: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Pass the tokens that are left (N, K, D) through the layer; all tokens give keys and values."""
        x = x + self._skip(self.dropout(self.attention.mix(self.attention.ask(self.norm1(x)), k, v)))
        return x + self._skip(self.dropout(self.mlp(self.norm2(x))))

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> the tokens that are left (N, K, D)."""
        return self.reduce(x)[0]

    def _choose(self, x: Tensor, count: int) -> Tensor:
        """(N, count) tokens with the best learned scores; without scores, random ones.

        Outside of training the random ones are always the same, so that answers repeat.
        """
        if self.scores is not None:
            return best(self.scores(x), count)
        others = x.shape[1] - 1
        if self.training:
            return torch.rand(x.shape[0], others, device=x.device).topk(count, dim=1).indices
        drawn = random.Random(others).sample(range(others), count)
        return torch.tensor(drawn, device=x.device).expand(x.shape[0], -1)


class SparseNet(ExpressionNet):
    """The network of :class:`SparseConfig`.

    S may be any multiple of 4: the positions are learned on the grid of ``image_px`` and interpolated for
    smaller pictures. The keep rate is then a share of fewer tokens.
    """

    def __init__(self, config: SparseConfig) -> None:
        super().__init__()
        self.config = config
        self.grid = config.image_px // DOWNSAMPLING
        self.stem = nn.Sequential(*_stem(config), nn.Conv2d(config.stem[-1], config.width, 1))
        self.positions = grid_positions(config.width, self.grid)
        self.cls = nn.Parameter(torch.randn(1, 1, config.width) * 0.02)
        rates = config.pruning.rates
        self.layers = nn.ModuleList(
            SparseLayer(config, rates.get(number, 1.0)) for number in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.add_heads(config.width, config.dropout)
        # The keep rate of the next batch, for training at many keep rates; None for the configured ones.
        self.sampled_rate: float | None = None

    def start_stem(self, other: nn.Module, name: Path) -> None:
        """Copy the first convolutions of a :class:`VggNet`, which errors call ``name``, into the stem.

        Raises:
            InputError: the other network is of another kind, or its widths differ.
        """
        own = self.stem[:-1]
        theirs = other.stages[: len(own)] if isinstance(other, VggNet) else nn.Sequential()
        try:
            own.load_state_dict(theirs.state_dict())
        except RuntimeError:
            raise InputError(
                f"{name}: does not begin with convolutions of {list(self.config.stem)} channels; expected a "
                "vgg network that begins with model.stem"
            ) from None

    @property
    def pruning(self) -> PruningConfig:
        """The pruning configuration: which tokens are dropped, and where."""
        return cast(SparseLayer, self.layers[0]).how

    def penalty(self) -> Tensor | None:
        """The loss of DynamicViT for the share of kept tokens, with its weight; see the base class."""
        layers = [cast(SparseLayer, layer) for layer in self.layers]
        errors = [layer.error for layer in layers if layer.error is not None]
        for layer in layers:
            layer.error = None
        return self.pruning.ratio_weight * torch.stack(errors).mean() if errors else None

    def tokens(self, x: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, 1 + (S/4)^2, width): CLS, then the grid row by row.

        Raises:
            InputError: S is not a multiple of 4, or the picture is not square.
        """
        height, width = x.shape[2:]
        if height != width or height % DOWNSAMPLING:
            raise InputError(f"a picture of {height}x{width} px; expected a square, its side a multiple of 4")
        cells = add_positions(self.stem(x), self.positions)
        # len, not shape[0]: torch then exports the operations of the embedded file, which is read back so.
        return torch.cat([self.cls.expand(len(x), -1, -1), cells], dim=1)

    def features(self, x: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, width): the CLS token after the last layer."""
        tokens, rate = self.tokens(x), self.sampled_rate
        return self.read(tokens, None if rate is None else count_kept(tokens.shape[1] - 1, rate))[0]

    def read(self, tokens: Tensor, keep: int | None = None) -> tuple[Tensor, list[Tensor]]:
        """Pass tokens through all layers.

        Args:
            tokens: (N, T, width), CLS first.
            keep: number of tokens besides CLS that each pruning layer keeps; None for its keep rate.

        Returns:
            The CLS token (N, width), and for each layer that chose among its tokens (N, K) the kept cells of
            the grid, counted row by row from 0; -1 is an earlier layer's fused token.
        """
        sizes: Tensor | None = None
        cells = torch.arange(tokens.shape[1] - 1, device=tokens.device).expand(tokens.shape[0], -1)
        chosen: list[Tensor] = []
        for layer in self.layers:
            tokens, sizes, kept = cast(SparseLayer, layer).reduce(tokens, sizes, keep)
            if kept is not None:
                chosen.append(cells.gather(1, kept))
                cells = functional.pad(chosen[-1], (0, tokens.shape[1] - 1 - kept.shape[1]), value=-1)
        result: Tensor = self.norm(tokens[:, 0])
        return result, chosen
