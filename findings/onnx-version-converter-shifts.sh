#!/usr/bin/env bash
# onnx's version converter shifts heat maps: what opset 9 or 10 enlarges lies 1.5 pixels further right and down in opset 11.
#
# Versions:  onnx 1.23.2, onnxruntime 1.32.0, numpy 2.2.6; Python 3.11 or newer.
# Behaviour: a heat map of 16 x 16 is enlarged four times by a linear Upsample (opset 9) or Resize (opset 10). After
#            onnx.version_converter.convert_version() to 11 or newer, its peak lies 1.5 pixels further right and down, and the
#            network passes onnx.checker. ONNX Runtime's quantize_static converts a network of opset 9 by itself, so the
#            8-bit network is shifted as well, and the shift looks like a loss by 8 bits. Hardmax without an axis,
#            converted from 11 to 13, chooses in each row of the last axis, and no longer in all values of a sample.
# Source:    Upsample-9 and Resize-10 read the place x / scale. Resize-11 has coordinate_transformation_mode, whose
#            default "half_pixel" reads (x + 0.5) / scale - 0.5; "asymmetric" is the old way. adapters/resize_10_11.h adds the
#            new input and leaves the attribute out: issue 8480 of onnx/onnx. The converter has Hardmax registered
#            as compatible; it gives Softmax a Flatten. The quantiser warns: "Please verify the quantized model."
# For users: face networks of 2019 and 2020 are of these opsets. Set coordinate_transformation_mode="asymmetric" on each linear
#            Resize after converting, or export anew, and compare outputs before you quantise. We export opset 18 by torch.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 onnx-ir==1.1.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import logging

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.version_converter import convert_version
from onnxruntime.quantization import CalibrationDataReader, quantize_static

logging.disable(logging.WARNING)
SMALL, SCALE = 16, 4
LARGE = SMALL * SCALE
down, right = np.mgrid[:SMALL, :SMALL]
heat = np.exp(-((down - 6) ** 2 + (right - 9) ** 2) / 4).astype(np.float32)[None, None]


def network(nodes, opset, shape, initializers=()):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in zip("xy", shape)]
    graph = helper.make_graph(nodes, "face", values[:1], values[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def enlarger(kind, opset):
    weights = [
        helper.make_tensor("weight", TensorProto.FLOAT, [1, 1, 1, 1], [1.0]),
        helper.make_tensor("scale", TensorProto.FLOAT, [4], [1, 1, SCALE, SCALE]),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["map"]),
        helper.make_node(kind, ["map", "scale"], ["y"], mode="linear"),
    ]
    return network(nodes, opset, ([1, 1, SMALL, SMALL], [1, 1, LARGE, LARGE]), weights)


def answer(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def place(model):
    """The mean place (right, down) of the heat."""
    onnx.checker.check_model(model, full_check=True)
    y = answer(model, heat)[0, 0]
    rows, columns = np.mgrid[:LARGE, :LARGE]
    return np.array([(y * columns).sum(), (y * rows).sum()]) / y.sum()


class Pictures(CalibrationDataReader):
    def __init__(self):
        self.left = iter([{"x": heat}])

    def get_next(self):
        return next(self.left, None)


def quantised(model):
    onnx.save(model, "float.onnx")
    quantize_static("float.onnx", "int8.onnx", Pictures())
    return onnx.load("int8.onnx")


old = enlarger("Upsample", 9)
repaired = convert_version(old, 18)
for node in repaired.graph.node:
    if node.op_type == "Resize":
        node.attribute.append(helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
models = {
    "Upsample, opset 9": (old, 0),
    "converted to 10": (convert_version(old, 10), 0),
    "converted to 11": (convert_version(old, 11), 1.5),
    "converted to 18": (convert_version(old, 18), 1.5),
    "converted to 18, asymmetric": (repaired, 0),
    "quantised to 8 bits": (quantised(old), 1.5),
    "Resize, opset 10": (enlarger("Resize", 10), 0),
    "Resize, converted to 18": (convert_version(enlarger("Resize", 10), 18), 1.5),
}
for name, (model, shift) in models.items():
    found = place(model)
    print(f"{name}: the heat lies at {found[0]:.2f}, {found[1]:.2f}")
    assert np.allclose(found, [36 + shift, 24 + shift], atol=0.1), f"expected a shift of {shift}"

scores = np.array([[[0.1, 0.9], [0.8, 0.2]]], np.float32)
choice = network([helper.make_node("Hardmax", ["x"], ["y"])], 11, (scores.shape, scores.shape))
chosen = [int(answer(model, scores).sum()) for model in (choice, convert_version(choice, 13))]
print(f"Hardmax chooses {chosen[0]} of 2 x 2 values in opset 11, and {chosen[1]} converted to 13")
assert chosen == [1, 2], "other choices now"
PYTHON
