"""Quantisation of expression networks to 8-bit weights and products, with ONNX Runtime's quantiser."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from visavis.types import ImageArray
from visavis_train.expression.quantize.network import LARGE, Network, large_matrices, large_weights
from visavis_train.onnx import int8


def dynamic(network: Network) -> bytes:
    """Quantise matrices to 8 bits; each call measures and rounds its activations, without calibration.

    Convolutions stay in 32 bits: ONNX Runtime has no fast dynamic kernel for them.

    Raises:
        InputError: there are no large matrices.
    """
    source = network.model()
    names = [weight.node.name for weight in large_matrices(source, network.path)]

    def run(model: onnx.ModelProto, out: Path) -> None:
        quantize_dynamic(
            model,
            out,
            op_types_to_quantize=["Gemm", "MatMul"],
            nodes_to_quantize=names,
            per_channel=True,
            weight_type=QuantType.QInt8,
            reduce_range=True,  # As in visavis_train.onnx.int8.
        )

    return int8.through_file(source, run, "int8-dynamic")


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
