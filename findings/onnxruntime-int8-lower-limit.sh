#!/usr/bin/env bash
# ONNX Runtime's 8-bit quantiser removes Clip(0.25, 4) after a convolution, and the lower limit with it: values go to 0.
#
# Versions:  onnxruntime 1.32.0, onnx 1.23.2, onnx-ir 1.1.0, numpy 2.2.6; Python 3.11 or newer.
# Behaviour: a head predicts a spread: a convolution and torch.clamp(x, 0.25, 4). Calibration sees 0.25 to 4 only.
#            After quantize_static with its defaults, the node Clip is gone and the spread goes down to 0, on the same faces
#            that it was calibrated with; 1 / spread, at most 4 before, is infinite. The upper limit holds.
#            Clip(-1, 1) is replaced rightly, as ReLU is, so the removal is easily taken for exact.
# Source:    onnxruntime/quantization/operators/activation.py, QDQRemovableActivation: the range of 8 bits shall do the work
#            of Clip. Each range is widened to hold 0 (quant_utils.py, compute_scale_zp), so no limit above 0 is left.
# For users: extra_options={"QDQKeepRemovableActivations": True}. Our int8 quantises products only, and keeps Clip.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 onnx-ir==1.1.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import logging

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, quantize_static

logging.disable(logging.WARNING)
generator = np.random.default_rng(0)
faces = [{"face": generator.normal(0, 2, (1, 8, 16, 16)).astype(np.float32)} for _ in range(4)]


class Faces(CalibrationDataReader):
    def __init__(self):
        self.left = iter(faces)

    def get_next(self):
        return next(self.left, None)


def network(low: float, high: float) -> onnx.ModelProto:
    weights = generator.normal(0, 0.5, (4, 8, 1, 1)).astype(np.float32)
    weights[0] *= 0.1  # One output is small, so that the limits differ from it.
    nodes = [
        helper.make_node("Conv", ["face", "weights"], ["free"], name="conv"),
        helper.make_node("Clip", ["free", "low", "high"], ["spread"], name="clip"),
    ]
    values = {"weights": weights, "low": np.float32(low), "high": np.float32(high)}
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("face", TensorProto.FLOAT, [1, 8, 16, 16])],
        [helper.make_tensor_value_info("spread", TensorProto.FLOAT, [1, 4, 16, 16])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def answers(path: str) -> tuple[float, float]:
    """The least and the greatest answer to the faces of calibration."""
    session = onnxruntime.InferenceSession(path)
    outputs = [session.run(None, face)[0] for face in faces]
    return float(np.min(outputs)), float(np.max(outputs))


for low, high in ((0.25, 4.0), (-1.0, 1.0)):
    onnx.save(network(low, high), "float.onnx")
    print(f"Clip({low}, {high}), 32 bits: {answers('float.onnx')}")
    for options in ({}, {"QDQKeepRemovableActivations": True}):
        quantize_static("float.onnx", "int8.onnx", Faces(), extra_options=options)
        kept = "Clip" in [node.op_type for node in onnx.load("int8.onnx").graph.node]
        least, greatest = answers("int8.onnx")
        print(f"  8 bits {options or 'as usual'}: Clip {'kept' if kept else 'removed'}; {least:.3f} to {greatest:.3f}")
        step = (high - min(low, 0)) / 255
        assert kept == bool(options) and abs(greatest - high) < 2 * step, "the behaviour has changed"
        assert least == 0 if low > 0 and not kept else abs(least - low) < 2 * step, "the behaviour has changed"
PYTHON
