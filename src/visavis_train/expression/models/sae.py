"""The network of "Sparse Attention to Emotion" (SAE).

A picture stream and a frozen landmark stream are cut into the same tokens. They attend to each other (Eq.
11-16) at three scales. Unlike in the paper, each token stands for a place (see :class:`streams.Ir50`).

The tokens that are kept are ``shared`` by both streams and all scales, so tokens stay joined by place. Or
each stream at each scale keeps its ``own`` (Eq. 17), by the row of CLS of its own attention (Eq. 5, 13, 14).
Then equal places no longer meet after a layer that prunes. Eq. 13-16 are sums of matrices: row i of the
attention has the query of the other stream's token i. So equal ranks meet: CLS, the tokens from the best to
the worst (Eq. 8), and the fused token (Eq. 10). Scales, for which the paper has no equation, are joined in
the same way.
"""

from __future__ import annotations

from typing import TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis.errors import InputError
from visavis_train.expression.models.heads import ExpressionNet, grid_positions
from visavis_train.expression.models.pruning import cls_attention, count_kept, take_tokens
from visavis_train.expression.models.published import load_published
from visavis_train.expression.models.sae_config import SaeConfig
from visavis_train.expression.models.streams import FaceTrunk, Frozen, Ir50, MobileFaceNet, SmallImageStream
from visavis_train.layers.transformer import TransformerLayer

# Tokens (N, T, D) of each stream of the network at one scale, CLS first: of the picture, of the landmarks.
Pair: TypeAlias = tuple[Tensor, ...]


class CrossLayer(nn.Module):
    """The streams at one scale: attention with the other stream's queries (Eq. 11-16), then an MLP for each.

    Eq. 13 and 14 have no projection after the attention. Eq. 4 counts one, so it is included here.
    """

    def __init__(self, config: SaeConfig, width: int) -> None:
        super().__init__()
        self.names = config.stream_names
        for name in self.names:
            self.add_module(name, StreamLayer(config, width))

    def attend(self, x: Pair) -> tuple[Pair, Pair]:
        """The tokens after attention, and for each stream the attention (N, T - 1) of CLS to the others."""
        streams = self._streams()
        parts = [stream.project(tokens) for stream, tokens in zip(streams, x, strict=True)]
        asked = [queries for queries, _, _ in reversed(parts)]  # One stream alone asks itself.
        attended = tuple(
            stream.add_attention(tokens, q, k, v)
            for stream, tokens, q, (_, k, v) in zip(streams, x, asked, parts, strict=True)
        )
        return attended, tuple(cls_attention(q, k) for q, (_, k, _) in zip(asked, parts, strict=True))

    def process(self, x: Pair) -> Pair:
        """Eq. 18 and 19."""
        return tuple(stream.add_mlp(tokens) for stream, tokens in zip(self._streams(), x, strict=True))

    def _streams(self) -> list[StreamLayer]:
        return [cast(StreamLayer, getattr(self, name)) for name in self.names]


