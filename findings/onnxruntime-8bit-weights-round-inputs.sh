#!/usr/bin/env bash
# A network with only its weights in 8 bits answers differently in newer versions of ONNX Runtime: they round its inputs, too.
#
# Versions:  onnxruntime 1.24.4 and 1.32.0, onnx 1.23.2, numpy 2.2.6; Python 3.11 or newer; x86-64 with AVX2 or newer.
# Behaviour: a dense layer with weights in 8 bits (DequantizeLinear with blocks of 32, then MatMul) is an exact statement:
#            inputs times widened weights. 1.24.4 answers to 6 digits. 1.32.0 makes it MatMulNBits and rounds the inputs
#            to 8 bits: the largest error is 2% of the answers' spread. Nothing is logged. With the session's entry
#            session.qdq_matmulnbits_accuracy_level = 1 it is as exact as before.
# Source:    https://github.com/microsoft/onnxruntime/pull/27769 and the entry's comment in
#            onnxruntime_session_options_config_keys.h (the default is 4, 8-bit inputs).
# For users: measure a network's error in the version that will run it, and set the level where it matters. Our face network
#            is stored in this way; VISAVIS_INT8=off computes it in 32 bits, and a test compares the two.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > layer.py <<'PYTHON'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

INPUTS, OUTPUTS, BLOCK = 256, 64, 32
rng = np.random.default_rng(0)
stored = rng.integers(-127, 128, (INPUTS, OUTPUTS)).astype(np.int8)
scales = rng.uniform(1e-3, 2e-3, (INPUTS // BLOCK, OUTPUTS)).astype(np.float32)
nodes = [
    helper.make_node("DequantizeLinear", ["stored", "scales"], ["weights"], axis=0, block_size=BLOCK),
    helper.make_node("MatMul", ["x", "weights"], ["y"]),
]
ends = [
    helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", INPUTS), ("y", OUTPUTS))
]
tensors = [numpy_helper.from_array(stored, "stored"), numpy_helper.from_array(scales, "scales")]
graph = helper.make_graph(nodes, "layer", ends[:1], ends[1:], tensors)
data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()
x = rng.normal(size=(8, INPUTS)).astype(np.float32)
exact = x.astype(np.float64) @ (stored * scales.repeat(BLOCK, axis=0).astype(np.float64))


def error(level):
    """The largest error as a share of the answers' spread."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 2
    if level is not None:
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", str(level))
    found = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    return float(np.abs(found - exact).max() / exact.std())


usual, first = error(None), error(1)
print(f"onnxruntime {onnxruntime.__version__}: largest error {usual:.1e} of the answers' spread; at level 1: {first:.1e}")
assert (usual < 1e-5) == (sys.argv[1] == "exact"), "the inputs' rounding changed"
assert first < 1e-5, "level 1 is no longer exact"
PYTHON
for version in "1.24.4 exact" "1.32.0 rounded"; do
    read -r number expected <<< "$version"
    python3 -m venv "venv_$number"
    "venv_$number/bin/pip" install --quiet "onnxruntime==$number" onnx==1.23.2 numpy==2.2.6
    "venv_$number/bin/python" layer.py "$expected" || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
done
