"""Sharpness-aware minimisation (SAM): weights moved, for a time, to the highest loss nearby.

Foret, Kleiner, Mobahi, Neyshabur 2021, arXiv:2010.01412. The step at w is taken with the gradient at
w + rho g / |g|, where g is the gradient at w (their Eq. 2, without the second-order term, p = 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def climbed(parameters: Iterable[nn.Parameter], rho: float) -> Iterator[None]:
    """Move the weights uphill by ``rho`` inside the block; after it they are exactly as before."""
    moved = [(weights, weights.grad) for weights in parameters if weights.grad is not None]
    before = [weights.detach().clone() for weights, _ in moved]
    with torch.no_grad():
        norm = nn.utils.get_total_norm([gradient for _, gradient in moved])
        for weights, gradient in moved:
            weights.add_(gradient * (rho / (norm + 1e-12)))
    try:
        yield
    finally:
        with torch.no_grad():
            for (weights, _), old in zip(moved, before, strict=True):
                weights.copy_(old)


@contextmanager
def still_statistics(network: nn.Module) -> Iterator[None]:
    """Freeze batch norm's running statistics inside the block, because they belong to the true weights."""
    norms = [part for part in network.modules() if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d))]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
