"""Import of an ONNX file that was exported here: its weights in a torch network, for further training.

The exporter renames, transposes and cuts tensors, and folds batch norms into the convolutions before them.
This module does not guess these changes. It exports a copy of the network whose numbers are all different.
So each tensor of that export shows its origin, and the tensor of the same name in the read file goes there.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from visavis.errors import InputError
from visavis_train.onnx.storage import widen

Write: TypeAlias = Callable[[nn.Module, Path], None]
Array: TypeAlias = npt.NDArray[Any]

# Noise that makes the copy's numbers different, and the largest difference between two equal numbers.
_NOISE, _SAME = 0.02, 1e-6
# Largest difference between the file and the network's final export, for tensors near 1.
_TOLERANCE = 1e-4


@torch.no_grad()
def read_back(stored: onnx.ModelProto, name: str, network: nn.Module, write: Write, batch: Tensor) -> None:
    """Load the weights of an ONNX file into a network, and check that its export equals the file.

    Batch norms start with the means and spreads of ``batch``, scaled and shifted so that the
    network answers like the file. The file does not contain the running means of its training.

    Args:
        stored: the file, in 32 or 16 bits; weights of 16 bits are widened.
        name: its name in messages.
        network: a network with the exported one's configuration; its weights are replaced.
        write: exports a network in the same way as the file.
        batch: training inputs; a few hundred rows or more.

    Raises:
        InputError: the file is quantised, or of another network or exporter.
    """
    widen(stored)
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / "again.onnx"
        probe = _told_apart(network)
        write(probe, again)
        shape = onnx.load(again)
        _require_same(name, stored, shape)
        _fill(name, network, probe, _tensors(shape), _tensors(stored))
        _unfold(network, batch)
        write(network, again)
        _require_same(name, stored, onnx.load(again), values=True)


def _tensors(model: onnx.ModelProto) -> dict[str, Array]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _require_same(name: str, stored: onnx.ModelProto, made: onnx.ModelProto, *, values: bool = False) -> None:
    """Whether two files have the same operations and tensor shapes and, if requested, the same numbers."""
    advice = "start from a checkpoint, or make [model] and torch's version what the file was made with"
    if list(stored.graph.node) != list(made.graph.node):
        if any(node.op_type in ("DequantizeLinear", "MatMulNBits") for node in stored.graph.node):
            raise InputError(f"{name}: is quantised; start from the network in 32 bits")
        versions = stored.producer_version, made.producer_version
        or_exporter = (
            f", or of another exporter ({'; here '.join(versions)})" if len(set(versions)) > 1 else ""
        )
        raise InputError(f"{name}: another network than [model]{or_exporter}: {advice}")
    found, expected = _tensors(stored), _tensors(made)
    for key, tensor in expected.items():
        if key not in found or found[key].shape != tensor.shape:
            given = list(found[key].shape) if key in found else "missing"
            raise InputError(f"{name}: {key} is {given}; expected {list(tensor.shape)}: {advice}")
        if values and not np.allclose(found[key], tensor, rtol=_TOLERANCE, atol=_TOLERANCE):
            raise InputError(f"{name}: {key} could not be read back: {advice}")


def _told_apart(network: nn.Module) -> nn.Module:
    """A copy with different numbers everywhere, whose batch norms do not scale."""
    probe = copy.deepcopy(network)
    rng = torch.Generator().manual_seed(0)
    for parameter in probe.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=rng), alpha=_NOISE)
    _plain_norms(probe)
    return probe


def _norms(network: nn.Module) -> Iterator[tuple[str, _BatchNorm]]:
    return ((name, each) for name, each in network.named_modules() if isinstance(each, _BatchNorm))


def _plain_norms(network: nn.Module) -> None:
    """Make batch norms only add their bias."""
    for _, norm in _norms(network):
        norm.weight.fill_(1.0)
        norm.get_buffer("running_mean").zero_()
        norm.get_buffer("running_var").fill_(1.0 - norm.eps)


def _fill(
    name: str, network: nn.Module, probe: nn.Module, shape: dict[str, Array], stored: dict[str, Array]
) -> None:
    """Put each tensor of the file into the parameter that it comes from, known from the copy's export."""
    folded = {f"{norm}.weight" for norm, _ in _norms(network)}
    sources = {
        key: value.numpy() for key, value in probe.named_parameters() if value.ndim and key not in folded
    }
    places = dict(network.named_parameters())
    left = {key: set(range(len(value))) for key, value in sources.items()}
    for made_as, tensor in shape.items():
        if tensor.dtype != np.float32 or not tensor.ndim or (origin := _origin(tensor, sources)) is None:
            continue  # A constant of the network.
        key, start, turned = origin
        rows = stored[made_as].T if turned else stored[made_as]
        places[key][start : start + len(rows)] = torch.from_numpy(rows.copy())
        left[key] -= set(range(start, start + len(rows)))
    if missing := [key for key, rows in left.items() if rows]:
        raise InputError(
            f"{name}: {missing[0]} was folded away when such files were written: start from a checkpoint"
        )
    _plain_norms(network)


def _origin(tensor: Array, sources: dict[str, Array]) -> tuple[str, int, bool] | None:
    """The parameter of a tensor, its first row, and whether it is transposed."""
    for turned in (False, True) if tensor.ndim == 2 else (False,):
        rows = tensor.T if turned else tensor
        for key, source in sources.items():
            if source.ndim != rows.ndim or source.shape[1:] != rows.shape[1:] or len(source) < len(rows):
                continue
            firsts = source.reshape(len(source), -1)[: len(source) - len(rows) + 1, 0]
            for start in np.flatnonzero(np.abs(firsts - rows.flat[0]) < _SAME):
                if np.allclose(source[start : start + len(rows)], rows, atol=_SAME):
                    return key, int(start), turned
    return None


def _unfold(network: nn.Module, batch: Tensor) -> None:
    """Set batch norms to the statistics of ``batch``, without a change of the answers."""

    def expect(norm: _BatchNorm, inputs: tuple[Tensor, ...]) -> None:
        seen = inputs[0].transpose(0, 1).flatten(1)
        mean, variance = seen.mean(1), seen.var(1, unbiased=False)
        norm.get_buffer("running_mean").copy_(mean)
        norm.get_buffer("running_var").copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)

    hooks = [norm.register_forward_pre_hook(expect) for _, norm in _norms(network)]
    network.eval()
    try:
        network(batch)
    finally:
        for hook in hooks:
            hook.remove()
