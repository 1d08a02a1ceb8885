"""The weights that a new face network starts from: an earlier run's, or those of an exported file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from visavis.base.networks import ONNX_FILE
from visavis.base.reading import read_bytes
from visavis.errors import InputError
from visavis_train.face.network import FaceNet
from visavis_train.face.parts import ShapeIndexedNet
from visavis_train.loop.checkpoint import read_tensors
from visavis_train.onnx.storage import widen

# Networks of earlier versions do not have these parts.
_NEW = ("seen.", "indexed.", "mesh.")
# The truth head's layer that sees more features than in earlier versions.
_LOOK = "truth.look.0.weight"


def started(init: Path, width: int, key: str = "init") -> FaceNet:
    """A face network with the weights of a file; parts that the file does not have are new.

    Args:
        init: ``face.safetensors`` of a run, or ``face.onnx``. Convolutions of an ONNX file contain their
            batch norms, so the new network's norms change nothing at first.
        width: channels of the trunk's first stage.
        key: the experiment's key that names the file, for messages.

    Raises:
        InputError: the file is of another network, or of another width.
    """
    known = _exported(init, key) if init.suffix == ".onnx" else read_tensors(init)
    shape = known.get("mean_shape")
    if shape is None:
        raise InputError(f"{key}: {init} has no mean_shape; expected a face network")
    net = FaceNet(shape, width)
    state = net.state_dict()
    if init.suffix == ".onnx":
        known = _unfolded(net, known)
    look = known.get(_LOOK)
    if look is not None and look.shape[1] + ShapeIndexedNet.FEATURES == state[_LOOK].shape[1]:
        known[_LOOK] = functional.pad(look, (0, ShapeIndexedNet.FEATURES))
    unknown = known.keys() - state.keys()
    missing = [name for name in state.keys() - known.keys() if not name.startswith(_NEW)]
    if unknown or missing or any(state[name].shape != value.shape for name, value in known.items()):
        raise InputError(f"{key}: {init} has other tensors; expected a face network of width {width}")
    net.load_state_dict(known, strict=False)
    return net


def mixed(init: Path, other: Path, share: float, width: int) -> FaceNet:
    """A network between two of which one was trained on from the other: a mean of their weights.

    Such a mean often keeps what both can do (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models",
    arXiv:2109.01903). Norms are compared after the exporter has folded them, so both are exported files.

    Args:
        init: ``face.onnx`` of the first network.
        other: ``face.onnx`` of the other.
        share: 0..1 of the other.
        width: see :func:`started`.

    Raises:
        InputError: a file is not such a network, or of another width.
    """
    for path in (init, other):
        if path.suffix != ".onnx":
            raise InputError(f"mix: {path} is no exported network; give a face.onnx for init and for mix")
    net = started(init, width)
    theirs = started(other, width, "mix").state_dict()
    net.load_state_dict(
        {
            name: torch.lerp(value, theirs[name], share) if value.is_floating_point() else value
            for name, value in net.state_dict().items()
        }
    )
    return net


@torch.no_grad()
def settle_norms(net: FaceNet, batches: Iterable[dict[str, Tensor]]) -> None:
    """Give each batch norm the statistics of its inputs; its scale and bias change so that no answer changes.

    The norms of a network from an ONNX file know no statistics. In training, a norm uses those of the batch,
    so such a network would begin as another one.

    Args:
        net: the network.
        batches: views of faces: their ``image`` is (B, 160, 160, 3) uint8.
    """
    norms = [norm for norm in net.modules() if isinstance(norm, nn.BatchNorm2d)]
    seen: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {norm: [] for norm in norms}

    def see(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].float()
        seen[norm].append((values.mean(dim=(0, 2, 3)), values.square().mean(dim=(0, 2, 3))))

    hooks = [norm.register_forward_pre_hook(see) for norm in norms]
    net.eval()
    for batch in batches:
        net(batch["image"].to(net.mean_shape.device).permute(0, 3, 1, 2).float() / 255)
    net.train()
    for hook in hooks:
        hook.remove()
    for norm in norms:
        mean, square = (torch.stack(column).mean(dim=0) for column in zip(*seen[norm], strict=True))
        if norm.running_mean is None or norm.running_var is None:
            raise TypeError("the batch norms of a face network keep statistics")
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        spread = (square - mean.square()).clamp(min=0)
        norm.bias.add_(scale * (mean - norm.running_mean))
        norm.weight.copy_(scale * (spread + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(spread)


def _exported(init: Path, key: str) -> dict[str, Tensor]:
    """The tensors of an exported file, in 32 bits, by their name in the network."""
    data = read_bytes(init, ONNX_FILE)
    try:
        model = onnx.load_from_string(data)
    except Exception as error:  # protobuf's own kinds.
        raise InputError(f"{key}: {init} is no readable ONNX file") from error
    matrices = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
    dense = [node for node in model.graph.node if node.op_type == "DequantizeLinear"]
    turned = {node.output[0] for node in dense if node.input[0] in matrices}
    widen(model)
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    tensors |= {name: tensors[name].T for name in turned}  # Layers of 8 bits store (inputs, outputs).
    return {
        name.removeprefix("net."): torch.from_numpy(np.array(values))
        for name, values in tensors.items()
        if name.startswith("net.")
    }


def _unfolded(net: FaceNet, exported: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of a network whose batch norms only add what the exporter folded into the convolutions."""
    state = {
        name: exported.get(name, value)
        for name, value in net.state_dict().items()
        if name in exported or "." not in name or name.endswith("num_batches_tracked")
    }
    for name, norm in net.named_modules():
        bias = exported.get(f"{name[:-2]}.0.weight_bias")  # The convolution before the norm is number 0.
        if not isinstance(norm, _BatchNorm) or bias is None:
            continue
        plain = torch.zeros_like(bias), torch.full_like(bias, 1 - norm.eps), torch.ones_like(bias), bias
        keys = "running_mean", "running_var", "weight", "bias"
        state |= {f"{name}.{key}": value for key, value in zip(keys, plain, strict=True)}
    return state
