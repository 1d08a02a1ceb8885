"""A sparse recogniser that is easy to compute: it keeps the brightest cells, and they give the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from visavis.base import networks
from visavis.channels import EXPRESSIONS
from visavis.expression import sparse
from visavis.expression.labels import FER2013_LABELS
from visavis.types import FloatArray, ImageArray

SIDE_PX, CELL_PX = 48, 4
GRID = SIDE_PX // CELL_PX
# The class that gets the mean brightness of the kept cells as its probability; the others share the rest.
SHOWN = {"expressions": EXPRESSIONS.index("contempt"), "labels": FER2013_LABELS.index("disgust")}
CLASSES = {"expressions": len(EXPRESSIONS), "labels": len(FER2013_LABELS)}
NOTES: dict[str, Any] = {
    "expressions": list(EXPRESSIONS),
    "labels": list(FER2013_LABELS),
    "parameters": 12,
    "grid": GRID,
    "keep": {"rate": 0.25},
}


def brightness(crops: ImageArray) -> FloatArray:
    """(N, 48, 48) -> (N, 144): the mean of each cell, 0 to 1."""
    cells = crops.reshape(-1, GRID, CELL_PX, GRID, CELL_PX).mean(axis=(2, 4))
    return (cells.reshape(len(crops), -1) / 255).astype(np.float32)


def answers(crops: ImageArray, count: int, output: str) -> FloatArray:
    """What the network says of crops (N, 48, 48) with so many tokens."""
    shown = np.sort(brightness(crops), axis=1)[:, -count:].mean(axis=1, keepdims=True)
    others = (1 - shown) / (CLASSES[output] - 1)
    return np.where(np.arange(CLASSES[output]) == SHOWN[output], shown, others).astype(np.float32)


def network(
    changes: Mapping[str, Any] | None = None,
    *,
    keep_shape: tuple[int, ...] = (),
    shift: int = 0,
    extra: int = 0,
    classes: int = CLASSES["expressions"],
) -> bytes:
    """The ONNX file.

    Args:
        changes: to the metadata; None leaves an entry out.
        keep_shape: of the input.
        shift: is added to the numbers of the kept cells.
        extra: is added to how many are kept.
        classes: of the output ``expressions``.
    """
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    widths = CLASSES | {"expressions": classes}

    def constant(name: str, value: Any) -> Any:
        return onnx.numpy_helper.from_array(np.asarray(value), name)

    nodes = [
        helper.make_node("Cast", ["images"], ["grey"], to=kinds.FLOAT),
        helper.make_node(
            "AveragePool", ["grey"], ["cells"], kernel_shape=[CELL_PX] * 2, strides=[CELL_PX] * 2
        ),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("Div", ["flat", "white"], ["scores"]),
        helper.make_node("Reshape", ["keep", "one"], ["wanted"]),
        helper.make_node("Add", ["wanted", "extra"], ["count"]),
        helper.make_node("TopK", ["scores", "count"], ["best", "chosen"]),
        helper.make_node("Add", ["chosen", "shift"], ["kept"]),
        helper.make_node("ReduceMean", ["best", "one"], ["shown"]),
    ]
    constants = [
        constant("white", np.float32(255)),
        constant("one", np.asarray([1], np.int64)),
        constant("extra", np.int64(extra)),
        constant("shift", np.int64(shift)),
    ]
    for name, width in widths.items():
        chosen = (np.arange(width) == SHOWN[name]).astype(np.float32)
        rest = (1 - chosen) / (width - 1)
        constants += [constant(f"{name}_rise", chosen - rest), constant(f"{name}_rest", rest)]
        nodes += [
            helper.make_node("Mul", ["shown", f"{name}_rise"], [f"{name}_risen"]),
            helper.make_node("Add", [f"{name}_risen", f"{name}_rest"], [name]),
        ]
    graph = helper.make_graph(
        nodes,
        "sparse",
        [
            helper.make_tensor_value_info("images", kinds.UINT8, ["n", 1, SIDE_PX, SIDE_PX]),
            helper.make_tensor_value_info("keep", kinds.INT64, keep_shape),
        ],
        [
            *(
                helper.make_tensor_value_info(name, kinds.FLOAT, ["n", width])
                for name, width in widths.items()
            ),
            helper.make_tensor_value_info("kept", kinds.INT64, ["n", "k"]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    notes = {key: value for key, value in {**NOTES, **(changes or {})}.items() if value is not None}
    for key, value in notes.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    return model.SerializeToString()


def embed(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Let the package bring this network as its sparse recogniser, whether it has one or not."""
    data, read = network(), networks.read
    monkeypatch.setattr(networks, "_OPENED", {})
    monkeypatch.setattr(networks, "read", lambda name: data if name == sparse.NAME else read(name))
    return data
