"""Token merging (ToMe): the most similar tokens are merged.

Bolya et al. 2023, "Token Merging: Your ViT But Faster" (arXiv:2210.09461, section 3).
Token 0 is the CLS token and is never merged.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Merged(NamedTuple):
    """Tokens, and the number of original tokens that each stands for.

    Attributes:
        tokens: (N, T, D), CLS first.
        sizes: (N, T), 1 or more.
        likeness: (N, T, C) vectors for comparing tokens: the mean of their keys over heads.
    """

    tokens: Tensor
    sizes: Tensor
    likeness: Tensor


def merge(start: Merged, count: int) -> Merged:
    """Merge tokens until ``count`` are left besides CLS.

    One matching removes less than half of the tokens, so it is repeated. The paper merges a few in every
    layer. Here merging happens in the layers that prune, for a comparison at equal cost.
    """
    state = start
    while (surplus := state.tokens.shape[1] - 1 - count) > 0:
        state = _match(state, min(surplus, max((state.tokens.shape[1] - 2) // 2, 1)))
    return state


def _match(state: Merged, removed: int) -> Merged:
    """Bipartite soft matching: every second token may merge into the most similar other token."""
    likeness = functional.normalize(state.likeness[:, 1:], dim=2)
    alike, partner = (likeness[:, ::2] @ likeness[:, 1::2].transpose(1, 2)).max(dim=2)
    order = alike.argsort(dim=1, descending=True)
    goes, stays = order[:, :removed], order[:, removed:]
    into = partner.gather(1, goes)
    sizes = state.sizes[:, 1:, None]
    total = _joined(sizes, goes, stays, into)
    columns = [_joined(part[:, 1:] * sizes, goes, stays, into) for part in (state.tokens, state.likeness)]
    tokens, likeness = (
        torch.cat([part[:, :1], column / total], dim=1)
        for part, column in zip((state.tokens, state.likeness), columns, strict=True)
    )
    return Merged(tokens, torch.cat([state.sizes[:, :1], total[:, :, 0]], dim=1), likeness)


def _joined(values: Tensor, goes: Tensor, stays: Tensor, into: Tensor) -> Tensor:
    """Add the merged rows of (N, T, C) to the rows that they merge into; other rows do not change."""
    even, odd = values[:, ::2], values[:, 1::2]
    width = values.shape[2]
    going, staying, place = (index[:, :, None].expand(-1, -1, width) for index in (goes, stays, into))
    return torch.cat([even.gather(1, staying), odd.scatter_add(1, place, even.gather(1, going))], dim=1)
