"""The network of "Sparse Attention to Emotion" (SAE).

A picture stream and a frozen landmark stream are cut into the same tokens. They attend to each other (Eq.
11-16) at three scales. Unlike in the paper, each token stands for a place (see :class:`streams.Ir50`), and
both streams and all scales keep the same tokens, so the scales can be joined token by token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from visavis.errors import InputError
from visavis_train.expression.models.cost import transformer_macs
from visavis_train.expression.models.heads import ExpressionNet, grid_positions
from visavis_train.expression.models.presets import PresetSettings
from visavis_train.expression.models.pruning import (
    Counts,
    PruningConfig,
    best,
    cls_attention,
    count_kept,
    take_tokens,
)
from visavis_train.expression.models.published import load_published
from visavis_train.expression.models.streams import (
    FaceTrunk,
    Frozen,
    Ir50,
    MobileFaceNet,
    SmallImageStream,
)
from visavis_train.layers.transformer import TransformerLayer

# Keys of each preset, by name; keys given with it take precedence. ``base`` is the published one.
PRESETS: dict[str, dict[str, Any]] = {
    "base": {"image_px": 112, "widths": (512, 256, 128), "layers": 6, "heads": 8},
    "small": {"image_px": 48, "widths": (96, 64, 32), "layers": 2, "heads": 4},
}
# Side of a token in pixels.
STEPS_PX = {"base": 16, "small": 8}


class SaeConfig(PresetSettings):
    """SAE: two streams, a pyramid of three scales, cross-fusion attention, pruning.

    Attributes:
        kind: which network this is.
        preset: ``base`` as published: IR-50 and MobileFaceNet at 112 px; or ``small``: light convolutions and
            the trunk of our face network at 48 px. Sets the four keys below; keys that the file gives take
            precedence.
        image_px: side of the input at run time; a multiple of 16 for ``base``, of 8 for ``small``.
        widths: channels of a token at each of the three scales; multiples of ``heads``.
        layers: transformer layers, each for both streams and all scales.
        heads: attention heads.
        mlp_ratio: hidden width of an MLP over its scale's width.
        dropout: share of features dropped before the heads in training.
        drop_path: chance to skip a layer's branch in training, per face.
        landmark_weights: safetensors of MobileFaceNet, in our names or public ones, required by ``base``;
            ``small`` uses those of the embedded face network.
        image_weights: safetensors of IR-50 to start from, in our names or public ones, for ``base``.
    """

    presets: ClassVar = PRESETS

    kind: Literal["sae"] = "sae"
    preset: Literal["base", "small"] = "small"
    image_px: int = Field(default=48, ge=16)
    widths: tuple[int, int, int] = (96, 64, 32)
    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)
    mlp_ratio: float = Field(default=2.0, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    drop_path: float = Field(default=0.05, ge=0, lt=1)
    landmark_weights: Path | None = None
    image_weights: Path | None = None
    pruning: PruningConfig = PruningConfig()

    @property
    def side_step_px(self) -> int:
        """Sides of pictures are multiples of this."""
        return STEPS_PX[self.preset]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.image_px % self.side_step_px:
            raise ValueError(
                f"image_px is {self.image_px}; {self.preset} needs multiples of {self.side_step_px}"
            )
        if min(self.widths) < 1 or any(width % self.heads for width in self.widths):
            raise ValueError(f"widths {list(self.widths)} must be multiples of heads, {self.heads}")
        if self.pruning.method not in ("cls", "none"):
            raise ValueError(f"pruning.method is {self.pruning.method!r}; sae knows 'cls' and 'none'")
        if self.pruning.queries != "all":
            raise ValueError("pruning.queries is 'kept'; in sae all tokens ask")
        if self.preset == "small" and (self.landmark_weights or self.image_weights):
            raise ValueError("landmark_weights and image_weights are for the preset base")
        self.pruning.require_depth(self.layers)
        return self

    def counts(self) -> list[Counts]:
        """Numbers of tokens in each layer, equal in every stream and at every scale."""
        return self.pruning.counts(1 + (self.image_px // self.side_step_px) ** 2, self.layers)

    def macs_equation_4(self) -> int:
        """Multiply-accumulates of the transformer's layers for one face, by the paper's formula."""
        return sum(2 * transformer_macs(self.counts(), width, self.mlp_ratio) for width in self.widths)


class Pair(NamedTuple):
    """Tokens of both streams at one scale.

    Attributes:
        image: (N, T, D), CLS first.
        landmarks: (N, T, D), CLS first.
    """

    image: Tensor
    landmarks: Tensor


class CrossLayer(nn.Module):
    """Both streams at one scale: attention with the other stream's queries (Eq. 11-16), then an MLP for each.

    Eq. 13 and 14 have no projection after the attention. Eq. 4 counts one, so it is included here.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float, drop_path: float) -> None:
        super().__init__()
        self.image = StreamLayer(width, heads, mlp_ratio, drop_path)
        self.landmarks = StreamLayer(width, heads, mlp_ratio, drop_path)

    def attend(self, x: Pair) -> tuple[Pair, Tensor]:
        """The tokens after attention, and the attention (N, T - 1) of both CLS tokens to the others."""
        q_image, k_image, v_image = self.image.project(x.image)
        q_landmarks, k_landmarks, v_landmarks = self.landmarks.project(x.landmarks)
        attended = Pair(
            self.image.add_attention(x.image, q_landmarks, k_image, v_image),
            self.landmarks.add_attention(x.landmarks, q_image, k_landmarks, v_landmarks),
        )
        return attended, (cls_attention(q_landmarks, k_image) + cls_attention(q_image, k_landmarks)) / 2

    def process(self, x: Pair) -> Pair:
        """Eq. 18 and 19."""
        return Pair(self.image.add_mlp(x.image), self.landmarks.add_mlp(x.landmarks))


