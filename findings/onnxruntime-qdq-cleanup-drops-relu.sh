#!/usr/bin/env bash
# ONNX Runtime, asked to clean up a quantised network, forgets ReLUs: its answers become negative.
#
# Versions:  onnxruntime 1.32.0, onnx 1.23.2, numpy 2.2.6; Python 3.11 or newer.
# Behaviour: the entry session.enable_quant_qdq_cleanup removes the pairs of QuantizeLinear and DequantizeLinear that no 8-bit
#            kernel uses, to gain exactness. But before, another optimiser has removed each ReLU in front of a
#            QuantizeLinear whose range begins at 0, since the range clips as well. So with the pair, the clipping goes, too:
#            a network that ends in ReLU answers -3 for -3. The file has the ReLU (it was not removed by the quantiser),
#            and nothing is logged. session.disable_quant_qdq = 1 does not help; alone, it is right.
# Source:    https://github.com/microsoft/onnxruntime/pull/10659 (the entry) and https://github.com/microsoft/onnxruntime/pull/20616
#            (the quantiser's option to keep ReLUs, so that pairs can be removed later).
# For users: to run such a file in 32 bits, set only session.disable_quant_qdq, as visavis does: the answers stay rounded, but
#            right. A test compares our face network's answers in both modes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.2.6
cd "$folder"
cat > network.py <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper

nodes = [
    helper.make_node("Relu", ["x"], ["positive"]),
    helper.make_node("QuantizeLinear", ["positive", "scale", "zero"], ["stored"]),
    helper.make_node("DequantizeLinear", ["stored", "scale", "zero"], ["y"]),
]
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy")
tensors = [numpy_helper.from_array(np.float32(1 / 32), "scale"), numpy_helper.from_array(np.uint8(0), "zero")]
graph = helper.make_graph(nodes, "network", [x], [y], tensors)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
checker.check_model(model, full_check=True)


def answer(*entries):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 2
    for entry in entries:
        options.add_session_config_entry(f"session.{entry}", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.array([-3, 0, 2], np.float32)})[0].tolist()


print("input                            [-3.0, 0.0, 2.0]")
print("usual                           ", answer())
print("disable_quant_qdq               ", answer("disable_quant_qdq"))
print("enable_quant_qdq_cleanup        ", answer("enable_quant_qdq_cleanup"))
print("both                            ", answer("disable_quant_qdq", "enable_quant_qdq_cleanup"))
assert answer() == answer("disable_quant_qdq") == [0, 0, 2], "the usual answers changed"
assert answer("enable_quant_qdq_cleanup") == [-3, 0, 2], "the ReLU stays now"
assert answer("disable_quant_qdq", "enable_quant_qdq_cleanup") == [-3, 0, 2], "the ReLU stays now with both"
PYTHON
venv/bin/python network.py || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
