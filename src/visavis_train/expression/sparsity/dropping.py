"""Experiments with dropped tokens: which faces a network reads rightly when it drops other tokens.

The accuracy at a keep rate does not tell why few tokens do as well as all. So tokens are chosen well, by
chance and badly, and each choice is dropped later and earlier, down to the pixels of the tokens. The weights
stay as they are. So part of a loss is only that the weights were trained with what was taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, Self, TypeAlias, cast, get_args

import torch
from torch import Tensor

from visavis.errors import InputError
from visavis.types import BoolArray, ImageArray
from visavis_train.expression.models.heads import standardize
from visavis_train.expression.models.pruning import best, cls_attention, count_kept, gather, take_tokens
from visavis_train.expression.models.sparse import DOWNSAMPLING, SparseLayer, SparseNet
from visavis_train.expression.report.tables import Table
from visavis_train.loop.paired import Paired

# By the attention of CLS in the first layer: highest, random, lowest.
Choice: TypeAlias = Literal["most", "chance", "least"]
# What is removed with the dropped tokens: nothing more, as trained; the fused token; layer 1; the pixels.
Way: TypeAlias = Literal["fused", "removed", "never asked", "never seen"]
_SEED = 0


@dataclass(frozen=True, slots=True)
class Dropped:
    """Accuracy of a network with few tokens.

    Attributes:
        way: what is done with the other tokens.
        choice: how the kept tokens were chosen.
        rate: keep rate.
        accuracy: 0..1.
        paired: comparison with all tokens, on the same faces.
    """

    way: Way
    choice: Choice
    rate: float
    accuracy: float
    paired: Paired


def require_first_layer(network: SparseNet) -> None:
    """Check that a network drops tokens as :class:`TokenUse` does.

    Raises:
        InputError: the network drops them in another layer or in another way.
    """
    how = network.pruning
    found = (how.queries, how.keys, how.layers)
    if how.method not in ("cls", "none") or found != ("kept", "all", (0,)):
        raise InputError(
            f"the network drops tokens by {how.method} in the layers {list(how.layers)}, queries is "
            f"{how.queries}, and keys is {how.keys}; expected cls, layer 0 alone, kept, and all"
        )


@dataclass(frozen=True, slots=True, eq=False)
class TokenUse:
    """N faces in the first layer of a network, before tokens are dropped.

    Attributes:
        network: see :func:`require_first_layer`; in evaluation mode.
        faces: (N, 1, S, S), standardised.
        tokens: (N, T, D), CLS first.
        keys, values: (N, heads, T, D/heads) in the first layer.
        scores: (N, T - 1) attention of CLS.
        chance: (N, T - 1) random numbers.
    """

    network: SparseNet
    faces: Tensor
    tokens: Tensor
    keys: Tensor
    values: Tensor
    scores: Tensor
    chance: Tensor

    @classmethod
    def at(cls, network: SparseNet, faces: Tensor, draw: torch.Generator) -> Self:
        """Read faces up to the first layer, and draw the random numbers."""
        first, tokens = cast(SparseLayer, network.layers[0]), network.tokens(faces)
        normed = first.norm1(tokens)
        k, v = first.attention.look(normed)
        scores = cls_attention(first.attention.ask(normed[:, :1]), k)
        return cls(network, faces, tokens, k, v, scores, torch.rand(scores.shape, generator=draw))

    def answer(self, count: int, choice: Choice, way: Way) -> Tensor:
        """Logits (N, 7) of FER-2013's labels, with ``count`` of the tokens besides CLS."""
        network = self.network
        first, *others = (cast(SparseLayer, layer) for layer in network.layers)
        orders = {"most": self.scores, "least": -self.scores, "chance": self.chance}
        kept = best(orders[choice], count)
        match way:
            case "fused" | "removed":
                fused = network.pruning.fused_token if way == "fused" else "none"
                left = take_tokens(self.tokens, self.scores, kept, fused)
                left = first.ask_all(left, self.keys, self.values)
            case "never asked":
                left = _alone(first, gather(self.tokens, kept))
            case "never seen":
                seen = torch.zeros_like(self.scores).scatter(1, kept, 1.0)
                left = _alone(first, gather(network.tokens(self.faces * _pixels(seen)), kept))
        for layer in others:
            left = layer(left)
        return network.answer(network.norm(left[:, 0]))[1]


