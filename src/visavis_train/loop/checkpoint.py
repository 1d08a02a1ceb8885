"""Checkpoints: the whole state of a training run in one safetensors file, without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from visavis.base.files import whole_file
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

    The optimiser's settings belong to the configuration. The progress has JSON values.
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
    write_tensors(path, tensors, {"format": _FORMAT, "progress": json.dumps(dict(progress))})


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file; the file appears whole or not at all, with the usual rights of new files.

    Raises:
        InputError: the system refused to write.
    """
    with whole_file(path) as partial:
        partial.touch()
        rights = partial.stat().st_mode
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        try:
            save_file(whole, partial, dict(metadata or {}) or None)
        except SafetensorError as error:  # No OSError, also for a full disk.
            raise InputError(
                f"{path}: cannot be written: {error}; make room or choose another place"
            ) from error
        partial.chmod(rights)  # From version 0.8, safetensors makes files that only their owner can read.


def read_tensors(path: Path, advice: str = "") -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name; ``advice`` ends the message about another kind of file.

    Raises:
        InputError: the file is missing, cannot be read, or is of another kind.
    """
    try:
        return dict(load_file(regular(path)))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; expected weights") from error
    except (OSError, SafetensorError) as error:
        said = str(error).splitlines()[0][:80]
        raise InputError(f"{path}: not a readable safetensors file ({said}){advice}") from error


def load_checkpoint(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer | None = None,
    *,
    more: bool = False,
    new: str | None = None,
) -> dict[str, Any]:
    """Restore what :func:`save_checkpoint` wrote; returns the progress.

    Without an optimiser, its part of the file is ignored. ``more`` and ``new``: see :func:`load_state`.

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
    for name, module in modules.items():
        load_state(module, _part(tensors, name), path, more=more, new=new)
    if optimizer is not None:
        _load_optimizer(optimizer, _part(tensors, "optimizer"))
    progress: dict[str, Any] = json.loads(header["progress"])
    return progress


def load_state(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    path: Path,
    *,
    more: bool = False,
    new: str | None = None,
) -> None:
    """Replace all tensors of a module.

    Args:
        module: the module.
        tensors: by their names in the module.
        path: their file, for messages.
        more: there may be further tensors.
        new: a part of the names of tensors that may be missing; they stay as they are.

    Raises:
        InputError: tensors are missing, unknown or of other shapes; nothing is replaced then.
    """
    wanted = module.state_dict()
    # Files from before torch 0.4.1 do not count the batches of a norm, and nothing here depends on the count.
    spared = {
        key: value
        for key, value in wanted.items()
        if key.endswith("num_batches_tracked") or (new is not None and new in key)
    }
    found = {**spared, **tensors}
    shapes = [key for key in wanted.keys() & found.keys() if wanted[key].shape != found[key].shape]
    faults = {
        "missing": sorted(wanted.keys() - found.keys()),
        "unknown": [] if more else sorted(found.keys() - wanted.keys()),
        "of another shape": sorted(shapes),
    }
    if said := [f"{len(keys)} {what} ({keys[0]})" for what, keys in faults.items() if keys]:
        raise InputError(
            f"{path}: made for another network: of {len(wanted)} tensors, {', '.join(said)}: "
            "take the same [model]"
        )
    module.load_state_dict({key: found[key] for key in wanted})


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
