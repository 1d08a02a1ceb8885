"""Encoders and decoders of a tokenizer, MLP or transformer: faces to latent vectors and back.

An encoder reads a window of the last W frames and answers for the newest one. So it is causal, and with
W = 1 stateless. The paper's encoder attends to all of 32 frames, also later ones, and is neither.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from visavis.channels import FACE_CHANNELS
from visavis_train.layers.transformer import TransformerLayer
from visavis_train.loop.experiment import Settings
from visavis_train.tokenizer.face_groups import FACE_GROUPS

_FACE = len(FACE_CHANNELS)


class MlpConfig(Settings):
    """Residual layers over the whole face at once.

    Attributes:
        kind: which coder this is.
        width: channels.
        layers: residual layers.
        window: frames that the encoder sees, including the present one; 1 is stateless.
    """

    kind: Literal["mlp"] = "mlp"
    width: int = Field(default=192, ge=1)
    layers: int = Field(default=2, ge=1)
    window: int = Field(default=1, ge=1, le=256)


class TransformerConfig(Settings):
    """Attention between the 13 groups of the face, each with its recent past.

    Attributes:
        kind: which coder this is.
        width: channels of a group; a multiple of `heads`.
        layers: transformer layers.
        heads: attention heads.
        mlp_ratio: hidden width of a layer's MLP over `width`.
        window: frames that the encoder sees, including the present one; 1 is stateless.
    """

    kind: Literal["transformer"] = "transformer"
    width: int = Field(default=64, ge=1)
    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)
    mlp_ratio: float = Field(default=2.0, gt=0)
    window: int = Field(default=1, ge=1, le=256)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        return self


CoderConfig = Annotated[MlpConfig | TransformerConfig, Field(discriminator="kind")]


class ResidualLayer(nn.Module):
    """(N, D) -> (N, D): the output of an MLP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, D) -> (N, D)."""
        added: Tensor = self.inner(x)
        return x + added


def _mlp(inputs: int, config: MlpConfig, outputs: int) -> nn.Sequential:
    layers = [ResidualLayer(config.width) for _ in range(config.layers)]
    ends = nn.LayerNorm(config.width), nn.Linear(config.width, outputs)
    return nn.Sequential(nn.Linear(inputs, config.width), *layers, *ends)


class MlpEncoder(nn.Module):
    """(N, W, 58) -> (N, D)."""

    def __init__(self, config: MlpConfig, outputs: int) -> None:
        super().__init__()
        self.net = _mlp(config.window * _FACE, config, outputs)

    def forward(self, windows: Tensor) -> Tensor:
        """(N, W, 58) -> (N, D)."""
        latents: Tensor = self.net(windows.flatten(1))
        return latents


class TransformerEncoder(nn.Module):
    """(N, W, 58) -> (N, D): one token a group, read from the group's numbers over the window."""

    def __init__(self, config: TransformerConfig, outputs: int) -> None:
        super().__init__()
        sizes = [len(range(_FACE)[part]) for part in FACE_GROUPS.values()]
        self.read = nn.ModuleList(nn.Linear(config.window * size, config.width) for size in sizes)
        self.layers = _layers(config)
        self.out = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, outputs))

    def forward(self, windows: Tensor) -> Tensor:
        """(N, W, 58) -> (N, D)."""
        parts = zip(self.read, FACE_GROUPS.values(), strict=True)
        groups = [read(windows[:, :, part].flatten(1)) for read, part in parts]
        latents: Tensor = self.out(self.layers(torch.stack(groups, dim=1)).mean(dim=1))
        return latents


class TransformerDecoder(nn.Module):
    """(N, D) -> (N, 58): 13 learned queries, each with the code added."""

    def __init__(self, inputs: int, config: TransformerConfig) -> None:
        super().__init__()
        sizes = [len(range(_FACE)[part]) for part in FACE_GROUPS.values()]
        self.queries = nn.Parameter(torch.randn(len(sizes), config.width) * 0.02)
        self.read = nn.Linear(inputs, config.width)
        self.layers = _layers(config)
        self.norm = nn.LayerNorm(config.width)
        self.write = nn.ModuleList(nn.Linear(config.width, size) for size in sizes)

    def forward(self, codes: Tensor) -> Tensor:
        """(N, D) -> (N, 58)."""
        groups = self.norm(self.layers(self.queries + self.read(codes)[:, None]))
        parts = [write(groups[:, place]) for place, write in enumerate(self.write)]
        return torch.cat(parts, dim=1)


def _layers(config: TransformerConfig) -> nn.Sequential:
    return nn.Sequential(
        *(TransformerLayer(config.width, config.heads, config.mlp_ratio, 0.0) for _ in range(config.layers))
    )


def build_encoder(config: CoderConfig, outputs: int) -> nn.Module:
    """(N, W, 58) -> (N, outputs)."""
    if isinstance(config, MlpConfig):
        return MlpEncoder(config, outputs)
    return TransformerEncoder(config, outputs)


def build_decoder(inputs: int, config: CoderConfig) -> nn.Module:
    """(N, inputs) -> (N, 58)."""
    if isinstance(config, MlpConfig):
        return _mlp(inputs, config, _FACE)
    return TransformerDecoder(inputs, config)
