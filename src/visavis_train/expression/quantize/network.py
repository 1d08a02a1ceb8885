"""The expression network of an ONNX file or a run folder, and the weights that are worth quantising."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx
from numpy.typing import NDArray

from visavis.base.networks import session_of
from visavis.base.reading import regular
from visavis.errors import InputError, WeightsError
from visavis.expression import registry
from visavis.expression.classifier import ExpressionClassifier
from visavis.expression.sparse import SparseClassifier
from visavis.types import FloatArray, ImageArray
from visavis_train.onnx.storage import widen

# Smaller weights stay in 32 bits: they have one percent of the bytes, and the first and the last layer,
# which suffer most from rounding, are among them.
LARGE = 4096
# Batch size of a calibration.
BATCH = 16


@dataclass(frozen=True, slots=True)
class Network:
    """An expression network in 32 bits.

    Attributes:
        path: its file.
        data: the bytes of that file, with all weights in 32 bits.
    """

    path: Path
    data: bytes

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read an ONNX file, or the ONNX file of a run folder; weights stored in 16 bits are widened.

        Raises:
            InputError: the file cannot be read, or has no large weights in 32 or 16 bits.
            WeightsError: the file is not an expression network.
        """
        file = registry.network_file(path)
        try:
            network = cls(file, regular(file).read_bytes())
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}; expected an ONNX file") from error
        network.classifier()
        model = network.model()
        rounded = any(node.op_type == "QuantizeLinear" for node in model.graph.node)
        widened = widen(model)
        if rounded or not large_weights(model):
            raise InputError(
                f"{file}: no weights of {LARGE} or more numbers in 32 or 16 bits; is it quantised already? "
                "Expected a network as visavis export writes it"
            )
        return cls(file, model.SerializeToString()) if widened else network

    def classifier(self) -> ExpressionClassifier:
        """A classifier with the network.

        Raises:
            WeightsError: the file is not an expression network.
        """
        return classifier_from_bytes(self.data, str(self.path))

    def model(self) -> onnx.ModelProto:
        """The network's graph, a new copy each time."""
        return onnx.load_model_from_string(self.data)

    def feeds(self, faces: ImageArray) -> list[dict[str, NDArray[Any]]]:
        """All inputs for faces (N, 1, S, S) uint8, batch by batch; tokens are dropped at the default rate."""
        classifier = self.classifier()
        keep: dict[str, NDArray[Any]] = {}
        if isinstance(classifier, SparseClassifier):
            keep["keep"] = np.asarray(classifier.count(classifier.keep), np.int64)
        return [{"images": faces[start : start + BATCH], **keep} for start in range(0, len(faces), BATCH)]


def classifier_from_bytes(data: bytes, what: str, threads: int = 1) -> ExpressionClassifier:
    """Open an expression network from the bytes of its ONNX file; ``what`` is its name in messages.

    Raises:
        WeightsError: ONNX Runtime cannot load the file, or it is of another kind.
    """
    try:
        return registry.classifier_of(session_of(data, what, threads))
    except WeightsError as error:
        raise WeightsError(str(error) if what in str(error) else f"{what}: {error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """A large weight in 32 bits, and the node that uses it.

    Attributes:
        name: name of the tensor.
        node: the node, a Conv, Gemm or MatMul.
        values: the tensor.
        outputs_first: whether the outputs are the first axis (Conv, transposed Gemm) or the last one.
    """

    name: str
    node: onnx.NodeProto
    values: FloatArray
    outputs_first: bool

    @property
    def rows(self) -> FloatArray:
        """(outputs, inputs); for a convolution the inputs are channel, row and column of its window."""
        flat = self.values.reshape(len(self.values), -1)
        return np.ascontiguousarray(flat if self.outputs_first else flat.T)


def large_weights(model: onnx.ModelProto) -> list[Weight]:
    """The weights with at least LARGE numbers in 32 bits, in the order of the graph."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    found: dict[str, Weight] = {}
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[1] in found:
            continue
        tensor = tensors.get(node.input[1])
        if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < LARGE:
            continue
        flags = {attribute.name: attribute.i for attribute in node.attribute}
        outputs_first = node.op_type == "Conv" or bool(flags.get("transB"))
        if outputs_first or len(tensor.dims) == 2:
            values = onnx.numpy_helper.to_array(tensor)
            found[tensor.name] = Weight(tensor.name, node, values, outputs_first)
    return list(found.values())
