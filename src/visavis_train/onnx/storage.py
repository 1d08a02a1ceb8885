"""Storage of an ONNX network's large weights in 16 or 8 bits, and the way back to 32.

A file of 16-bit weights is half as large. Each weight is widened by its own Cast, which ONNX Runtime folds
when it loads the file. So all computing stays in 32 bits.

Dense layers can be stored in 8 bits, with a scale for each block of a row (``DequantizeLinear``), and
convolutions with one for each output, and with ranges of their inputs and outputs. The session decides how
they are computed: see ``int8_weights`` of :func:`visavis.base.networks.open_session`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from visavis_train.onnx.int8 import Feed, quantize_nodes

# Smaller tensors do not change: they are only a few bytes.
LARGE = 1024
_SUFFIX, _WIDENED = "_half", "_DequantizeLinear_Output"
# The same for dense layers in 8 bits; and how many weights of an output have one scale.
LARGE_DENSE, BLOCK = 40_000, 32
# What widens a tensor, and from which types.
_WIDENING = {
    "Cast": (onnx.TensorProto.FLOAT16,),
    "DequantizeLinear": (onnx.TensorProto.INT8, onnx.TensorProto.INT32),
}
# The first version of ONNX whose DequantizeLinear has blocks.
BLOCKS_OPSET = 21


def halve(model: onnx.ModelProto) -> None:
    """Store float tensors of :data:`LARGE` or more elements as float16, in place."""
    casts = []
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < LARGE:
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), name + _SUFFIX))
        casts.append(onnx.helper.make_node("Cast", [name + _SUFFIX], [name], to=onnx.TensorProto.FLOAT))
    _set_nodes(model, [*casts, *model.graph.node])


def quantize_dense(model: onnx.ModelProto) -> None:
    """Store the weights of large dense layers in 8 bits, in place.

    Layers of fewer than :data:`LARGE_DENSE` weights, or whose inputs are no whole :data:`BLOCK` s, stay.
    A layer becomes a matrix product and a sum: ONNX Runtime computes some layers with both in one in 32 bits.
    """
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        weights = _dense_weights(node, tensors)
        if weights is None:
            nodes.append(node)
            continue
        source, name, bias = node.input
        stored, scales = _blocks(weights)
        tensors[name].CopyFrom(onnx.numpy_helper.from_array(stored, f"{name}_stored"))
        model.graph.initializer.append(onnx.numpy_helper.from_array(scales, f"{name}_scales"))
        widened = onnx.helper.make_node(
            "DequantizeLinear", [f"{name}_stored", f"{name}_scales"], [name], axis=0, block_size=BLOCK
        )
        product = onnx.helper.make_node("MatMul", [source, name], [f"{name}_product"])
        nodes += [widened, product, onnx.helper.make_node("Add", [f"{name}_product", bias], node.output)]
    _set_nodes(model, nodes)


def quantize_convolutions(model: onnx.ModelProto, weights: Collection[str], feeds: Sequence[Feed]) -> None:
    """Store convolutions in 8 bits, in place; inputs and outputs get ranges, see :func:`quantize_nodes`.

    Args:
        model: the network in 32 bits.
        weights: names of the convolutions' weights.
        feeds: inputs of training data, batch by batch.
    """
    chosen = [node.name for node in model.graph.node if node.op_type == "Conv" and node.input[1] in weights]
    model.ParseFromString(quantize_nodes(model, feeds, chosen))
    for node in model.graph.node:  # The quantiser renames weights.
        if node.op_type == "DequantizeLinear" and node.output[0].removesuffix(_WIDENED) in weights:
            node.output[0] = node.output[0].removesuffix(_WIDENED)
        elif node.op_type == "Conv":
            node.input[1] = node.input[1].removesuffix(_WIDENED)


def widen(model: onnx.ModelProto) -> bool:
    """Undo :func:`halve` and :func:`quantize_dense`, in place: all weights are stored in 32 bits.

    8-bit weights of :func:`quantize_convolutions` and of other quantisers are widened, too. Inputs and
    outputs are still rounded.

    Returns:
        Whether there were such tensors.
    """
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes, unused = [], set()
    for node in model.graph.node:
        types = _WIDENING.get(node.op_type)
        held = [tensors[name] for name in node.input if name in tensors]
        if types is None or len(held) < len(node.input) or held[0].data_type not in types:
            nodes.append(node)
            continue
        values, *others = map(onnx.numpy_helper.to_array, held)
        values = values.astype(np.float32)
        if others:
            scales, *zeros = (_spread(node, each, values.ndim) for each in others)
            values = (values - (zeros[0] if zeros else 0)) * scales
            unused.update(node.input[1:])
        held[0].CopyFrom(onnx.numpy_helper.from_array(values, node.output[0]))
        tensors[held[0].name] = held[0]
    found = len(nodes) < len(model.graph.node)
    for name in unused:
        model.graph.initializer.remove(tensors[name])
    _set_nodes(model, nodes)
    return found


def _spread(node: onnx.NodeProto, values: npt.NDArray[Any], axes: int) -> npt.NDArray[np.float32]:
    """Scales or zeros of a ``DequantizeLinear`` in the shape of its tensor of so many axes."""
    options = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    axis, block = options.get("axis", 1) % max(axes, 1), options.get("block_size", 0)
    if block:
        values = values.repeat(block, axis)
    elif values.ndim:
        values = np.expand_dims(values, [each for each in range(axes) if each != axis])
    return values.astype(np.float32)


def _dense_weights(
    node: onnx.NodeProto, tensors: dict[str, onnx.TensorProto]
) -> npt.NDArray[np.float32] | None:
    """The weights (inputs, outputs) of a dense layer that :func:`quantize_dense` stores in 8 bits."""
    if node.op_type != "Gemm" or len(node.input) != 3 or node.input[1] not in tensors:
        return None
    values = onnx.numpy_helper.to_array(tensors[node.input[1]])
    options = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    if options.pop("transB", 0):
        values = values.T
    plain = not options.pop("transA", 0) and set(options.values()) <= {1.0}
    large = values.dtype == np.float32 and values.size >= LARGE_DENSE and len(values) % BLOCK == 0
    return values if plain and large else None


def _blocks(weights: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Weights (inputs, outputs) in 8 bits, and scales (inputs / BLOCK, outputs)."""
    blocks = weights.reshape(-1, BLOCK, weights.shape[1])
    scales = np.maximum(np.abs(blocks).max(axis=1) / 127, np.finfo(np.float32).tiny)
    return np.rint(blocks / scales[:, None]).astype(np.int8).reshape(weights.shape), scales


def _set_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)
