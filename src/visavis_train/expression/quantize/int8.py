"""Quantisation to 8-bit weights and products, with ONNX Runtime's quantiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from visavis.types import ImageArray
from visavis_train.expression.quantize.network import Network, large_matrices, large_weights, with_notes_of

# onnxruntime.quantization requires this; export has already folded and shaped the graph.
_PREPARED = ("onnx.quant.pre_process", "onnxruntime.quant")


def dynamic(network: Network) -> bytes:
    """Quantise matrices to 8 bits; each call measures and rounds its activations, without calibration.

    Convolutions stay in 32 bits: ONNX Runtime has no fast dynamic kernel for them.

    Raises:
        InputError: there are no large matrices.
    """
    source = network.model()
    names = [weight.node.name for weight in large_matrices(source, network.path)]

    def run(model: onnx.ModelProto, out: Path) -> None:
        quantize_dynamic(
            model,
            out,
            op_types_to_quantize=["Gemm", "MatMul"],
            nodes_to_quantize=names,
            per_channel=True,
            weight_type=QuantType.QInt8,
            # The sum of two 8-bit products overflows AVX2's 16 bits; with 7-bit weights it never does, so
            # all processors give the same answers.
            reduce_range=True,
        )

    return _quantised(source, run, "int8-dynamic")


def static(network: Network, faces: ImageArray) -> bytes:
    """Quantise convolutions and matrices to 8 bits, with ranges of activations from the faces.

    Unsigned activations, signed weights with a scale for each output, ranges from minimum to maximum: the
    best variant of those tried (docs/how-to/quantize.md).

    Args:
        network: the network in 32 bits.
        faces: (N, 1, S, S) uint8, of the training split.
    """
    source = network.model()
    names = [weight.node.name for weight in large_weights(source)]

    def run(model: onnx.ModelProto, out: Path) -> None:
        quantize_static(
            model,
            out,
            _Faces(network.feeds(faces)),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
            nodes_to_quantize=names,
            per_channel=True,
            reduce_range=True,  # As above.
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )

    return _quantised(source, run, "int8")


class _Faces:
    """Gives faces to the quantiser once, batch by batch: a CalibrationDataReader."""

    def __init__(self, feeds: Sequence[dict[str, NDArray[Any]]]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)


def _quantised(source: onnx.ModelProto, run: Callable[[onnx.ModelProto, Path], None], method: str) -> bytes:
    """Run the quantiser, which writes files, on a copy; returns the file's bytes."""
    model = onnx.ModelProto()
    model.CopyFrom(source)
    key, value = _PREPARED
    model.metadata_props.add(key=key, value=value)
    with TemporaryDirectory() as folder:
        out = Path(folder) / "network.onnx"
        run(model, out)
        return with_notes_of(onnx.load(out), source, method)
