"""Causal attention over streams of vectors: each position sees only itself and earlier ones.

A whole clip is one call. A stream is many calls that pass on the keys and values of the past. Both give the
same numbers, because a position knows other positions only by their distance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

# Half of the buckets hold single distances, the rest hold ranges (Raffel et al. 2020, arXiv:1910.10683).
BUCKETS = 32


class Sight(NamedTuple):
    """What positions look at, as buckets of distances, and what is hidden from them.

    Attributes:
        buckets: (1, Q, K) int64, for Q positions that look at K positions.
        hidden: (1, Q, K) bool.
    """

    buckets: Tensor
    hidden: Tensor


class AttentionWindow(nn.Module):
    """The window of each position: itself and the ``context`` positions (W) before it."""

    def __init__(self, context: int) -> None:
        super().__init__()
        self.context = context
        self.register_buffer("bucket_of", torch.tensor(_buckets(context)), persistent=False)

    def whole(self) -> Sight:
        """The view (1, W, 2 W) of a block of W positions in a clip: the previous block and itself."""
        place = torch.arange(self.context, device=self.get_buffer("bucket_of").device)
        distance = place[:, None] - torch.cat([place - self.context, place])[None, :]
        return self._sight(distance[None])

    def stepwise(self, length: int, ages: Tensor) -> Sight:
        """The view (1, T, W + T) of T new positions: a ring of W older ones and themselves.

        Args:
            length: T.
            ages: (W,) int64: distance of each slot of the ring to the first new position; 0 is an empty
                slot.
        """
        new = torch.arange(length, device=ages.device)[:, None]
        older = (ages + new).masked_fill(ages <= 0, -1)
        return self._sight(torch.cat([older, new - new.T], dim=-1)[None])

    def _sight(self, distance: Tensor) -> Sight:
        buckets = self.get_buffer("bucket_of")[distance.clamp(0, self.context)]
        return Sight(buckets, (distance < 0) | (distance > self.context))


def _buckets(context: int) -> list[int]:
    """The bucket of each distance from 0 to ``context``."""
    exact = BUCKETS // 2
    rest = BUCKETS - exact - 1
    span = math.log(max(context, exact + 1) / exact)
    return [
        distance if distance < exact else exact + round(rest * math.log(distance / exact) / span)
        for distance in range(context + 1)
    ]


class Past(NamedTuple):
    """Keys and values of positions, for the A attentions of one kind, in order of computation.

    Attributes:
        keys: A times (..., H, D / H, W): (M, ...) of the speakers, (M, K, ...) of their listeners.
        values: A times (..., H, W, D / H).
    """

    keys: Sequence[Tensor]
    values: Sequence[Tensor]


class AttentionMemory:
    """The past of one call, and its additions to the past.

    Args:
        past: of the speakers and of their listeners; None for a whole clip.
    """

    def __init__(self, past: tuple[Past, Past] | None) -> None:
        self._past = past
        self._now: tuple[list[tuple[Tensor, Tensor]], ...] = ([], [])

    def exchange(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor] | None:
        """Keep the next attention's keys (..., H, D / H, T) and values (..., H, T, D / H), for its past."""
        if self._past is None:
            return None
        kind = keys.dim() - 4
        now, past = self._now[kind], self._past[kind]
        place = len(now)
        now.append((keys, values))
        return past.keys[place], past.values[place]

    def now(self) -> tuple[Tensor, ...]:
        """This call's T positions of each kind: keys (A, ..., H, D / H, T), values (A, ..., H, T, D / H)."""
        return tuple(torch.stack(part) for now in self._now for part in zip(*now, strict=True))


