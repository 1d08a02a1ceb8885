"""The VGG expression network: plain 3x3 convolutions and pooling.

The layout is from Simonyan and Zisserman 2015 (arXiv:1409.1556), in the form that does best on FER-2013's
48 px (Khaireddin and Chen 2021, arXiv:2105.03588): stages of convolutions with batch norm, and max-pooling
between them. Features are averaged over the last map. VGG's three wide layers are left out: they would hold
nearly all of the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from visavis_train.expression.models.convolution import Conv
from visavis_train.expression.models.heads import ExpressionNet
from visavis_train.loop.experiment import Settings


class VggConfig(Settings):
    """Plain convolutions.

    Attributes:
        kind: which network this is.
        image_px: side of the input at run time; a multiple of 2 to the power of the number of halvings.
        widths: channels of each stage; the side is halved between two stages.
        convolutions: convolutions of each stage.
        dropout: share of pooled features dropped before the heads in training.
    """

    kind: Literal["vgg"] = "vgg"
    image_px: int = Field(default=48, ge=2)
    widths: tuple[int, ...] = Field(default=(20, 40, 80, 160), min_length=1)
    convolutions: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)

    @property
    def side_step_px(self) -> int:
        """Sides of pictures are multiples of this."""
        return int(2 ** (len(self.widths) - 1))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if min(self.widths) < 1:
            raise ValueError(f"widths are {list(self.widths)}; expected 1 or more")
        stages, step = len(self.widths), self.side_step_px
        if self.image_px % step:
            raise ValueError(f"image_px is {self.image_px}; {stages} stages need a multiple of {step}")
        return self


def plain_stages(widths: Sequence[int], convolutions: int) -> list[nn.Module]:
    """The layers of VGG's stages for grey pictures, with max-pooling between them."""
    parts: list[nn.Module] = []
    for inputs, width in pairwise((1, *widths)):
        if parts:
            parts.append(nn.MaxPool2d(2))
        for number in range(convolutions):
            parts += [Conv(width if number else inputs, width), nn.ReLU()]
    return parts


class VggNet(ExpressionNet):
    """The network of :class:`VggConfig`."""

    def __init__(self, config: VggConfig) -> None:
        super().__init__()
        self.stages = nn.Sequential(*plain_stages(config.widths, config.convolutions))
        self.add_heads(config.widths[-1], config.dropout)

    def features(self, x: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, width)."""
        x = self.stages(x)
        return x.mean(dim=(2, 3))