class StreamLayer(TransformerLayer):
    """One stream's half of a :class:`CrossLayer`."""

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of the normed tokens (N, T, D): each (N, heads, T, D/heads)."""
        return self.attention.project(self.norm1(x))

    def add_attention(self, x: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Eq. 15 and 16, with the queries of the other stream."""
        return x + self._skip(self.dropout(self.attention.mix(q, k, v)))

    def add_mlp(self, x: Tensor) -> Tensor:
        """Eq. 18 and 19."""
        return x + self._skip(self.dropout(self.mlp(self.norm2(x))))


class PyramidLayer(nn.Module):
    """All scales: attention, pruning with one set of kept tokens, MLPs, and messages from scale to scale.

    Args:
        config: the network's configuration.
        rate: keep rate; 1 removes nothing.
    """

    def __init__(self, config: SaeConfig, rate: float) -> None:
        super().__init__()
        self.rate, self.fused = rate, config.pruning.fused_token
        self.scales = nn.ModuleList(
            CrossLayer(width, config.heads, config.mlp_ratio, config.drop_path) for width in config.widths
        )
        self.joins = nn.ModuleList(
            nn.Linear(*pair) for pair in zip(config.widths[:-1], config.widths[1:], strict=True)
        )

    def forward(self, scales: list[Pair]) -> tuple[list[Pair], Tensor | None]:
        """Tokens of the three scales -> the tokens left, and their indices (N, K), None if all are left."""
        layers = [cast(CrossLayer, layer) for layer in self.scales]
        attended = [layer.attend(pair) for layer, pair in zip(layers, scales, strict=True)]
        scores = torch.stack([score for _, score in attended]).mean(dim=0)
        pairs, kept = [pair for pair, _ in attended], None
        if (count := count_kept(scores.shape[1], self.rate)) < scores.shape[1]:
            kept = best(scores, count)
            pairs = [
                Pair(*(take_tokens(tokens, scores, kept, self.fused) for tokens in pair)) for pair in pairs
            ]
        pairs = [layer.process(pair) for layer, pair in zip(layers, pairs, strict=True)]
        for number, join in enumerate(self.joins):
            coarse, fine = pairs[number], pairs[number + 1]
            pairs[number + 1] = Pair(fine.image + join(coarse.image), fine.landmarks)
        return pairs, kept


