"""Storage of an ONNX network's large weights in 16 bits, and the way back to 32.

A file of 16-bit weights is half as large. Each weight is widened by its own Cast, which ONNX Runtime folds
when it loads the file. So all computing stays in 32 bits.
"""

from __future__ import annotations

import numpy as np
import onnx

# Smaller tensors do not change: they are only a few bytes.
LARGE = 1024
_SUFFIX = "_half"


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


def widen(model: onnx.ModelProto) -> bool:
    """Undo :func:`halve`, in place: tensors of 16 bits that are cast to 32 are stored in 32.

    Returns:
        Whether there were such tensors.
    """
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        tensor = tensors.get(node.input[0]) if node.op_type == "Cast" else None
        if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT16:
            nodes.append(node)
            continue
        values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, node.output[0]))
    found = len(nodes) < len(model.graph.node)
    _set_nodes(model, nodes)
    return found


def _set_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)