class StreamLayer(TransformerLayer):
    """One stream's half of a :class:`CrossLayer`."""

    def __init__(self, config: SaeConfig, width: int) -> None:
        super().__init__(width, config.heads, config.mlp_ratio, config.drop_path)
        if config.activation == "relu":
            self.mlp[1] = nn.ReLU()

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
    """All scales: attention, pruning, MLPs, and messages from scale to scale in the first stream."""

    def __init__(self, config: SaeConfig, rate: float) -> None:
        super().__init__()
        self.rate, self.how = rate, config
        self.scales = nn.ModuleList(CrossLayer(config, width) for width in config.widths)
        self.joins = nn.ModuleList(
            nn.Linear(*pair) for pair in zip(config.widths[:-1], config.widths[1:], strict=True)
        )

    def forward(self, scales: list[Pair]) -> tuple[list[Pair], Tensor | None]:
        """Tokens of the three scales -> the tokens left, and the indices of those that pruning kept.

        The indices are (N, K) if they are shared, else (N, scales, streams, K), best first; None if all
        tokens are left.
        """
        layers = [cast(CrossLayer, layer) for layer in self.scales]
        attended = [layer.attend(pair) for layer, pair in zip(layers, scales, strict=True)]
        pairs, kept = [pair for pair, _ in attended], None
        scores = torch.stack([torch.stack(each, dim=1) for _, each in attended], dim=1)
        if (count := count_kept(scores.shape[3], self.rate)) < scores.shape[3]:
            if self.how.kept == "shared":
                scores = scores.mean(dim=(1, 2), keepdim=True).expand_as(scores)
            kept = scores.topk(count, dim=3).indices
            pairs = [
                tuple(
                    take_tokens(tokens, scores[:, scale, n], kept[:, scale, n], self.how.pruning.fused_token)
                    for n, tokens in enumerate(pair)
                )
                for scale, pair in enumerate(pairs)
            ]
            kept = kept[:, 0, 0] if self.how.kept == "shared" else kept
        pairs = [layer.process(pair) for layer, pair in zip(layers, pairs, strict=True)]
        for number, join in enumerate(self.joins):
            coarse, (fine, *others) = pairs[number], pairs[number + 1]
            pairs[number + 1] = (fine + join(coarse[0]), *others)
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
        self.names = config.stream_names
        streams = _streams(config, fill=download)
        channels = [cast(int, stream.channels) for stream in streams.values()]
        for name, stream in streams.items():
            self.add_module(name, Frozen(stream) if name == "landmarks" else stream)
        self.entries = nn.ModuleList(
            nn.ModuleList(nn.Linear(count, width) for count in channels) for width in config.widths
        )
        self.starts = nn.ParameterList(torch.randn(len(channels), 1, width) * 0.02 for width in config.widths)
        self.positions = nn.ParameterList(grid_positions(width, self.grid) for width in config.widths)
        rates = config.pruning.rates
        self.layers = nn.ModuleList(
            PyramidLayer(config, rates.get(number, 1.0)) for number in range(config.layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in config.widths)
        self.add_heads(sum(config.widths), config.dropout)

    def tokens(self, x: Tensor) -> list[Pair]:
        """(N, 1, S, S) -> tokens (N, 1 + grid^2, width) of each stream at each scale, CLS first.

        Raises:
            InputError: S is not a multiple of the network's step, or the picture is not square.
        """
        if x.shape[2] != x.shape[3] or x.shape[2] % self.step_px:
            raise InputError(
                f"a picture of {x.shape[2]}x{x.shape[3]} px; expected a square, its side a multiple of "
                f"{self.step_px}"
            )
        maps = [getattr(self, name)(x).flatten(2).transpose(1, 2) for name in self.names]
        grid = x.shape[2] // self.step_px
        pairs = []
        for entries, start, positions in zip(self.entries, self.starts, self.positions, strict=True):
            if grid != self.grid:
                positions = functional.interpolate(positions, size=(grid, grid), mode="bilinear")
            places = positions.flatten(2).transpose(1, 2)
            pairs.append(
                tuple(
                    torch.cat([first.expand(x.shape[0], -1, -1), entry(cells) + places], dim=1)
                    for entry, cells, first in zip(cast(nn.ModuleList, entries), maps, start, strict=True)
                )
            )
        return pairs

    def read(self, scales: list[Pair]) -> tuple[Tensor, list[Tensor]]:
        """Pass tokens through all layers.

        Returns:
            Features (N, sum of widths): the sum of the streams' CLS tokens at each scale; and for each layer
            that pruned, the indices of the kept tokens among its inputs; see :class:`PyramidLayer`.
        """
        chosen = []
        for layer in self.layers:
            scales, kept = layer(scales)
            if kept is not None:
                chosen.append(kept)
        read = [
            norm(torch.stack([tokens[:, 0] for tokens in pair]).sum(dim=0))
            for norm, pair in zip(self.norms, scales, strict=True)
        ]
        return torch.cat(read, dim=1), chosen

    def features(self, x: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, sum of widths)."""
        return self.read(self.tokens(x))[0]


def _streams(config: SaeConfig, *, fill: bool) -> dict[str, nn.Module]:
    """The network's streams of the picture and of the landmarks, by name."""
    names, small = config.stream_names, config.preset == "small"
    made: dict[str, nn.Module] = {}
    if "image" in names:
        made["image"] = image = SmallImageStream() if small else Ir50()
        if fill and config.image_weights is not None:
            load_published(image, config.image_weights)
    if "landmarks" in names:
        made["landmarks"] = landmarks = FaceTrunk() if small else MobileFaceNet()
        if not fill:
            return made
        if isinstance(landmarks, FaceTrunk):
            landmarks.load()
        elif config.landmark_weights is None:
            raise InputError("the landmark stream is frozen and has no weights: set model.landmark_weights")
        else:
            load_published(landmarks, config.landmark_weights)
    return made
