"""The Vision Transformer as an expression network.

Dosovitskiy et al. 2021 (arXiv:2010.11929), as the first paper describes it: patches are projected (Eq. 1),
get learned or sinusoidal positions (Eq. 2 and 3) and pass pre-norm layers (Eq. 4). A CLS token
is read (Eq. 5).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from visavis_train.expression.models.heads import ExpressionNet, add_positions, grid_positions
from visavis_train.expression.models.presets import PresetSettings
from visavis_train.layers.transformer import TransformerLayer

# Keys of each preset; keys given with it take precedence. ``b16`` is the paper's ViT-B/16; the others are for
# FER-2013's own 48 px on a CPU.
PRESETS: dict[str, dict[str, Any]] = {
    "b16": {"image_px": 224, "patch_px": 16, "width": 768, "layers": 12, "heads": 12, "mlp_ratio": 4.0},
    "small": {"image_px": 48, "patch_px": 6, "width": 128, "layers": 5, "heads": 4, "mlp_ratio": 2.0},
    "tiny": {"image_px": 48, "patch_px": 8, "width": 64, "layers": 3, "heads": 4, "mlp_ratio": 2.0},
}


class VitConfig(PresetSettings):
    """The Vision Transformer.

    Attributes:
        kind: which network this is.
        preset: ``b16``, ``small`` or ``tiny``: sets the six keys below; keys that the file gives take
            precedence.
        image_px: side of the input at run time; a multiple of ``patch_px``.
        patch_px: side of a patch.
        width: channels of a token; a multiple of ``heads``.
        layers: transformer layers.
        heads: attention heads.
        mlp_ratio: hidden width of a layer's MLP over ``width``.
        positions: ``learned``, or ``sinusoidal`` as in Eq. 2 and 3, which needs an even ``width``.
        dropout: share dropped in training: of the tokens, of every branch's output, and of the features
            before the heads.
        drop_path: chance to skip a layer's branch in training, per face.
    """

    presets: ClassVar = PRESETS

    kind: Literal["vit"] = "vit"
    preset: Literal["b16", "small", "tiny"] = "small"
    image_px: int = Field(default=48, ge=2)
    patch_px: int = Field(default=6, ge=2)
    width: int = Field(default=128, ge=2)
    layers: int = Field(default=5, ge=1)
    heads: int = Field(default=4, ge=1)
    mlp_ratio: float = Field(default=2.0, gt=0)
    positions: Literal["learned", "sinusoidal"] = "learned"
    dropout: float = Field(default=0.1, ge=0, lt=1)
    drop_path: float = Field(default=0.0, ge=0, lt=1)

    @property
    def side_step_px(self) -> int:
        """Sides of pictures are multiples of this."""
        return self.patch_px

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.image_px % self.patch_px:
            lower = self.image_px // self.patch_px * self.patch_px
            raise ValueError(
                f"patch_px {self.patch_px} does not divide image_px {self.image_px}; "
                f"take {lower} or {lower + self.patch_px}"
            )
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads, {self.heads}")
        if self.positions == "sinusoidal" and self.width % 2:
            raise ValueError(f"sinusoidal positions need an even width; found {self.width}")
        return self


def sinusoidal(count: int, width: int) -> Tensor:
    """Positions (count, width): sin(i / 10000^(2j/d)) in column 2j, the cosine in 2j + 1 (Eq. 2 and 3)."""
    steps = 10000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(count, dtype=torch.float64)[:, None] / steps
    return torch.stack([angles.sin(), angles.cos()], dim=2).reshape(count, width).float()


class VisionTransformer(ExpressionNet):
    """The network of :class:`VitConfig`.

    S may be any multiple of ``patch_px``: the positions of the grid of ``image_px`` are interpolated.
    """

    positions: Tensor

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        width, patch = config.width, config.patch_px
        grid = config.image_px // patch
        self.patches = nn.Conv2d(1, width, patch, patch)  # Eq. 1: reshape, multiply, add.
        if config.positions == "learned":
            self.cls = nn.Parameter(torch.randn(1, 1, width) * 0.02)  # Includes its position.
            self.register_parameter("positions", grid_positions(width, grid))
        else:
            table = sinusoidal(1 + grid**2, width)
            self.cls = nn.Parameter(table[None, :1] + torch.randn(1, 1, width) * 0.02)
            square = table[1:].T.reshape(1, width, grid, grid)
            self.register_buffer("positions", square.contiguous())
        self.token_dropout = nn.Dropout(config.dropout)
        self.layers = nn.Sequential(
            *[
                TransformerLayer(width, config.heads, config.mlp_ratio, config.drop_path, config.dropout)
                for _ in range(config.layers)
            ]
        )
        self.norm = nn.LayerNorm(width)
        self.add_heads(width, config.dropout)

    def features(self, x: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, width): the CLS token after the last layer."""
        tokens = add_positions(self.patches(x), self.positions)
        tokens = torch.cat([self.cls.expand(x.shape[0], -1, -1), tokens], dim=1)
        read: Tensor = self.norm(self.layers(self.token_dropout(tokens))[:, 0])
        return read
