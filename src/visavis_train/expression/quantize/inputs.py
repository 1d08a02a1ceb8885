"""Second moments of the inputs that a network's weights multiply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch.nn import functional

from visavis.base.networks import session_of
from visavis.types import FloatArray
from visavis_train.expression.quantize.network import Weight

Moments = NDArray[np.float64]


def input_products(
    model: onnx.ModelProto, weights: Sequence[Weight], feeds: Sequence[Mapping[str, NDArray[Any]]]
) -> dict[str, Moments]:
    """Name of a weight -> (K, K), sum of x x^T over all its inputs x: all places of all faces.

    For a convolution with groups, dilation or automatic padding, it is the identity.

    Args:
        model: the network in 32 bits; not changed.
        weights: weights of that model.
        feeds: the network's inputs, batch by batch; see :meth:`Network.feeds`.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    known = [weight for weight in weights if _is_plain(weight.node)]
    sources = list(dict.fromkeys(weight.node.input[0] for weight in known))
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sources)
    session = session_of(watched.SerializeToString(), "the network with its activations as outputs")
    products = {weight.name: np.eye(weight.rows.shape[1]) for weight in weights}
    for weight in known:
        products[weight.name][:] = 0
    for feed in feeds:
        seen = dict(zip(sources, session.run(sources, dict(feed)), strict=True))
        for weight in known:
            x = inputs_of(weight, seen[weight.node.input[0]])
            products[weight.name] += x.T @ x
    return products


def inputs_of(weight: Weight, activation: FloatArray) -> FloatArray:
    """(M, K): every vector that the weight's rows are multiplied with, for one batch of its node's input."""
    if weight.node.op_type != "Conv":
        return activation.reshape(-1, activation.shape[-1])
    flags = _flags(weight.node)
    top, left, bottom, right = flags.get("pads", (0, 0, 0, 0))
    padded = functional.pad(torch.from_numpy(activation), (left, right, top, bottom))
    windows = functional.unfold(padded, weight.values.shape[2:], stride=flags.get("strides", (1, 1)))
    return windows.transpose(1, 2).flatten(0, 1).contiguous().numpy()


def _flags(node: onnx.NodeProto) -> dict[str, tuple[int, ...]]:
    return {attribute.name: tuple(attribute.ints) for attribute in node.attribute if attribute.ints}


def _is_plain(node: onnx.NodeProto) -> bool:
    """Whether :func:`inputs_of` can handle it: no groups, no dilation, no automatic padding, two axes."""
    numbers = {attribute.name: attribute.i for attribute in node.attribute}
    flags = _flags(node)
    if node.op_type == "Gemm":
        return not numbers.get("transA", 0)
    if node.op_type != "Conv":
        return True
    automatic = any(a.name == "auto_pad" and a.s not in (b"", b"NOTSET") for a in node.attribute)
    flat = len(flags.get("kernel_shape", (1, 1))) == 2
    return (
        flat and not automatic and numbers.get("group", 1) == 1 and set(flags.get("dilations", (1,))) == {1}
    )
