#!/usr/bin/env bash
# OpenVINO makes a picture small without a filter if the network comes as ONNX, and with it if the same network comes from torch.
#
# Versions:  openvino 2026.4.1, onnxruntime 1.32.0, onnx 1.23.2, numpy 2.2.6; Python 3.10 or newer, x86-64.
# Behaviour: Resize with antialias=1, as torch exports interpolate(antialias=True), takes stripes of one pixel from 256 x 256 to
#            48 x 48. ONNX Runtime gives an even gray, with a spread of less than 0.01, black to white being 1. OpenVINO gives
#            0.27, and 0.34 in cubic mode: stripes that were not there, the same as with antialias=0. Nothing is said. Its own
#            modes bilinear_pillow and bicubic_pillow, which its converter from torch takes for the same function, give the gray.
# Source:    ONNX, Resize: with antialias, "linear" and "cubic" use an antialiasing filter when downscaling. OpenVINO's
#            src/frontends/onnx/frontend/src/op/resize.cpp makes an Interpolate-11, mode linear_onnx or cubic, with antialias.
#            The specification of Interpolate-11 says that the two pillow modes ignore the flag, and names no other mode; the
#            CPU's linear_onnx and cubic do, too. For cubic, it is issue 35893 of openvinotoolkit/openvino, of May 2026.
# For users: a network that makes faces small by itself then sees moire in hair, cloth and screens. Convert from torch, or make
#            the faces small before the network. We run our networks in ONNX Runtime, and none that we ship holds such a Resize;
#            a retrained expression network holds one if its pictures are smaller than its faces.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import numpy as np
import onnxruntime
import openvino as ov
from onnx import TensorProto, helper, numpy_helper
from openvino import opset11

LARGE, SMALL = 256, 48
stripes = np.zeros((1, 1, LARGE, LARGE), np.float32)
stripes[..., ::2] = 1
exact = {"INFERENCE_PRECISION_HINT": "f32"}


def network(mode, antialias):
    """As torch exports it."""
    cubic = {"cubic_coeff_a": -0.5} if mode == "cubic" else {}
    node = helper.make_node("Resize", ["x", "", "", "size"], ["y"], mode=mode, antialias=antialias, **cubic)
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, n, n]) for name, n in (("x", LARGE), ("y", SMALL))
    )
    size = numpy_helper.from_array(np.array([1, 1, SMALL, SMALL]), "size")
    graph = helper.make_graph([node], "small", [x], [y], [size])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


def spread(picture):
    """How far the middle is from an even gray; at the sides, filters differ."""
    return float(picture[0, 0, 4:-4, 4:-4].std())


def openvino(model):
    return ov.Core().compile_model(model, "CPU", exact)([stripes])[0]


def of_file(mode, antialias):
    return openvino(ov.Core().read_model(network(mode, antialias)))


def of_pillow(mode):
    x = opset11.parameter([1, 1, LARGE, LARGE], np.float32)
    sizes, axes = opset11.constant(np.array([SMALL, SMALL])), opset11.constant(np.array([2, 3]))
    coefficient = {"cube_coeff": -0.5} if mode == "bicubic_pillow" else {}
    return openvino(ov.Model([opset11.interpolate(x, sizes, mode, "sizes", axes=axes, **coefficient)], [x]))


for mode, pillow in (("linear", "bilinear_pillow"), ("cubic", "bicubic_pillow")):
    runtime = onnxruntime.InferenceSession(network(mode, 1)).run(None, {"x": stripes})[0]
    found = {
        "ONNX Runtime, antialias=1": spread(runtime),
        "OpenVINO, antialias=1": spread(of_file(mode, 1)),
        "OpenVINO, antialias=0": spread(of_file(mode, 0)),
        f"OpenVINO, {pillow}": spread(of_pillow(pillow)),
    }
    for name, value in found.items():
        print(f"{mode:6} {name:25} spread {value:.3f}")
    even, with_it, without, as_torch = found.values()
    assert even < 0.03 and as_torch < 0.03, "the filter has changed"
    assert with_it == without and with_it > 0.2, "the behaviour of OpenVINO has changed"
PYTHON
