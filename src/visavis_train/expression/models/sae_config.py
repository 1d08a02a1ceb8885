"""Settings of SAE's network: sizes, streams, and how they prune."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from visavis_train.expression.models.cost import transformer_macs
from visavis_train.expression.models.presets import PresetSettings
from visavis_train.expression.models.pruning import Counts, PruningConfig

# Keys of each preset, by name; keys given with it take precedence. ``base`` is the published one.
PRESETS: dict[str, dict[str, Any]] = {
    "base": {"image_px": 112, "widths": (512, 256, 128), "layers": 6, "heads": 8},
    "small": {"image_px": 48, "widths": (96, 64, 32), "layers": 2, "heads": 4},
}
STREAMS = "image", "landmarks"
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
        activation: of the MLPs: ``gelu``, as in POSTER; ``relu``, as in the paper's Eq. 3.
        streams: ``both``; or one alone, ``image`` or ``landmarks``, which then attends to itself (Eq. 2).
        kept: which tokens pruning keeps. ``shared``: the same in both streams and at all scales, by the mean
            of their scores; ``own``: each stream prunes by itself at each scale, as published (Eq. 17).
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
    activation: Literal["gelu", "relu"] = "gelu"
    streams: Literal["both", "image", "landmarks"] = "both"
    kept: Literal["shared", "own"] = "shared"
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

    @property
    def stream_names(self) -> tuple[str, ...]:
        """The streams of the network."""
        return STREAMS if self.streams == "both" else (self.streams,)

    def counts(self) -> list[Counts]:
        """Numbers of tokens in each layer, equal in every stream and at every scale."""
        return self.pruning.counts(1 + (self.image_px // self.side_step_px) ** 2, self.layers)

    def macs_equation_4(self) -> int:
        """Multiply-accumulates of the transformer's layers for one face, by the paper's formula."""
        layers = [transformer_macs(self.counts(), width, self.mlp_ratio) for width in self.widths]
        return len(self.stream_names) * sum(layers)
