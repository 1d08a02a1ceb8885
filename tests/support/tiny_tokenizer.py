"""A tokenizer that is easy to compute: token k is the mean of channel k over the window, in sixteenths."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.reaction.tokenizer import DECODER_KIND, ENCODER_KIND

LEVELS = 16
MEAN = np.full(len(FACE_CHANNELS), 0.3, np.float32)


def notes(kind: str, depth: int, window: int) -> dict[str, Any]:
    return {
        "kind": kind,
        "quantizer": "fsq",
        "vocabulary": [LEVELS] * depth,
        "window": window,
        "mean": MEAN.tolist(),
        "channels": list(FACE_CHANNELS),
        "emotion_channels": list(EXPRESSION_CHANNELS),
        "pair": f"{depth}-{window}",
    }


def write(
    folder: Path,
    depth: int = 1,
    window: int = 1,
    changes: Mapping[str, Any] | None = None,
    channels: Sequence[int] | None = None,
) -> list[Path]:
    """Write encoder and decoder; ``changes`` go into both files' metadata.

    ``channels`` are those that the tokens are of, where not the first ones.
    """
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    face, expression = len(FACE_CHANNELS), len(EXPRESSION_CHANNELS)
    columns = np.arange(depth) if channels is None else np.asarray(channels)

    def constant(name: str, value: Any) -> Any:
        return onnx.numpy_helper.from_array(np.asarray(value), name)

    encoder = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["windows", "axis"], ["now"], keepdims=0),
            helper.make_node("Gather", ["now", "columns"], ["few"], axis=1),
            helper.make_node("Mul", ["few", "levels"], ["scaled"]),
            helper.make_node("Floor", ["scaled"], ["floor"]),
            helper.make_node("Clip", ["floor", "least", "most"], ["inside"]),
            helper.make_node("Cast", ["inside"], ["tokens"], to=kinds.INT64),
        ],
        "encoder",
        [helper.make_tensor_value_info("windows", kinds.FLOAT, ["n", window, face])],
        [helper.make_tensor_value_info("tokens", kinds.INT64, ["n", depth])],
        [
            constant("axis", np.asarray([1], np.int64)),
            constant("columns", columns),
            constant("levels", np.float32(LEVELS)),
            constant("least", np.float32(0)),
            constant("most", np.float32(LEVELS - 1)),
        ],
    )
    # Channel k of the decoded face is the middle of what token k stands for; the others are 0.
    chosen = np.eye(face, dtype=np.float32)[columns]
    decoder = helper.make_graph(
        [
            helper.make_node("Cast", ["tokens"], ["numbers"], to=kinds.FLOAT),
            helper.make_node("Add", ["numbers", "half"], ["middles"]),
            helper.make_node("Div", ["middles", "levels"], ["values"]),
            helper.make_node("MatMul", ["values", "chosen"], ["face"]),
            helper.make_node("MatMul", ["values", "felt"], ["emotion"]),
        ],
        "decoder",
        [helper.make_tensor_value_info("tokens", kinds.INT64, ["n", depth])],
        [
            helper.make_tensor_value_info("face", kinds.FLOAT, ["n", face]),
            helper.make_tensor_value_info("emotion", kinds.FLOAT, ["n", expression]),
        ],
        [
            constant("half", np.float32(0.5)),
            constant("levels", np.float32(LEVELS)),
            constant("chosen", chosen),
            constant("felt", chosen[:, :expression]),
        ],
    )
    paths = []
    for graph, kind in ((encoder, ENCODER_KIND), (decoder, DECODER_KIND)):
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        for key, value in {**notes(kind, depth, window), **(changes or {})}.items():
            model.metadata_props.add(key=key, value=json.dumps(value))
        paths.append(folder / f"{graph.name}.onnx")
        onnx.save(model, paths[-1])
    return paths
