"""Token pruning (EViT): tokens that the CLS token attends to little are removed.

Liang et al. 2022, "Expediting Vision Transformers via Token Reorganizations" (EViT, arXiv:2202.07800).
"Sparse Attention to Emotion" (SAE) uses it as Eq. 5-10. Removed tokens cost nothing in all later layers.
In this module token 0 is the CLS token and is always kept (SAE's Eq. 10 leaves it out).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, Self, TypeAlias

import torch
from pydantic import Field, model_validator
from torch import Tensor

from visavis.expression import sparse
from visavis_train.loop.experiment import Settings

Fused: TypeAlias = Literal["sum", "mean", "none"]


class Counts(NamedTuple):
    """Numbers of tokens in a layer, with CLS.

    Attributes:
        answering: tokens with keys and values.
        queries: tokens with queries.
        left: tokens that go through the MLP and on.
    """

    answering: int
    queries: int
    left: int


class PruningConfig(Settings):
    """Which tokens are removed, where, and how many.

    Attributes:
        method: which tokens are removed. ``cls``: those that the CLS token attends to least (EViT, SAE);
            ``random``: random ones, drawn for every face in training and fixed afterwards; ``tome``: the most
            similar ones are merged (Bolya et al. 2023, arXiv:2210.09461); ``learned``: those with the lowest
            scores of a small network, which is trained with the rest (DynamicViT, Rao et al. 2021,
            arXiv:2106.02034); ``none``: no token, whatever ``keep_rate`` says.
        keep_rate: keep rate, above 0 and at most 1: of the n tokens other than CLS that enter a layer of
            ``layers``, ceil(keep n) are kept; 1 removes none. A list gives one rate for each layer of
            ``layers``.
        layers: layers that remove tokens, between their attention and their MLP; counted from 0, in rising
            order.
        queries: which tokens are queries in a layer that prunes. ``all``, as published: attention, then
            pruning. ``kept``: pruning first, by the attention row of CLS alone; the removed tokens are then
            only keys and values, and the fused token is made of their inputs. ``kept`` is cheaper; ``tome``
            needs ``all``.
        keys: which tokens are keys and values in a layer that prunes. ``all``, as published; ``kept``: no
            token attends to a removed one, which is pruning before attention. It needs ``queries`` ``kept``.
        fused_token: one extra token for those that ``cls`` removes: their ``sum``, weighted by attention
            (SAE's Eq. 9, not normalised), their weighted ``mean``, or ``none``.
        ratio_weight: for ``learned``: weight of the loss that brings the share of kept tokens in training to
            the keep rate; 2 as published.
    """

    method: Literal["cls", "random", "tome", "learned", "none"] = "cls"
    keep_rate: float | tuple[float, ...] = 1.0
    layers: tuple[int, ...] = Field(default=(0,))
    queries: Literal["all", "kept"] = "all"
    keys: Literal["all", "kept"] = "all"
    fused_token: Fused = "sum"
    ratio_weight: float = Field(default=2.0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = self.keep_rate if isinstance(self.keep_rate, tuple) else (self.keep_rate,)
        for rate in given:
            check_rate(rate)
        if isinstance(self.keep_rate, tuple) and len(self.keep_rate) != len(self.layers):
            raise ValueError(f"keep_rate lists {len(self.keep_rate)} rates for {len(self.layers)} layers")
        if list(self.layers) != sorted(set(self.layers)) or (self.layers and self.layers[0] < 0):
            raise ValueError(f"layers is {list(self.layers)}; expected layers from 0, rising")
        if self.keys == "kept" and (self.queries == "all" or self.method == "tome"):
            raise ValueError("keys is 'kept'; it needs queries 'kept', and another method than tome")
        return self

    @property
    def rates(self) -> dict[int, float]:
        """Layer -> keep rate, for layers that remove tokens (keep rate below 1)."""
        rates = self.keep_rate if isinstance(self.keep_rate, tuple) else (self.keep_rate,) * len(self.layers)
        wanted = dict(zip(self.layers, rates, strict=True))
        return {layer: rate for layer, rate in wanted.items() if rate < 1 and self.method != "none"}

    @property
    def counts_tokens(self) -> bool:
        """Whether the number of kept tokens can be an input of the exported network."""
        return (self.method, self.queries, len(self.rates)) == ("cls", "kept", 1)

    def require_depth(self, layers: int) -> None:
        """Check that the network has all layers of ``layers``.

        Raises:
            ValueError: a layer is missing.
        """
        if self.layers and self.layers[-1] >= layers:
            raise ValueError(
                f"pruning.layers holds layer {self.layers[-1]}; the network has {layers}: expected 0 to "
                f"{layers - 1}"
            )

    def counts(self, tokens: int, layers: int) -> list[Counts]:
        """Numbers of tokens in each layer; tokens that are only scored, to be removed, are not counted.

        Args:
            tokens: number of tokens that come into the first layer, with CLS.
            layers: number of layers.
        """
        rates, counts = self.rates, []
        for layer in range(layers):
            left = tokens
            if (rate := rates.get(layer)) is not None and count_kept(tokens - 1, rate) < tokens - 1:
                fused = self.method == "cls" and self.fused_token != "none"
                left = 1 + count_kept(tokens - 1, rate) + fused
            first = self.queries == "kept" and self.method != "tome"
            counts.append(Counts(left if self.keys == "kept" else tokens, left if first else tokens, left))
            tokens = left
        return counts


def check_rate(rate: float) -> None:
    """Check a keep rate.

    Raises:
        ValueError: the rate is not in (0, 1].
    """
    if not 0 < rate <= 1:
        raise ValueError(f"keep_rate is {rate:g}; expected above 0 and at most 1")


def count_kept(tokens: int, rate: float) -> int:
    """ceil(rate * tokens), for the tokens besides CLS; at least 1.

    Raises:
        ValueError: the rate is not in (0, 1].
    """
    check_rate(rate)
    return sparse.kept_count(tokens, rate)


def cls_attention(queries: Tensor, keys: Tensor) -> Tensor:
    """Share of the CLS token's attention that each other token gets, mean over heads (SAE's Eq. 5-7).

    Eq. 5 also multiplies by V, which would leave no score for each token; EViT does not. The scale is for
    one head.

    Args:
        queries: (N, heads, T, D/heads).
        keys: of the same shape.

    Returns:
        (N, T - 1), 0 or more; together with the attention of CLS to itself they sum to 1.
    """
    scores = queries[:, :, :1] @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
    return scores.softmax(dim=3).mean(dim=1)[:, 0, 1:]


def best(scores: Tensor, count: int) -> Tensor:
    """Indices of the ``count`` highest of (N, T - 1) scores: (N, count) int64, best first (Eq. 8)."""
    return scores.topk(count, dim=1).indices


def gather(tokens: Tensor, kept: Tensor) -> Tensor:
    """CLS and the kept tokens: (N, T, D) and (N, K) -> (N, 1 + K, D)."""
    chosen = (kept + 1)[:, :, None].expand(-1, -1, tokens.shape[2])
    return torch.cat([tokens[:, :1], tokens.gather(1, chosen)], dim=1)


def fused_token(tokens: Tensor, scores: Tensor, kept: Tensor, *, mean: bool = False) -> Tensor:
    """The removed tokens, weighted by their scores and added up, as one (N, 1, D) (Eq. 9).

    Args:
        tokens: (N, T, D).
        scores: (N, T - 1) of all tokens except CLS.
        kept: (N, K) indices of the kept ones.
        mean: divide by the sum of the weights, in contrast to Eq. 9.
    """
    weights = scores.scatter(1, kept, 0.0)
    if mean:
        weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-9)
    return weights[:, None] @ tokens[:, 1:]


def take_tokens(tokens: Tensor, scores: Tensor, kept: Tensor, fused: Fused) -> Tensor:
    """CLS, the kept tokens, and the fused one if there is one: (N, 1 + K [+ 1], D).

    Args:
        tokens: (N, T, D), CLS first.
        scores: (N, T - 1) of all tokens except CLS, such as :func:`cls_attention`.
        kept: (N, K) indices of the kept ones among the T - 1, such as :func:`best`.
        fused: see :class:`PruningConfig`.
    """
    left = gather(tokens, kept)
    if fused == "none":
        return left
    together = fused_token(tokens, scores, kept, mean=fused == "mean")
    # If all tokens are kept, there is no fused token. The exporter needs no branch for this case.
    some = torch.sym_min(1, scores.shape[1] - kept.shape[1])
    return torch.cat([left, together[:, :some]], dim=1)
