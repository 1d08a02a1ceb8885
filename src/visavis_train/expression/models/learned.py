"""Learned scores of tokens (DynamicViT): a small network says which tokens are kept.

Rao et al. 2021, "DynamicViT: Efficient Vision Transformers with Dynamic Token Sparsification"
(arXiv:2106.02034, sections 3.2 to 3.4). In training no token is removed: each is kept or not by a draw, and
the others do not attend to those that are not kept. Afterwards the tokens with the highest scores are kept.
Token 0 is the CLS token and is always kept.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

# In the names of all weights of learned scores in a network; other networks do not have them.
LEARNED = ".scores."
# Size of a token that is not kept: its logarithm and the gradient of the logarithm stay finite.
_NOTHING = 1e-6


class TokenScores(nn.Module):
    """Scores of tokens, each from its own features and from the mean of all tokens (their Eq. 2-5).

    Our network is smaller than the published one: a quarter of ``width`` for the token, and one for the mean.

    Args:
        width: D of the tokens (N, T, D).
        rate: share of the tokens that are kept at the beginning of the training; above 0 and below 1.
    """

    def __init__(self, width: int, rate: float) -> None:
        super().__init__()
        part = max(width // 4, 1)
        self.norm = nn.LayerNorm(width)
        self.each = nn.Linear(width, 2 * part)
        self.both = nn.Linear(2 * part, part)
        self.score = nn.Linear(part, 1)
        nn.init.constant_(self.score.bias, math.log(rate / (1 - rate)))

    def forward(self, x: Tensor, sizes: Tensor | None = None) -> Tensor:
        """(N, T, D), CLS first, and their sizes (N, T), None for 1 each -> (N, T - 1) log-odds of keeping."""
        own, shared = functional.gelu(self.each(self.norm(x[:, 1:]))).chunk(2, dim=2)
        if sizes is None:
            mean = shared.mean(dim=1, keepdim=True)
        else:
            weights = sizes[:, 1:, None]
            mean = (shared * weights).sum(dim=1, keepdim=True) / weights.sum(dim=1, keepdim=True)
        joined = torch.cat([own, mean.expand_as(own)], dim=2)
        result: Tensor = self.score(functional.gelu(self.both(joined)))[:, :, 0]
        return result


class Drawn(NamedTuple):
    """Tokens that a draw keeps.

    Attributes:
        sizes: (N, T), about 1 for CLS and kept tokens, and about 0 for others; with gradients.
        error: () squared difference between the share of kept tokens and the keep rate, mean over faces
            (their Eq. 11).
    """

    sizes: Tensor
    error: Tensor


def draw(scores: Tensor, sizes: Tensor | None, rate: float) -> Drawn:
    """Keep tokens at random, by their scores; gradients pass straight through the draw (their Eq. 6).

    Args:
        scores: (N, T - 1) log-odds.
        sizes: (N, T) of earlier draws; None for none. A token that was not kept stays so.
        rate: keep rate, a share of the tokens that earlier draws kept.
    """
    two = torch.stack([scores, torch.zeros_like(scores)], dim=2)
    kept = functional.gumbel_softmax(two, hard=True, dim=2)[:, :, 0]
    before = torch.ones_like(scores) if sizes is None else sizes[:, 1:]
    there = (before > 0.5).to(scores.dtype)
    share = (kept * there).sum(dim=1) / there.sum(dim=1).clamp_min(1)
    after = torch.cat([torch.ones_like(scores[:, :1]), before * kept + _NOTHING], dim=1)
    return Drawn(after, (share - rate).square().mean())
