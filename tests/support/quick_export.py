"""Export by torch's older exporter, which takes a thirtieth of the time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest


def quick_export(
    module: Any,
    inputs: tuple[Any, ...],
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic_shapes: Sequence[Any],
    opset_version: int,
    **_: Any,
) -> SimpleNamespace:
    """The same network, called like ``torch.onnx.export``; errors of many kinds on what it cannot do."""
    import onnx
    import torch
    from torch.onnx.utils import export

    from visavis_train.expression.models import sparse

    each_shape = [
        axes for shape in dynamic_shapes for axes in (shape if isinstance(shape, tuple) else (shape,))
    ]
    written = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:  # Sizes are tensors here; those of tokens are fixed.
        patch.setattr("random.Random", lambda *seed: Random(*map(int, seed)))
        patch.setattr(sparse, "len", lambda many: getattr(many, "shape", (len(many),))[0], raising=False)
        patch.setattr(torch, "sym_min", lambda *sizes: min(map(int, sizes)))
        patch.setattr(torch.Tensor, "__round__", lambda size, n: round(size.item(), n), raising=False)
        export(
            module,
            inputs,
            written,
            opset_version=opset_version,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_axes={
                name: {axis: f"{name}{axis}" for axis in axes or ()}
                for name, axes in zip(input_names, each_shape, strict=True)
            },
        )
    model = onnx.load_from_string(written.getvalue())
    for name, output in zip(output_names, model.graph.output, strict=True):
        if output.name != name:  # The older exporter names no output that is constant.
            model.graph.node.append(onnx.helper.make_node("Identity", [output.name], [name]))
            output.name = name
    known = {each.name: each for each in model.graph.input}
    del model.graph.input[:]
    for name, tensor in zip(input_names, inputs, strict=True):  # It leaves out inputs that nothing reads.
        kind = onnx.helper.np_dtype_to_tensor_dtype(tensor.numpy().dtype)
        unread = onnx.helper.make_tensor_value_info(name, kind, [None] * tensor.ndim)
        model.graph.input.append(known.get(name, unread))
    return SimpleNamespace(model_proto=model)
