"""Expression networks made from a model's configuration."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from visavis_train.expression.models.heads import ExpressionNet
from visavis_train.expression.models.hybrid import HybridConfig, HybridNet
from visavis_train.expression.models.sae import SaeConfig, SaeNet
from visavis_train.expression.models.sparse import SparseConfig, SparseNet
from visavis_train.expression.models.timm_net import TimmConfig, TimmNet
from visavis_train.expression.models.vgg import VggConfig, VggNet
from visavis_train.expression.models.vit import VisionTransformer, VitConfig


def _kind(value: Any) -> Any:
    """The network that a table of a file, or a configuration, is for; the hybrid where nothing is said."""
    return value.get("kind", "hybrid") if isinstance(value, dict) else getattr(value, "kind", None)


ModelConfig = Annotated[
    Annotated[HybridConfig, Tag("hybrid")]
    | Annotated[VitConfig, Tag("vit")]
    | Annotated[VggConfig, Tag("vgg")]
    | Annotated[TimmConfig, Tag("timm")]
    | Annotated[SparseConfig, Tag("sparse")]
    | Annotated[SaeConfig, Tag("sae")],
    Discriminator(_kind),
]

# Those whose ``pruning`` says which tokens they drop.
Prunable = (SparseConfig, SaeConfig)


def build_model(config: ModelConfig, *, download: bool = True) -> ExpressionNet:
    """Make a network, its weights drawn from torch's global generator.

    Args:
        config: which one.
        download: let timm fetch pretrained weights if the configuration asks for them, and SAE read those of
            its streams; off where weights of our own are loaded next.

    Raises:
        InputError: timm cannot make it, or the weights of a stream cannot be read.
        VisavisError: pretrained weights are wanted and cannot be fetched, or timm is not usable.
    """
    match config:
        case VitConfig():
            return VisionTransformer(config)
        case VggConfig():
            return VggNet(config)
        case TimmConfig():
            return TimmNet(config, download=download)
        case SparseConfig():
            return SparseNet(config)
        case SaeConfig():
            return SaeNet(config, download=download)
        case HybridConfig():
            return HybridNet(config)
