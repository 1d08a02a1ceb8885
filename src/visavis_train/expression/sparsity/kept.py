"""The tokens that each layer of a network keeps of given faces."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.types import BoolArray, ImageArray
from visavis_train.expression.models.pruning import PruningConfig, count_kept
from visavis_train.expression.models.sparse import DOWNSAMPLING, SparseLayer, SparseNet
from visavis_train.loop.experiment import checked


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """The cells of the grid that the pruning layers kept for N faces.

    Attributes:
        layers: numbers of the pruning layers, from 0, rising.
        masks: (L, N, cells) row by row; an earlier layer's fused token is not a cell.
    """

    layers: tuple[int, ...]
    masks: BoolArray

    @property
    def grid(self) -> int:
        """Cells along a side."""
        return math.isqrt(self.masks.shape[2])

    def maps(self, labels: NDArray[np.int64], names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """``all`` and each label with faces -> (L, cells) share of its faces for which a cell is kept."""
        shown = {"all": self.masks.mean(axis=1)}
        for number, name in enumerate(names):
            if (chosen := labels == number).any():
                shown[name] = self.masks[:, chosen].mean(axis=1)
        return shown


def drop_tokens(network: SparseNet, keep: float, layers: Sequence[int] | None) -> None:
    """Change a network's keep rate, in place; tokens are chosen by learned scores or the attention of CLS.

    Args:
        network: the network; its weights do not depend on the keep rate.
        keep: the keep rate.
        layers: those that prune; None for the network's own. Layers without learned scores prune by the
            attention of CLS, and then all layers do.

    Raises:
        InputError: rate or layers are out of range.
    """
    of_network = [cast(SparseLayer, layer) for layer in network.layers]
    wanted = network.pruning.layers if layers is None else layers
    learned = all(of_network[n].scores is not None for n in wanted if 0 <= n < len(of_network))
    changes: dict[str, Any] = {"method": "learned" if learned and wanted else "cls", "keep_rate": keep}
    changes |= {} if layers is None else {"layers": tuple(layers)}
    how = checked("--keep and --layer", of_network[0].how.model_dump() | changes, PruningConfig)
    try:
        how.require_depth(len(of_network))
    except ValueError as error:
        raise InputError(f"--layer: {error}") from error
    for number, layer in enumerate(of_network):
        layer.how, layer.rate = how, how.rates.get(number, 1.0)


def untrained(network: SparseNet, seed: int) -> SparseNet:
    """A network of the same shape and pruning with new random weights, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        other = SparseNet(network.config)
    for fresh, layer in zip(other.layers, network.layers, strict=True):
        cast(SparseLayer, fresh).how, cast(SparseLayer, fresh).rate = (
            cast(SparseLayer, layer).how,
            cast(SparseLayer, layer).rate,
        )
    return other.eval()


def choosing_layers(network: SparseNet, tokens: int) -> tuple[int, ...]:
    """Layers that choose among the tokens besides CLS; ``tokens`` of them come into the first layer.

    Raises:
        InputError: there is no such layer.
    """
    how = network.pruning
    if how.method == "tome" and how.rates:
        raise InputError(
            "the network merges tokens (tome), so it keeps none; expected method cls, random or learned"
        )
    counts = how.counts(1 + tokens, len(network.layers))
    others = [tokens, *(count.left - 1 for count in counts)]
    found = tuple(
        layer for layer, rate in how.rates.items() if count_kept(others[layer], rate) < others[layer]
    )
    if not found:
        raise InputError(
            "the network keeps all tokens (keep rate 1): nothing to show; choose a lower rate with --keep"
        )
    return found


def read_kept(
    network: SparseNet, pictures: ImageArray, on_face: Callable[[], None] = lambda: None, batch: int = 64
) -> Kept:
    """The cells that a network keeps of pictures (N, S, S) uint8.

    Args:
        network: the network, in evaluation mode.
        pictures: N of them, at least one; S a multiple of 4.
        on_face: called after each face.
        batch: batch size.

    Raises:
        InputError: the network drops no tokens, or the pictures are of a wrong size.
    """
    cells = (pictures.shape[1] // DOWNSAMPLING) ** 2
    layers = choosing_layers(network, cells)
    parts: list[BoolArray] = []
    for start in range(0, len(pictures), batch):
        some = torch.from_numpy(pictures[start : start + batch])[:, None]
        with torch.inference_mode():
            chosen = network.read(network.tokens(network.reading.scale(some.float() / 255)))[1]
        masks = np.zeros((len(chosen), len(some), cells + 1), np.bool_)
        for mask, kept in zip(masks, chosen, strict=True):
            # The fused token is -1: it falls behind the last cell, which is then cut off.
            np.put_along_axis(mask, kept.numpy(), True, axis=1)
        parts.append(masks[:, :, :cells])
        for _ in some:
            on_face()
    return Kept(layers, np.concatenate(parts, axis=1))


def read_untrained(
    network: SparseNet, pictures: ImageArray, on_face: Callable[[], None] = lambda: None, networks: int = 5
) -> Kept:
    """The cells that untrained networks of the same shape keep, each for its share of the pictures.

    Args:
        network: gives the shape and how tokens are dropped.
        pictures: (N, S, S) uint8.
        on_face: called after each face.
        networks: their number, with the seeds 0, 1, and so on; network n modulo this number reads face n.

    Raises:
        InputError: see :func:`read_kept`.
    """
    layers = choosing_layers(network, (pictures.shape[1] // DOWNSAMPLING) ** 2)
    masks = np.zeros((len(layers), len(pictures), (pictures.shape[1] // DOWNSAMPLING) ** 2), np.bool_)
    for seed in range(min(networks, len(pictures))):
        masks[:, seed::networks] = read_kept(
            untrained(network, seed), pictures[seed::networks], on_face
        ).masks
    return Kept(layers, masks)
