"""Weights that others published: their files, and their names for the parts of our networks.

IR-50 and MobileFaceNet have the names of InsightFace_Pytorch, which face.evoLVe and POSTER share.
"""

from __future__ import annotations

import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from visavis.base.console import print_note
from visavis.base.reading import regular
from visavis.base.words import counted
from visavis.errors import InputError
from visavis_train.loop.checkpoint import load_state, read_tensors

# Where checkpoints keep the weights.
_NESTS = ("state_dict", "model_state_dict", "model", "net", "network")
# The first block of IR-50's stages, which POSTER calls body1 to body3.
_IR50_STAGES = {"": 0, "1": 0, "2": 3, "3": 7}
_IR50_BLOCKS = 21
_MOBILE_FIRST = {"conv_23": 2, "conv_3": 3, "conv_34": 7, "conv_4": 8, "conv_45": 14, "conv_5": 15}
_MOBILE_WHOLE = {"conv1": 0, "conv2_dw": 1, "conv_6_sep": 17}
_UNIT = {"conv": "0", "bn": "1", "prelu": "2"}
_BLOCK = {"conv": "0.", "conv_dw": "1."}
# What torch's reader raises on bytes of other files and on damaged ones; found by fuzzing it.
_OF_DAMAGED_FILES = (
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    struct.error,
)


class Taken(NamedTuple):
    """What was found in a file.

    Attributes:
        tensors: the weights by name.
        left: names of everything else.
    """

    tensors: dict[str, Tensor]
    left: tuple[str, ...]


def read_pickled(path: Path) -> Taken:
    """The tensors of a file of ``torch.save``, read so that nothing in the file can be run.

    torch's reader for weights only builds tensors, numbers, text and containers, and refuses all else.

    Raises:
        InputError: the file is missing, damaged, or holds other things than these.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # The error says what is wrong with the file.
            found = torch.load(regular(path), map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; expected weights") from error
    except pickle.UnpicklingError as error:
        if "Unsupported operand" in str(error):  # bytes that no torch.save writes
            raise _damaged(path) from error
        kind = re.search(r"GLOBAL ([\w.]+)", str(error))
        held = kind[1] if kind else "other data"
        raise InputError(f"{path}: holds {held} beside tensors; save its state_dict alone") from error
    except _OF_DAMAGED_FILES as error:
        raise _damaged(path) from error
    weights, left = found, []
    while isinstance(weights, Mapping) and not any(isinstance(each, Tensor) for each in weights.values()):
        nest = next((key for key in _NESTS if isinstance(weights.get(key), Mapping)), None)
        if nest is None:
            break
        left += [str(key) for key in weights if key != nest]
        weights = weights[nest]
    tensors = _tensors(path, weights) if isinstance(weights, Mapping) else {}
    if not tensors:
        raise InputError(f"{path}: holds no state_dict, names with tensors; found {type(found).__name__}")
    return Taken(tensors, (*left, *(str(k) for k, v in weights.items() if not isinstance(v, Tensor))))


def _damaged(path: Path) -> InputError:
    return InputError(f"{path}: not a file of torch.save, or damaged; save the state_dict by torch.save")


def _tensors(path: Path, found: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The tensors, without the names that training on several GPUs puts before theirs."""
    tensors: dict[str, Tensor] = {}
    for key, value in found.items():
        if not isinstance(value, Tensor):
            continue
        name = str(key).removeprefix("module.")
        if name in tensors:
            raise InputError(f"{path}: holds {name} twice, with and without 'module.'; save one of them")
        if value.layout != torch.strided or value.is_quantized or value.is_meta:
            raise InputError(
                f"{path}: {key} is sparse, quantised or empty; save plain tensors with their values"
            )
        tensors[name] = value.detach().clone().contiguous()
    return tensors


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        InputError: the file is missing or of another kind, or a number is not finite.
    """
    tensors = read_tensors(path, "; visavis lab convert-weights makes one of .pth")
    for name, tensor in tensors.items():
        if tensor.is_complex() or not torch.isfinite(tensor).all():
            raise InputError(
                f"{path}: {name} holds complex numbers, NaN or infinities: the file is no good start"
            )
    return tensors


def load_published(network: nn.Module, path: Path) -> None:
    """Load a stream's weights in our names or in public ones, and say what was taken and left.

    Raises:
        InputError: the file cannot be read, or is of another network.
    """
    tensors = read_weights(path)
    own = network.state_dict().keys()
    if not own & tensors.keys():
        tensors = {_renamed(key) or key: value for key, value in tensors.items()}
    load_state(network, tensors, path, more=True)
    note_taken(path, len(own & tensors.keys()), sorted(tensors.keys() - own))


def note_taken(path: Path, taken: int, left: list[str]) -> None:
    """Say what was taken from a file and what was left."""
    rest = ", ".join(dict.fromkeys(name.split(".")[0] for name in left))
    print_note(
        f"{path}: {counted(taken, 'tensor')} taken, {len(left)} left" + (f" ({rest[:100]})" if left else "")
    )


def _renamed(name: str) -> str | None:
    """Our name for a tensor of a published IR-50 or MobileFaceNet; None if we have no such part."""
    if name.startswith("input_layer."):
        return name.replace("input_layer", "stem", 1)
    if match := re.fullmatch(r"body([123]?)\.(\d+)\.(res|shortcut)_layer\.(.+)", name):
        block = _IR50_STAGES[match[1]] + int(match[2])
        part = "branch" if match[3] == "res" else "shortcut"
        return f"blocks.{block}.{part}.{match[4]}" if block < _IR50_BLOCKS else None
    first, _, rest = name.partition(".")
    if first in _MOBILE_WHOLE:
        unit, _, leaf = rest.partition(".")
        return f"layers.{_MOBILE_WHOLE[first]}.{_UNIT[unit]}.{leaf}" if unit in _UNIT else None
    if match := re.fullmatch(r"(?:model\.(\d+)\.)?(conv|conv_dw|project)\.(conv|bn|prelu)\.(.+)", rest):
        if first not in _MOBILE_FIRST:
            return None
        block = _MOBILE_FIRST[first] + int(match[1] or 0)
        # The last convolution of a block and its norm stand beside the first two units.
        part = (
            {"conv": "2", "bn": "3"}[match[3]]
            if match[2] == "project"
            else _BLOCK[match[2]] + _UNIT[match[3]]
        )
        return f"layers.{block}.layers.{part}.{match[4]}"
    return None