class SaeNet(ExpressionNet):
    """The network of :class:`SaeConfig`.

    Args:
        config: its configuration.
        download: load the landmark stream (and IR-50 if a file is named); off if weights follow.

    Raises:
        InputError: ``base`` has no ``landmark_weights``, or a file does not fit.
        WeightsError: the embedded face network is missing or was changed.
    """

    def __init__(self, config: SaeConfig, *, download: bool = True) -> None:
        super().__init__()
        self.step_px, self.grid = config.side_step_px, config.image_px // config.side_step_px
        image, landmarks = _streams(config, fill=download)
        self.image, self.landmarks = image, Frozen(landmarks)
        channels = cast(int, image.channels), cast(int, landmarks.channels)
        self.entries = nn.ModuleList(
            nn.ModuleList(nn.Linear(count, width) for count in channels) for width in config.widths
        )
        self.starts = nn.ParameterList(torch.randn(2, 1, width) * 0.02 for width in config.widths)
        self.positions = nn.ParameterList(grid_positions(width, self.grid) for width in config.widths)
        rates = config.pruning.rates
        self.layers = nn.ModuleList(
            PyramidLayer(config, rates.get(number, 1.0)) for number in range(config.layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in config.widths)
        self.add_heads(sum(config.widths), config.dropout)

    def tokens(self, x: Tensor) -> list[Pair]:
        """(N, 1, S, S) -> tokens (N, 1 + grid^2, width) of both streams at each scale, CLS first.

        Raises:
            InputError: S is not a multiple of the network's step, or the picture is not square.
        """
        if x.shape[2] != x.shape[3] or x.shape[2] % self.step_px:
            raise InputError(
                f"a picture of {x.shape[2]}x{x.shape[3]} px; expected a square, its side a multiple of "
                f"{self.step_px}"
            )
        maps = [stream(x).flatten(2).transpose(1, 2) for stream in (self.image, self.landmarks)]
        grid = x.shape[2] // self.step_px
        pairs = []
        for entries, start, positions in zip(self.entries, self.starts, self.positions, strict=True):
            if grid != self.grid:
                positions = functional.interpolate(positions, size=(grid, grid), mode="bilinear")
            places = positions.flatten(2).transpose(1, 2)
            pairs.append(
                Pair(
                    *(
                        torch.cat([first.expand(len(x), -1, -1), entry(cells) + places], dim=1)
                        for entry, cells, first in zip(cast(nn.ModuleList, entries), maps, start, strict=True)
                    )
                )
            )
        return pairs

    def read(self, scales: list[Pair]) -> tuple[Tensor, list[Tensor]]:
        """Pass tokens through all layers.

        Returns:
            Features (N, sum of widths): the sum of both CLS tokens at each scale; and for each layer that
            pruned, (N, K) indices of the kept tokens among its inputs.
        """
        chosen = []
        for layer in self.layers:
            scales, kept = layer(scales)
            if kept is not None:
                chosen.append(kept)
        read = [norm(x.image[:, 0] + x.landmarks[:, 0]) for norm, x in zip(self.norms, scales, strict=True)]
        return torch.cat(read, dim=1), chosen

    def features(self, x: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, sum of widths)."""
        return self.read(self.tokens(x))[0]


def _streams(config: SaeConfig, *, fill: bool) -> tuple[nn.Module, nn.Module]:
    """The streams of the picture and of the landmarks."""
    if config.preset == "small":
        trunk = FaceTrunk()
        if fill:
            trunk.load()
        return SmallImageStream(), trunk
    image, landmarks = Ir50(), MobileFaceNet()
    if fill:
        if config.landmark_weights is None:
            raise InputError("the landmark stream is frozen and has no weights: set model.landmark_weights")
        load_published(landmarks, config.landmark_weights)
        if config.image_weights is not None:
            load_published(image, config.image_weights)
    return image, landmarks
