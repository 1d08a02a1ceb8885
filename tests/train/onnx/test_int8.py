"""8 bits on graphs that ONNX Runtime's quantiser can spoil: see findings/onnxruntime-*.sh."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from visavis_train.onnx.int8 import quantize_nodes

SIZES = {"fine": 1, "coarse": 10}
LOW, HIGH = 0.25, 4.0


def heads() -> onnx.ModelProto:
    """One convolution, with one bias, of two feature maps; each answer is clipped to LOW and HIGH."""
    nodes = [
        node
        for name in SIZES
        for node in (
            helper.make_node("Conv", [name, "weights", "bias"], [f"{name} free"], name=name),
            helper.make_node("Clip", [f"{name} free", "low", "high"], [f"{name} out"], name=f"clip {name}"),
        )
    ]
    generator = np.random.default_rng(0)
    values = {
        "weights": generator.normal(0, 0.1, (4, 8, 1, 1)).astype(np.float32),
        "bias": np.array([2, 1, 1.5, 0.5], np.float32),
        "low": np.float32(LOW),
        "high": np.float32(HIGH),
    }
    graph = helper.make_graph(
        nodes,
        "heads",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8, 4, 4]) for name in SIZES],
        [helper.make_tensor_value_info(f"{name} out", TensorProto.FLOAT, [1, 4, 4, 4]) for name in SIZES],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_a_lower_limit_and_a_shared_bias_stay() -> None:
    generator = np.random.default_rng(1)
    maps = [
        {name: generator.normal(0, size, (1, 8, 4, 4)).astype(np.float32) for name, size in SIZES.items()}
        for _ in range(8)
    ]
    source = heads()
    wanted = onnxruntime.InferenceSession(source.SerializeToString()).run(None, maps[0])
    found = onnxruntime.InferenceSession(quantize_nodes(source, maps, list(SIZES))).run(None, maps[0])
    for right, answer in zip(wanted, found, strict=True):
        assert answer.min() >= LOW  # If Clip is quantised too, it is removed, and this is 0.23.
        np.testing.assert_allclose(answer, right, atol=0.1)
