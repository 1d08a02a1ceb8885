"""Release of the expression network's 8-bit variant, and of the small network of the trial.

The variant is made from the embedded file itself. Weights that stay out of 8 bits are stored in 16.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
from onnx import helper, numpy_helper

from visavis.base import networks
from visavis.base.int8 import BRANCHES, SUFFIX, TRIAL
from visavis.datasets import fer2013 as fer
from visavis_train.expression.distillation import onnx_teacher
from visavis_train.expression.quantize.methods import gray_faces, static_int8
from visavis_train.expression.quantize.network import Network
from visavis_train.expression.release import score_reader
from visavis_train.onnx.export import ASSETS, current_commit, register
from visavis_train.onnx.int8 import quantize_nodes
from visavis_train.onnx.storage import halve

# Convolutions with fewer weights stay in 32 bits: the first ones, which lose most and gain least (LOG.md).
EXPRESSION_WEIGHTS = 10_000
# The trial: two convolutions of this many channels at this size.
CHANNELS, SIDE = 48, 16


def release_int8(fer2013: Path) -> dict[str, float]:
    """Write ``expression_int8`` and ``int8_trial`` into the assets; returns the score of the first.

    The face network has no such variant: one file stores some of its layers in 8 bits.

    Args:
        fer2013: folder of FER-2013; its Training faces calibrate, and PublicTest judges.

    Raises:
        InputError: data are missing.
        WeightsError: an embedded network is missing or was changed.
    """
    commit = current_commit()
    score = _release_expression(fer2013, commit)
    terms = {"licence": "Apache-2.0", "training_data": "random numbers"}
    _write(TRIAL, trial_network(), commit, {}, terms)
    return score


def _release_expression(fer2013: Path, commit: str) -> dict[str, float]:
    network = Network.load(ASSETS / networks.manifest()["expression"].file)
    data = fer.load(fer2013)
    faces = gray_faces(data.faces("Training"), network.classifier().side_px)
    made = static_int8(network, faces, EXPRESSION_WEIGHTS)
    target = _write("expression" + SUFFIX, made, commit, {})
    found = score_reader(onnx_teacher(target, 1), data.faces("PublicTest"))
    score = {
        "public_test_fer2013_accuracy": round(found.accuracy, 4),
        "public_test_ferplus_accuracy": round(found.ferplus_accuracy, 4),
    }
    _write("expression" + SUFFIX, made, commit, score)
    return score


def trial_network() -> bytes:
    """The same two convolutions of random weights twice: of the input ``float32``, and in 8 bits of ``int8``.

    Both inputs are (N, C, S, S); 0 pictures for one of them leave out its half.
    """
    random = np.random.default_rng(0)
    shape = (CHANNELS, SIDE, SIDE)
    nodes, tensors, inputs, outputs = [], [], [], []
    for branch in BRANCHES:
        last = branch
        inputs.append(helper.make_tensor_value_info(branch, onnx.TensorProto.FLOAT, [f"{branch}_n", *shape]))
        for layer in range(2):
            values = random.normal(0, 0.05, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
            weight, out, shown = (f"{branch}_{layer}_{what}" for what in ("weight", "sum", "shown"))
            tensors.append(numpy_helper.from_array(values, weight))
            nodes.append(helper.make_node("Conv", [last, weight], [out], name=out, pads=[1, 1, 1, 1]))
            nodes.append(helper.make_node("Relu", [out], [shown]))
            last = shown
        outputs.append(helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, [f"{branch}_n", *shape]))
    graph = helper.make_graph(nodes, "trial", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    feeds = [
        {branch: random.random((2, CHANNELS, SIDE, SIDE), np.float32) for branch in BRANCHES}
        for _ in range(4)
    ]
    return quantize_nodes(model, feeds, ["int8_0_sum", "int8_1_sum"])


def _write(
    name: str,
    data: bytes,
    commit: str,
    score: Mapping[str, float],
    terms: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Write a network and its entry in the manifest: the expression network's, with other terms if given."""
    model = onnx.load_model_from_string(data)
    halve(model)
    target = ASSETS / f"{name}.onnx"
    onnx.save(model, target)
    like = networks.manifest()["expression"]
    facts = {"licence": like.licence, "training_data": like.training_data, "config": like.config, **terms}
    register(ASSETS / networks.MANIFEST, name, target, {**facts, "commit": commit, "score": dict(score)})
    return target
