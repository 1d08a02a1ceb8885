#!/usr/bin/env bash
# OnnxSlim and ONNX GraphSurgeon draw a network's noise once and store it: a generator then gives one answer for ever.
#
# Versions:  onnxslim 0.1.98, onnx-graphsurgeon 0.6.1, onnxsim 0.8.1, onnxruntime 1.32.0, onnx 1.23.2; Python 3.11 or newer.
# Behaviour: a network adds noise to its input, as a diffusion model or a VAE does in its graph: RandomNormal of a fixed
#            shape, or RandomNormalLike or Bernoulli of a constant. Eight runs of the network give eight answers. After
#            onnxslim.slim() or fold_constants() of GraphSurgeon, the node is gone, and eight runs give one answer.
#            Nothing is said. onnxsim and ONNX Runtime's own optimiser leave the node.
# Source:    onnx_graphsurgeon/ir/graph.py, fold_constants(), of which OnnxSlim has a copy: nodes whose inputs are all
#            constant are run once. A node without inputs is such a node, and no list of random operators is asked.
# For users: draw outside of the network and give it the numbers, as our listener does, or call slim(model,
#            skip_optimizations=["constant_folding"]). A check of the network against its original by one answer does not
#            show the fault; run it twice.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxslim==0.1.98 onnx-graphsurgeon==0.6.1 onnxsim==0.8.1 onnxruntime==1.32.0 \
    onnx==1.23.2 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import numpy as np
import onnx
import onnx_graphsurgeon
import onnxruntime
import onnxsim
import onnxslim
from onnx import TensorProto, helper, numpy_helper


def network(operator: str) -> onnx.ModelProto:
    """A network whose output is its input plus noise."""
    inputs, attributes = ([], {"shape": [1, 4]}) if operator == "RandomNormal" else (["half"], {})
    nodes = [
        helper.make_node(operator, inputs, ["noise"], name="draw", **attributes),
        helper.make_node("Add", ["x", "noise"], ["y"], name="add"),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    half = numpy_helper.from_array(np.full((1, 4), 0.5, np.float32), "half")
    graph = helper.make_graph(nodes, "noisy", values[:1], values[1:], [half])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def answers(model: onnx.ModelProto) -> int:
    """The number of different answers to the same input in eight runs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    face = {"x": np.zeros((1, 4), np.float32)}
    return len({session.run(None, face)[0].tobytes() for _ in range(8)})


ways = {
    "as made": lambda model: model,
    "onnxsim": lambda model: onnxsim.simplify(model)[0],
    "OnnxSlim": onnxslim.slim,
    "OnnxSlim, no folding": lambda model: onnxslim.slim(model, skip_optimizations=["constant_folding"]),
    "GraphSurgeon": lambda model: onnx_graphsurgeon.export_onnx(
        onnx_graphsurgeon.import_onnx(model).fold_constants().cleanup()
    ),
}
for operator in ("RandomNormal", "RandomNormalLike", "Bernoulli"):
    for name, way in ways.items():
        model = way(network(operator))
        nodes, found = [node.op_type for node in model.graph.node], answers(model)
        print(f"{operator:17} {name:21} {' + '.join(nodes):24} different answers in 8 runs: {found}")
        frozen = name in ("OnnxSlim", "GraphSurgeon")
        assert (operator in nodes) != frozen and (found == 1) == frozen, "the behaviour has changed"
PYTHON
