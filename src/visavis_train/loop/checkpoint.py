"""Checkpoints: the whole state of a training run in one safetensors file, without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from visavis.base.reading import regular
from visavis.errors import InputError

_FORMAT = "visavis-checkpoint-1"
# In a run folder: the state that the next epoch needs, and the best weights.
LAST, BEST = "last.safetensors", "best.safetensors"


def save_checkpoint(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer | None,
    progress: Mapping[str, Any],
) -> None:
    """Write modules, the optimiser's tensors and the progress; the file appears whole or not at all.

    Args:
        path: the file.
        modules: by name (``model``, ``average``).
        optimizer: its per-parameter tensors are stored; its settings belong to the configuration.
        progress: JSON values, such as the next epoch.
    """
    tensors = {
        f"{name}/{key}": value.detach().contiguous().clone()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    if optimizer is not None:
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"optimizer/{index}/{key}"] = value.detach().contiguous().clone()
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, {"format": _FORMAT, "progress": json.dumps(dict(progress))})
    partial.replace(path)


def load_checkpoint(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer | None = None,
    *,
    more: bool = False,
) -> dict[str, Any]:
    """Restore what :func:`save_checkpoint` wrote; returns the progress.

    Args:
        path: the file.
        modules: by name; all their tensors are replaced.
        optimizer: the saved optimiser; None ignores its part of the file.
        more: the file's modules may have additional tensors, such as further layers.

    Raises:
        InputError: missing, of another kind, or for other modules.
    """
    try:
        with safe_open(regular(path), framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not a readable checkpoint: {error}") from error
    if header.get("format") != _FORMAT:
        raise InputError(f"{path}: format {header.get('format')!r}; expected {_FORMAT!r}")
    try:
        for name, module in modules.items():
            stored = _part(tensors, name)
            module.load_state_dict(
                {key: stored[key] for key in module.state_dict() if key in stored} if more else stored
            )
    except RuntimeError as error:
        # The first line names the network, the second what does not fit.
        said = " ".join(line.strip() for line in str(error).splitlines()[:2])
        raise InputError(f"{path}: made for another network: {said}") from error
    if optimizer is not None:
        _load_optimizer(optimizer, _part(tensors, "optimizer"))
    progress: dict[str, Any] = json.loads(header["progress"])
    return progress


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = f"{name}/"
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    weights = [each for group in optimizer.param_groups for each in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition("/")
        index = int(number)
        # The memory order of the weights, which fused optimisers require.
        if value.shape == weights[index].shape:
            value = torch.empty_like(weights[index], dtype=value.dtype, device="cpu").copy_(value)
        state.setdefault(index, {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
