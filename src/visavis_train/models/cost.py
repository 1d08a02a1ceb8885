"""A network in; its number of parameters and of multiply-accumulates a face out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs.

    Attributes:
        parameters: numbers that are learned.
        macs: multiply-accumulates for one face, in convolutions, matrix products and attention.
    """

    parameters: int
    macs: int


@torch.no_grad()
def cost(network: nn.Module, side_px: int) -> Cost:
    """Count what one face of ``side_px`` costs; the network is put into evaluation mode."""
    network.eval()
    weight = next(network.parameters())
    face = torch.zeros(1, 1, side_px, side_px, device=weight.device)
    with FlopCounterMode(display=False) as counter:
        network(face)
    learned = sum(values.numel() for values in network.parameters() if values.requires_grad)
    return Cost(learned, counter.get_total_flops() // 2)
