#!/usr/bin/env bash
# onnx2torch sums from the end: a network with torch.cumsum, written to ONNX and read back, adds up a movement backwards in time.
#
# Versions:  onnx2torch 1.5.15, onnx 1.23.2, onnxruntime 1.32.0, torch 2.14.1 (CPU), numpy 2.2.6; Python 3.10 or newer.
# Behaviour: torch.cumsum of the steps [1, 2, 3, 4] is [1, 3, 6, 10], and so is the file of torch's exporter with dynamo=False, in
#            ONNX Runtime and in onnx's own evaluator. onnx2torch.convert() of the file gives [10, 9, 7, 4]. Nothing is said. With
#            "reverse" written into the file as 0, the converted network is right.
# Source:    ONNX, CumSum: "reverse: int (default is 0)". onnx2torch/node_converters/cumsum.py takes 1 where the attribute is
#            not written. Torch's exporter with dynamo=False, the default up to torch 2.8, does not write it; the newer exporter
#            writes 0. A stream of one step at a time shows no fault, since the sum of one step is this step.
# For users: places from speeds, numbers of positions from a mask and ends of phonemes from their lengths are such sums. Write
#            the attribute before converting, as below, and compare the converted network with the file. We do not read ONNX
#            back into torch.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx2torch==1.5.15 onnx==1.23.2 onnxruntime==1.32.0 torch==2.14.1 numpy==2.2.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import io

import onnx
import onnxruntime
import torch
from onnx.reference import ReferenceEvaluator
from onnx2torch import convert


class Places(torch.nn.Module):
    def forward(self, steps):
        return torch.cumsum(steps, 1)


steps = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
stream = io.BytesIO()
torch.onnx.export(Places(), (steps,), stream, input_names=["steps"], dynamo=False, opset_version=17)
exported, mended = onnx.load_from_string(stream.getvalue()), onnx.load_from_string(stream.getvalue())
for node in mended.graph.node:
    if node.op_type == "CumSum":
        node.attribute.append(onnx.helper.make_attribute("reverse", 0))
feed = {"steps": steps.numpy()}
found = {
    "torch": Places()(steps),
    "onnx": ReferenceEvaluator(exported).run(None, feed)[0],
    "ONNX Runtime": onnxruntime.InferenceSession(stream.getvalue()).run(None, feed)[0],
    "onnx2torch": convert(exported)(steps),
    "onnx2torch, reverse=0 in the file": convert(mended)(steps),
}
for name, places in found.items():
    print(f"{name:34} {places[0].tolist()}")
    right = [10, 9, 7, 4] if name == "onnx2torch" else [1, 3, 6, 10]
    assert places[0].tolist() == right, "the behaviour has changed"
PYTHON
