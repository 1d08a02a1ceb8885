"""The memory order of a network's tensors that is fast for convolutions on a CPU."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn


def channels_last(network: nn.Module) -> None:
    """Move the network's four-dimensional tensors to channels-last order, in place."""
    # Torch's stubs have this form of ``to`` only in some releases.
    cast(Any, network).to(memory_format=torch.channels_last)