class CausalAttention(nn.Module):
    """Attention of H heads from one stream, D wide, to another, or to itself, with a bias by distance."""

    def __init__(self, width: int, heads: int, source: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(source, 2 * width)
        self.out = nn.Linear(width, width)
        self.bias = nn.Embedding(BUCKETS, heads)
        # Heads start with different ranges, as in ALiBi (Press et al. 2022, arXiv:2108.12409).
        slopes = 0.5 ** torch.arange(heads)
        self.bias.weight.data = -torch.arange(BUCKETS)[:, None] * slopes

    def forward(self, x: Tensor, source: Tensor, sight: Sight, memory: AttentionMemory) -> Tensor:
        """(N, T, D) and (N, T, source) -> (N, T, D); or (M, K, T, D) and (M, T, source) -> (M, K, T, D)."""
        each = x.shape[-1] // self.heads
        query, keys, values = (
            part.unflatten(-1, (self.heads, each)).transpose(-3, -2)
            for part in (self.query(x), *self.key_value(source).chunk(2, dim=-1))
        )
        keys = keys.transpose(-2, -1)
        bias = self.bias(sight.buckets).masked_fill(sight.hidden[..., None], -torch.inf).permute(0, 3, 1, 2)
        past = memory.exchange(keys, values)
        query = query * each**-0.5
        if past is None:
            mixed = _over_clip(query, keys, values, bias)
        else:
            seen: tuple[Tensor, ...] = (keys, values, *past)
            if x.dim() > source.dim():  # K listeners look at the same speaker.
                seen = tuple(part.unsqueeze(1) for part in seen)
            mixed = _over_past(query, seen[:2], seen[2:], bias)
        result: Tensor = self.out(mixed.transpose(-3, -2).flatten(-2))
        return result


def _over_clip(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Attention of each block of W positions over itself and the previous block; time grows linearly with T.

    Args:
        query: (N, H, T, E). keys: (N, H, E, T). values: (N, H, T, E).
        bias: (1, H, W, 2 W).

    Returns:
        (N, H, T, E).
    """
    length, size = query.shape[2], bias.shape[2]
    rest = -length % size
    query = functional.pad(query, (0, 0, 0, rest)).unflatten(2, (-1, size))
    # An empty block comes before the first one; it is hidden below.
    keys = functional.pad(keys, (size, rest)).unflatten(3, (-1, size)).transpose(2, 3)
    values = functional.pad(values, (0, 0, size, rest)).unflatten(2, (-1, size))
    keys = torch.cat([keys[:, :, :-1], keys[:, :, 1:]], dim=-1)
    values = torch.cat([values[:, :, :-1], values[:, :, 1:]], dim=-2)
    scores = query @ keys + bias[:, :, None]
    nothing = torch.zeros(scores.shape[2], 1, 2 * size, dtype=torch.bool, device=scores.device)
    nothing[0, :, :size] = True
    chances = scores.masked_fill(nothing, -torch.inf).softmax(dim=-1)
    return (chances @ values).flatten(2, 3)[:, :, :length]


def _over_past(query: Tensor, now: Sequence[Tensor], past: Sequence[Tensor], bias: Tensor) -> Tensor:
    """Attention over past and present keys and values without joining them, because copies are expensive."""
    size = past[0].shape[-1]
    scores = torch.cat([query @ past[0], query @ now[0]], dim=-1) + bias
    chances = scores.softmax(dim=-1)
    return chances[..., :size] @ past[1] + chances[..., size:] @ now[1]


class GatedCross(nn.Module):
    """Attention of one stream to another, behind a gate or without one; see :class:`GatedCrossLayer`."""

    def __init__(self, width: int, heads: int, source: int, gate: float | None) -> None:
        super().__init__()
        self.norm_query, self.norm_source = nn.LayerNorm(width), nn.LayerNorm(source)
        self.look = CausalAttention(width, heads, source)
        self.gate = None if gate is None else nn.Parameter(torch.tensor(gate))

    def forward(self, x: Tensor, source: Tensor, sight: Sight, memory: AttentionMemory) -> Tensor:
        """(N, T, D) and (N, T, source) -> (N, T, D)."""
        looked: Tensor = self.look(self.norm_query(x), self.norm_source(source), sight, memory)
        return looked if self.gate is None else self.gate * looked


class GatedCrossLayer(nn.Module):
    """x + SA(x) + a CA(SA(x), y) + MLP: a scalar gate opens to the other stream.

    Dou et al. 2022 (FIBER, arXiv:2206.07643), as in Dam et al. 2024, Figure 3; both streams go on to the next
    layer, which the authors' code forgets. Each branch is normalised first.

    Args:
        width: D.
        heads: attention heads.
        source: channels of the other stream; 0 for none.
        mlp_ratio: hidden width of the MLP over ``width``.
        dropout: share of a branch's output dropped in training.
        gate: start value of the gate; 0 is closed. None: there is no gate.
    """

    def __init__(
        self, width: int, heads: int, source: int, mlp_ratio: float, dropout: float, gate: float | None = 0.0
    ) -> None:
        super().__init__()
        hidden = round(width * mlp_ratio)
        self.norm_self = nn.LayerNorm(width)
        self.look = CausalAttention(width, heads, width)
        self.cross = GatedCross(width, heads, source, gate) if source else None
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, source: Tensor | None, sight: Sight, memory: AttentionMemory) -> Tensor:
        """(N, T, D) and (N, T, source) -> (N, T, D)."""
        normal = self.norm_self(x)
        looked: Tensor = self.look(normal, normal, sight, memory)
        x = x + self.dropout(looked)
        if self.cross is not None and source is not None:
            x = x + self.dropout(self.cross(looked, source, sight, memory))
        changed: Tensor = x + self.dropout(self.mlp(self.norm_mlp(x)))
        return changed
