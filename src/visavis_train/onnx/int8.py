"""Static quantisation of chosen nodes to 8-bit weights and products, with ONNX Runtime's quantiser."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

from visavis.errors import WeightsError

Feed = dict[str, NDArray[Any]]
KINDS = ("Conv", "Gemm", "MatMul")
# onnxruntime.quantization requires this; export has already folded and shaped the graph.
_PREPARED = ("onnx.quant.pre_process", "onnxruntime.quant")


def quantize_nodes(source: onnx.ModelProto, feeds: Sequence[Feed], nodes: Sequence[str]) -> bytes:
    """Quantise nodes to 8 bits, with ranges of activations from the feeds.

    Unsigned activations, signed weights with a scale for each output, ranges from minimum to maximum: the
    best variant of those tried (docs/how-to/quantize.md). The sum of two 8-bit products overflows AVX2's 16
    bits; with 7-bit weights it never does, so all processors give the same answers.

    Args:
        source: the network in 32 bits.
        feeds: inputs of training data, batch by batch.
        nodes: names of the nodes (of :data:`KINDS`). A ReLU after one becomes a part of it: no level of its
            range is lost for what is negative.

    Raises:
        WeightsError: the result is not valid.
    """

    def run(model: onnx.ModelProto, out: Path) -> None:
        quantize_static(
            model,
            out,
            _Feeds(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*KINDS, "Relu"],
            nodes_to_quantize=[*nodes, *_relus_after(source, nodes)],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )

    return through_file(source, run, "int8")


def _relus_after(source: onnx.ModelProto, names: Collection[str]) -> list[str]:
    """The names of ReLUs that alone read one of the nodes."""
    readers: dict[str, list[onnx.NodeProto]] = {each.name: [] for each in source.graph.output}
    for node in source.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    after = [readers[node.output[0]] for node in source.graph.node if node.name in names]
    return [nodes[0].name for nodes in after if len(nodes) == 1 and nodes[0].op_type == "Relu"]


class _Feeds:
    """Gives inputs to the quantiser once, batch by batch: a CalibrationDataReader."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


def through_file(source: onnx.ModelProto, run: Callable[[onnx.ModelProto, Path], None], method: str) -> bytes:
    """Run a quantiser, which writes files, on a copy; returns the file's bytes.

    Raises:
        WeightsError: the result is not valid.
    """
    model = onnx.ModelProto()
    model.CopyFrom(source)
    key, value = _PREPARED
    model.metadata_props.add(key=key, value=value)
    with TemporaryDirectory() as folder:
        out = Path(folder) / "network.onnx"
        run(model, out)
        return with_notes_of(onnx.load(out), source, method)


def with_notes_of(model: onnx.ModelProto, source: onnx.ModelProto, method: str) -> bytes:
    """The file of a quantised network, with the metadata of its original, and the method.

    Raises:
        WeightsError: the graph is not valid.
    """
    del model.metadata_props[:]
    notes = {entry.key: entry.value for entry in source.metadata_props} | {"quantized": json.dumps(method)}
    for key, value in notes.items():
        model.metadata_props.add(key=key, value=value)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise WeightsError(f"{method}: the quantised graph is not valid: {error}") from error
    data: bytes = model.SerializeToString()
    return data
