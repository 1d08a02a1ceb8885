"""The quantisation methods by name; each gives a network that can be measured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from visavis.datasets.data_set import DataSet
from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError
from visavis.expression.classifier import ExpressionClassifier
from visavis.types import ImageArray
from visavis_train.expression.quantize import int4
from visavis_train.expression.quantize.network import LARGE, Network, classifier_from_bytes, large_weights
from visavis_train.onnx.int8 import quantize_nodes

CALIBRATION_FACES = 512
# Each method's description by name; the table of --compare has this order.
METHODS = {
    "int8": "ONNX Runtime, static: convolutions and matrices in 8 bits",
    "int4": "all large weights stored in 4 bits (GPTQ), unpacked when loaded",
    "nf4": "all large weights stored as NF4, the paper's 4 bits, unpacked when loaded",
}
CALIBRATED = ("int8", "int4")


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A network that can be written to a file.

    Attributes:
        name: ``fp32`` or the name of the method.
        data: the whole ONNX file.
    """

    name: str
    data: bytes

    def open(self, threads: int) -> ExpressionClassifier:
        """A classifier with the network, on a given number of threads."""
        return classifier_from_bytes(self.data, f"the {self.name} network", threads)


def quantized(method: str, network: Network, faces: Callable[[], ImageArray]) -> Candidate:
    """Quantise a network by a method of METHODS.

    ``faces`` gives (N, 1, S, S) uint8 of the training split; only the CALIBRATED methods call it.

    Raises:
        InputError: there are no training faces.
    """
    with _quiet():
        match method:
            case "int8":
                data = static_int8(network, faces())
            case "int4":
                data = int4.packed(network, faces())
            case _:
                data = int4.nf4(network)
    return Candidate(method, data)


def static_int8(network: Network, faces: ImageArray, at_least: int = LARGE) -> bytes:
    """Quantise convolutions and matrices to 8 bits; see :func:`visavis_train.onnx.int8.quantize_nodes`.

    ``faces`` are (N, 1, S, S) uint8 of the training split. Weights smaller than ``at_least`` stay in 32 bits.
    """
    source = network.model()
    names = [weight.node.name for weight in large_weights(source) if weight.values.size >= at_least]
    return quantize_nodes(source, network.feeds(faces), names)


def calibration_faces(data: DataSet, side_px: int) -> ImageArray:
    """Random faces of the training split: (N, 1, S, S) uint8, N at most 512.

    Raises:
        InputError: there is no training split.
    """
    if data.training_split is None:
        raise InputError(
            f"{data.path}: no split for training among {', '.join(data.splits)}, and "
            f"{' and '.join(CALIBRATED)} calibrate on one: call a split train, or take nf4"
        )
    return gray_faces(data.read(data.training_split), side_px)


def gray_faces(training: LabeledFaces, side_px: int) -> ImageArray:
    """At most 512 faces of a split, drawn at random, grey: (N, 1, S, S) uint8."""
    count = min(CALIBRATION_FACES, len(training))
    chosen = np.zeros(len(training), np.bool_)
    chosen[np.random.default_rng(0).choice(len(training), count, replace=False)] = True
    return training[chosen].gray(side_px)[:, None]


@contextmanager
def _quiet() -> Iterator[None]:
    """Stop the quantisers from logging every tensor."""
    root = logging.getLogger()
    disabled, handlers, level = root.manager.disable, root.handlers[:], root.level
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        root.setLevel(level)
