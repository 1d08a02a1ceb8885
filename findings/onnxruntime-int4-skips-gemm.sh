#!/usr/bin/env bash
# ONNX Runtime's 4-bit quantiser leaves every Gemm at 32 bits, and a head or an MLP that torch exports is a Gemm.
#
# Versions:  onnxruntime 1.32.0, onnx 1.23.2, onnx-ir 1.1.0; Python 3.11 or newer.
# Behaviour: the same layer of 256 x 256 weights, written as MatMul and Add, shrinks from 263 to 36 kB. As a Gemm
#            (torch.nn.Linear with an input of two axes), it keeps its size. Nothing is raised; the log says only
#            "skip to quantize" at INFO, as it does for the Add. Static 8-bit quantisation treats both alike.
# Source:    onnxruntime/quantization/matmul_nbits_quantizer.py: only nodes of type MatMul and Gather are replaced.
# For users: after int4, count the nodes MatMulNBits, or compare the size of the file; write Gemm as MatMul and Add
#            before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 onnx-ir==1.1.0 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer


def linear(kind: str) -> onnx.ModelProto:
    """One layer x @ w + b of 256 x 256 weights."""
    if kind == "Gemm":
        nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"])]
    else:
        nodes = [helper.make_node("MatMul", ["x", "w"], ["xw"]), helper.make_node("Add", ["xw", "b"], ["y"])]
    weights = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32)
    tensors = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.zeros(256, np.float32), "b")]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 256]) for name in "xy")
    graph = helper.make_graph(nodes, kind, [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


def sizes(kind: str) -> tuple[int, int]:
    model = linear(kind)
    before = model.ByteSize()
    quantizer = MatMulNBitsQuantizer(model, bits=4)
    quantizer.process()
    found = quantizer.model.model
    print(f"{kind}: {before} -> {found.ByteSize()} bytes, nodes {[node.op_type for node in found.graph.node]}")
    return before, found.ByteSize()


before, after = sizes("MatMul")
assert after < before / 5, "MatMul is no longer stored in 4 bits"
before, after = sizes("Gemm")
assert after >= before, "Gemm is quantised now"
PYTHON
