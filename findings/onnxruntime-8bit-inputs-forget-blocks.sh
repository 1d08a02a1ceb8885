#!/usr/bin/env bash
# ONNX Runtime multiplies 8-bit inputs by weights in blocks wrongly: it adds the blocks' sums with one block's scale.
#
# Versions:  onnxruntime 1.32.0, onnx 1.23.2, numpy 2.2.6; Python 3.11 or newer.
# Behaviour: a dense layer may have 8-bit weights with a scale for each block of 32 inputs (DequantizeLinear with block_size,
#            opset 21), and 8-bit inputs (QuantizeLinear, DequantizeLinear). Each alone is computed correctly. With both,
#            ONNX Runtime fuses them to MatMulIntegerToFloat, which knows no blocks. One row of inputs: the answers are wrong
#            by half of their spread, and nothing is logged. As many rows as blocks: the first row gets the scales of the
#            first block for all its blocks, and so on. Any other number of rows: the call fails. The same file with
#            session.disable_quant_qdq = 1 is exact.
# Source:    https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html (block_size), and the measurement below.
# For users: do not put quantised activations directly in front of a layer with blocks, and compare the file's answers with
#            the original's. Our face network has both kinds of layers, never one after the other; our exporter compares its
#            answers in both modes before a file is written.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.2.6
cd "$folder"
cat > layer.py <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper

BLOCK, BLOCKS, OUTPUTS, STEP = 32, 2, 8, 1 / 32
INPUTS = BLOCK * BLOCKS
rng = np.random.default_rng(0)
stored = rng.integers(-127, 128, (INPUTS, OUTPUTS)).astype(np.int8)
scales = rng.uniform(1e-3, 4e-3, (BLOCKS, OUTPUTS)).astype(np.float32)
dense = [
    helper.make_node("DequantizeLinear", ["stored", "scales"], ["weights"], axis=0, block_size=BLOCK),
    helper.make_node("MatMul", ["inputs", "weights"], ["y"]),
]
rounding = [
    helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["levels"]),
    helper.make_node("DequantizeLinear", ["levels", "step", "zero"], ["inputs"]),
]
values = {"stored": stored, "scales": scales, "step": np.float32(STEP), "zero": np.uint8(128)}


def error(rows, rounded, disabled=False):
    """The largest error as a share of the answers' spread, or what went wrong."""
    x = np.clip(np.rint(rng.normal(size=(rows, INPUTS)) / STEP), -128, 127).astype(np.float32) * np.float32(STEP)
    ends = [("x" if rounded else "inputs", INPUTS), ("y", OUTPUTS)]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in ends]
    used = values if rounded else {name: values[name] for name in ("stored", "scales")}
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in used.items()]
    graph = helper.make_graph(rounding * rounded + dense, "layer", infos[:1], infos[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 2 if rows in (1, BLOCKS) else 4
    options.add_session_config_entry("session.disable_quant_qdq", str(int(disabled)))
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    try:
        found = session.run(None, {ends[0][0]: x})[0]
    except Exception:
        return "fails"
    exact = x.astype(np.float64) @ (stored * scales.repeat(BLOCK, axis=0).astype(np.float64))
    return round(float(np.abs(found - exact).max() / exact.std()), 3)


rows = (1, 2, 3)
plain, both, off = ([error(n, *how) for n in rows] for how in ((False,), (True,), (True, True)))
print(f"rows                                 {rows}")
print(f"weights in blocks, plain inputs      {plain}")
print(f"weights in blocks, 8-bit inputs      {both}")
print(f"the same, session.disable_quant_qdq  {off}")
assert max(plain) < 0.05, "plain inputs are no longer right"
assert both[0] > 0.1, "one row is right now"
assert both[1] > 0.1, "as many rows as blocks are right now"
assert both[2] == "fails", "other numbers of rows do not fail now"
assert max(off) < 0.001, "without the fusion the answers are not exact"
PYTHON
venv/bin/python layer.py || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
