#!/usr/bin/env bash
# Of several dense layers stored in 8 bits, ONNX Runtime computes only the first one in 8 bits; it widens the others in each call.
#
# Versions:  onnxruntime 1.32.0, onnx 1.23.2, numpy 2.2.6; Python 3.11 or newer; x86-64. Found in 1.25.1, too.
# Behaviour: four layers in a row, each a DequantizeLinear with blocks of 32, a Gemm with a bias, and a Relu. One layer alone
#            becomes MatMulNBits, which multiplies by the bytes. Of four, the first does; three keep DequantizeLinear before
#            a FusedGemm, so all their weights are widened in each call, and the 8 bits cost time. MatMul and Add in place
#            of Gemm end in the same way, unless the optimiser MatMulAddFusion is off: then all four become MatMulNBits.
# Source:    https://github.com/microsoft/onnxruntime/pull/27769 (Gemm with a constant bias becomes MatMulNBits; no limit to
#            one layer is named there); the optimised graph that the session writes.
# For users: store layers as MatMul and Add, switch the optimiser off, and count MatMulNBits in the optimised graph. Our
#            export and sessions do (visavis_train/onnx/storage.py, visavis/base/networks.py); a test compares the answers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
from collections import Counter

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

WIDTH, BLOCK = 64, 32
rng = np.random.default_rng(0)


def network(layers, one_node):
    nodes, stored, last = [], [], "x"
    for i in range(layers):
        weights = rng.integers(-127, 128, (WIDTH, WIDTH)).astype(np.int8)
        scales = rng.uniform(1e-4, 1e-3, (WIDTH // BLOCK, WIDTH)).astype(np.float32)
        values = {f"q{i}": weights, f"s{i}": scales, f"b{i}": np.zeros(WIDTH, np.float32)}
        stored += [numpy_helper.from_array(value, name) for name, value in values.items()]
        nodes.append(helper.make_node("DequantizeLinear", [f"q{i}", f"s{i}"], [f"w{i}"], axis=0, block_size=BLOCK))
        if one_node:
            nodes.append(helper.make_node("Gemm", [last, f"w{i}", f"b{i}"], [f"z{i}"]))
        else:
            nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [f"p{i}"]))
            nodes.append(helper.make_node("Add", [f"p{i}", f"b{i}"], [f"z{i}"]))
        nodes.append(helper.make_node("Relu", [f"z{i}"], [f"y{i}"]))
        last = f"y{i}"
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", WIDTH]) for name in ("x", last)]
    graph = helper.make_graph(nodes, "layers", ends[:1], ends[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def computed(layers, one_node, without=()):
    """How many layers are computed in 8 bits, and how many are widened in each call."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = "optimised.onnx"
    options.log_severity_level = 3
    data = network(layers, one_node).SerializeToString()
    onnxruntime.InferenceSession(
        data, options, providers=["CPUExecutionProvider"], disabled_optimizers=list(without)
    )
    kinds = Counter(node.op_type for node in onnx.load("optimised.onnx").graph.node)
    return kinds["MatMulNBits"], kinds["DequantizeLinear"]


found = {
    "one Gemm": computed(1, True),
    "four Gemm": computed(4, True),
    "four MatMul and Add": computed(4, False),
    "four MatMul and Add, without MatMulAddFusion": computed(4, False, ["MatMulAddFusion"]),
}
for name, (bytes_, widened) in found.items():
    print(f"{name + ':':48}{bytes_} in 8 bits, {widened} widened in each call")
assert list(found.values()) == [(1, 0), (1, 3), (1, 3), (4, 0)], found
PYTHON