def _alone(layer: SparseLayer, tokens: Tensor) -> Tensor:
    """Pass tokens through the layer as if there were no other tokens."""
    return layer.ask_all(tokens, *layer.attention.look(layer.norm1(tokens)))


def _pixels(cells: Tensor) -> Tensor:
    """Values (N, grid^2) of the cells, row by row -> values (N, 1, S, S) of their pixels."""
    grid = round(cells.shape[1] ** 0.5)
    square = cells.reshape(-1, 1, grid, grid)
    return square.repeat_interleave(DOWNSAMPLING, 2).repeat_interleave(DOWNSAMPLING, 3)


def drop_in_every_way(
    network: SparseNet,
    pictures: ImageArray,
    labels: Tensor,
    rates: Sequence[float],
    on_face: Callable[[], None] = lambda: None,
    batch: int = 64,
) -> list[Dropped]:
    """Every way, choice and rate, on the same faces.

    Args:
        network: see :func:`require_first_layer`; in evaluation mode.
        pictures: (N, S, S) uint8, grey; at least one.
        labels: (N,) int64 FER-2013's labels.
        rates: keep rates below 1.
        on_face: called after each face.
        batch: batch size.
    """
    total = (pictures.shape[1] // DOWNSAMPLING) ** 2
    options = list(product(get_args(Way), get_args(Choice), rates))
    draw = torch.Generator().manual_seed(_SEED)
    with_all: list[Tensor] = []
    with_some: list[list[Tensor]] = [[] for _ in options]
    for faces, wanted in zip(_batches(pictures, batch), labels.split(batch), strict=True):
        with torch.inference_mode():
            looked = TokenUse.at(network, faces, draw)
            # With all tokens kept, choice and way make no difference.
            with_all.append(looked.answer(total, "most", "removed").argmax(dim=1) == wanted)
            for right, (way, choice, rate) in zip(with_some, options, strict=True):
                answer = looked.answer(count_kept(total, rate), choice, way)
                right.append(answer.argmax(dim=1) == wanted)
        for _ in wanted:
            on_face()
    every: BoolArray = torch.cat(with_all).numpy()
    found = []
    for right, (way, choice, rate) in zip(with_some, options, strict=True):
        some: BoolArray = torch.cat(right).numpy()
        paired = Paired.of(f"{way}, {choice}, {rate:g}", "all", some, every)
        found.append(Dropped(way, choice, rate, float(some.mean()), paired))
    return found


def _batches(pictures: ImageArray, batch: int) -> Iterator[Tensor]:
    for some in torch.from_numpy(pictures)[:, None].split(batch):
        yield standardize(some.float() / 255)


def dropping_table(found: Sequence[Dropped]) -> Table:
    """One row for each way and choice: for each rate the accuracy, and the difference to all tokens."""
    rates = sorted({each.rate for each in found}, reverse=True)
    heads = [
        head for rate in rates for head in (f"{rate:g}: accuracy %", f"{rate:g}: against all, points (95%)")
    ]
    cells = {(each.way, each.choice, each.rate): each for each in found}
    rows = [
        (
            way,
            choice,
            *(
                text
                for rate in rates
                for each in [cells[way, choice, rate]]
                for text in (f"{100 * each.accuracy:.1f}", each.paired.points)
            ),
        )
        for way, choice in dict.fromkeys((each.way, each.choice) for each in found)
    ]
    return Table(("the dropped tokens are", "attention of the kept ones", *heads), tuple(rows), (1,))
