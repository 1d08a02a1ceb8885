"""Quantisation of expression networks to 8-bit weights and products, with ONNX Runtime's quantiser."""

from __future__ import annotations

from visavis.types import ImageArray
from visavis_train.expression.quantize.network import LARGE, Network, large_weights
from visavis_train.onnx import int8


def static(network: Network, faces: ImageArray, at_least: int = LARGE) -> bytes:
    """Quantise convolutions and matrices to 8 bits; see :func:`visavis_train.onnx.int8.quantize_nodes`.

    Args:
        network: the network in 32 bits.
        faces: (N, 1, S, S) uint8, of the training split.
        at_least: smaller weights stay in 32 bits.
    """
    source = network.model()
    names = [weight.node.name for weight in large_weights(source) if weight.values.size >= at_least]
    return int8.quantize_nodes(source, network.feeds(faces), names)
