"""Counts of a network's parameters and of its multiply-accumulates for each face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a network.

    Attributes:
        parameters: numbers that are learned.
        macs: multiply-accumulates for one face, in convolutions, matrix products and attention.
    """

    parameters: int
    macs: int


@torch.no_grad()
def cost(network: nn.Module, side_px: int) -> Cost:
    """Count the cost of one face of ``side_px``; the network is put into evaluation mode."""
    network.eval()
    weight = next(network.parameters())
    face = torch.zeros(1, 1, side_px, side_px, device=weight.device)
    # The counter misses fused attention, which some processors use; it always counts plain matrix products.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(face)
    learned = sum(values.numel() for values in network.parameters() if values.requires_grad)
    return Cost(learned, counter.get_total_flops() // 2)


def transformer_macs(counts: Sequence[tuple[int, int, int]], width: int, mlp_ratio: float = 4.0) -> int:
    """Multiply-accumulates of transformer layers: 12 N d^2 + 2 N^2 d ("Sparse Attention to Emotion", Eq. 4).

    The paper's 12 is 4 for the projections and 8 for an MLP of four times the width. A layer that prunes has
    fewer tokens in its MLP than in its attention; Eq. 4 has no such case.

    Args:
        counts: for each layer, the tokens N with keys and values, with queries, and in the MLP.
        width: d.
        mlp_ratio: hidden width of the MLP over ``width``.
    """
    hidden = round(width * mlp_ratio)
    return sum(
        2 * (answering + queries) * width**2 + 2 * answering * queries * width + 2 * left * width * hidden
        for answering, queries, left in counts
    )
