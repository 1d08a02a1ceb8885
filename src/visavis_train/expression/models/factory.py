"""Expression networks made from a model's configuration."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from visavis_train.expression.models.heads import ExpressionNet, Reading
from visavis_train.expression.models.hybrid import HybridConfig, HybridNet
from visavis_train.expression.models.sae import SaeNet
from visavis_train.expression.models.sae_config import SaeConfig
from visavis_train.expression.models.sparse import SparseConfig, SparseNet
from visavis_train.expression.models.timm_net import TimmConfig, TimmNet
from visavis_train.expression.models.vgg import VggConfig, VggNet
from visavis_train.expression.models.vit import VisionTransformer, VitConfig


def _kind(value: Any) -> Any:
    """The kind of network of a file's table or of a configuration; the hybrid by default."""
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

# Networks with a ``pruning`` table, which says which tokens they drop.
Prunable = (SparseConfig, SaeConfig)


def build_model(
    config: ModelConfig, reading: Reading | None = None, *, download: bool = True
) -> ExpressionNet:
    """Make a network, its weights drawn from torch's global generator.

    Args:
        config: its configuration.
        reading: how pictures come to it; None: as usual.
        download: let timm fetch pretrained weights if the configuration asks for them, and let SAE read
            its streams' weights; off if our own weights are loaded next.

    Raises:
        InputError: timm cannot make the network, or the weights of a stream cannot be read.
        VisavisError: pretrained weights are wanted and cannot be fetched, or timm is not usable.
    """
    network = _build(config, download)
    network.reading = reading or Reading()
    return network


def _build(config: ModelConfig, download: bool) -> ExpressionNet:
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
