#!/usr/bin/env bash
# ONNX Runtime adds pairs to pairs ten times slower than a matrix product gives the same sums.
#
# Versions:  onnxruntime 1.32.0, onnx 1.23.2, numpy 2.2.6; Python 3.11 or newer. One thread of a processor (x86-64).
# Behaviour: 36 offsets (36, 2) are added to each of 146 landmarks (146, 1, 2), as grid_sample needs it for patches around
#            landmarks. Add takes about 46 microseconds, and 4 for two whole arrays of the result's size. Gemm with the
#            offsets as its bias gives the same 10,512 sums, to the last bit, in 5 microseconds.
# Source:    measured by this script, with all of ONNX Runtime's graph optimisations on (the default).
# For users: write the sum of many pairs as a linear layer with a fixed weight. Our face network does (places_around in
#            visavis_train/face/parts.py): 5% of a call.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

POINTS, OFFSETS = 146, 36
rng = np.random.default_rng(0)
offsets = rng.normal(size=(OFFSETS, 2)).astype(np.float32)
landmarks = rng.normal(size=(POINTS, 1, 2)).astype(np.float32)


def network(kind, constants, shape):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph([helper.make_node(kind, ["x", *constants], ["y"])], "sums", inputs, outputs, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def measure(session, x):
    """The sums, and the microseconds of a call: the shortest mean of 100 calls."""
    sums, best = session.run(None, {"x": x})[0], np.inf
    for _ in range(40):
        start = time.perf_counter()
        for _ in range(100):
            session.run(None, {"x": x})
        best = min(best, (time.perf_counter() - start) * 1e4)
    return sums.reshape(POINTS, OFFSETS, 2), best


add, add_us = measure(network("Add", {"b": offsets}, [POINTS, 1, 2]), landmarks)
whole = np.broadcast_to(landmarks, (POINTS, OFFSETS, 2)).copy()
again = np.broadcast_to(offsets, whole.shape).copy()
flat, flat_us = measure(network("Add", {"b": again}, list(whole.shape)), whole)
eye = np.tile(np.eye(2, dtype=np.float32), (1, OFFSETS))
gemm, gemm_us = measure(network("Gemm", {"w": eye, "b": offsets.reshape(-1)}, [POINTS, 2]), landmarks[:, 0])
print(f"Add of pairs:              {add_us:6.1f} us")
print(f"Add of two whole arrays:   {flat_us:6.1f} us")
print(f"Gemm with a bias:          {gemm_us:6.1f} us, {add_us / gemm_us:.1f} times faster than the Add of pairs")
assert np.array_equal(add, gemm) and np.array_equal(add, flat)
assert add_us > 4 * gemm_us and add_us > 4 * flat_us
PYTHON
echo "ONNX Runtime 1.32.0: Add of pairs to many pairs is much slower than the same sums by Gemm"
