"""Quantisation to 4-bit weights, integers or NF4: an eighth of the size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnx.numpy_helper import from_array

from visavis.types import ImageArray
from visavis_train.expression.quantize.inputs import input_products
from visavis_train.expression.quantize.network import (
    Network,
    Weight,
    large_weights,
)
from visavis_train.expression.quantize.rounding import Rounded, block_of, round_matrix, round_nf4
from visavis_train.onnx.int8 import with_notes_of

# Most numbers that share a scale of 16 bits.
BLOCK, NF4_BLOCK = 96, 64
_PREFIX = "packed/"


def packed(network: Network, faces: ImageArray) -> bytes:
    """Quantise all large weights to 4-bit integers: small on disk, 32 bits after loading; see :func:`_file`.

    ``faces`` are (N, 1, S, S) uint8 of the training split; their activations show which errors matter.
    """
    model = network.model()
    weights = large_weights(model)
    products = input_products(model, weights, network.feeds(faces))
    rounded = [
        round_matrix(rows, products[weight.name], block_of(rows.shape[1], BLOCK))
        for weight in weights
        for rows in (weight.rows,)
    ]
    return _file(network, weights, rounded, "int4")


def nf4(network: Network) -> bytes:
    """Quantise all large weights to NF4, convolutions too; see :func:`_file`. Needs no faces."""
    weights = large_weights(network.model())
    rounded = [round_nf4(rows, block_of(rows.shape[1], NF4_BLOCK)) for rows in (w.rows for w in weights)]
    return _file(network, weights, rounded, "nf4")


def pack_codes(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes (2 N,) of 0 to 15 as bytes (N,): the first half in the low four bits, the second in the high."""
    low, high = codes.reshape(2, -1)
    return np.asarray(low | high << 4, np.uint8)


def _file(network: Network, weights: Sequence[Weight], rounded: Sequence[Rounded], method: str) -> bytes:
    """The network's file with weights in 4 bits.

    The codes are in one tensor of bytes, the scales in another. Plain operators (opset 18) unpack them, and
    look the codes up in a table of 16 levels. ONNX Runtime folds them when it loads the file, so a call costs
    as much as in 32 bits. It does not fold DequantizeLinear, which would unpack all weights in every call.
    """
    model = network.model()
    names = {weight.name for weight in weights}
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in names]
    nodes, tensors = _unpacking(weights, rounded)
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend([*kept, *tensors])
    model.graph.node.extend(nodes)
    return with_notes_of(model, network.model(), method)


def _unpacking(
    weights: Sequence[Weight], rounded: Sequence[Rounded]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """The nodes that turn bytes and scales into the weights, and the tensors that they read."""
    codes = np.concatenate([each.codes.ravel() for each in rounded])
    sizes = [each.codes.size for each in rounded]
    parts = [f"{number}/codes" for number in range(len(weights))]
    if len(codes) % 2:  # Two codes fit a byte: add one more, which is never read.
        codes, sizes, parts = np.append(codes, np.uint8(0)), [*sizes, 1], [*parts, "rest"]
    constants: dict[str, NDArray[np.generic]] = {
        "codes": pack_codes(codes),
        "levels": rounded[0].levels,
        "scales": np.concatenate([each.scales.ravel() for each in rounded]),
        "mask": np.asarray([15], np.uint8),
        "shift": np.asarray([4], np.uint8),
        "code counts": np.asarray(sizes),
        "scale counts": np.asarray([each.scales.size for each in rounded]),
    }
    nodes = [
        _node("BitwiseAnd", ["codes", "mask"], ["low"]),
        _node("BitShift", ["codes", "shift"], ["high"], direction="RIGHT"),
        _node("Concat", ["low", "high"], ["bytes"], axis=0),
        _node("Cast", ["bytes"], ["places"], to=onnx.TensorProto.INT32),
        _node("Gather", ["levels", "places"], ["known"]),
        _node("Split", ["known", "code counts"], parts, axis=0),
        _node("Cast", ["scales"], ["steps"], to=onnx.TensorProto.FLOAT),
        _node("Split", ["steps", "scale counts"], [f"{n}/steps" for n in range(len(weights))], axis=0),
    ]
    for number, (weight, each) in enumerate(zip(weights, rounded, strict=True)):
        constants[f"{number}/blocks"] = np.asarray([-1, each.block])
        constants[f"{number}/column"] = np.asarray([-1, 1])
        constants[f"{number}/shape"] = np.asarray(
            weight.values.shape if weight.outputs_first else weight.rows.shape
        )
        nodes += _unpacking_one(number, weight)
    return nodes, [from_array(np.ascontiguousarray(v), _PREFIX + key) for key, v in constants.items()]


def _unpacking_one(number: int, weight: Weight) -> list[onnx.NodeProto]:
    """The weight from its codes and scales."""
    here = f"{number}/"
    nodes = [
        _node("Reshape", [here + "codes", here + "blocks"], [here + "grouped"]),
        _node("Reshape", [here + "steps", here + "column"], [here + "factors"]),
        _node("Mul", [here + "grouped", here + "factors"], [here + "numbers"]),
        _node("Reshape", [here + "numbers", here + "shape"], [here + "weight"]),
    ]
    if weight.outputs_first:
        nodes[-1].output[0] = weight.name
    else:
        nodes.append(helper.make_node("Transpose", [f"{_PREFIX}{here}weight"], [weight.name], perm=[1, 0]))
    return nodes


def _node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **flags: Any) -> onnx.NodeProto:
    read, made = ([_PREFIX + name for name in side] for side in (inputs, outputs))
    return helper.make_node(operator, read, made, **flags)
