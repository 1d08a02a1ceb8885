"""Quantisers of latent vectors: FSQ, VQ, LFQ and residual FSQ.

All four are from ``vector-quantize-pytorch``; here they get one interface.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import prod
from typing import Annotated, Literal, NamedTuple, Self, cast

import torch
from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from torch import Tensor, nn
from vector_quantize_pytorch import FSQ, LFQ, ResidualFSQ, VectorQuantize

from visavis_train.loop.experiment import Settings

# Levels by name: the paper's (its vocabulary is 1000, not 2048 as the paper states), and those that FSQ's
# own paper (Mentzer et al. 2023, arXiv:2309.15505, table 1) gives for 2^11 and 2^14 tokens.
PRESETS: dict[str, tuple[int, ...]] = {
    "paper": (8, 5, 5, 5),
    "standard": (8, 8, 6, 5),
    "large": (8, 8, 8, 6, 5),
}
# Largest vocabularies: of a product of levels, and of a codebook, whose entries are learned one by one.
MOST_TOKENS, MOST_ENTRIES = 1 << 20, 1 << 16


def _preset(value: object) -> object:
    """The levels of a preset; other values do not change."""
    if isinstance(value, str):
        if value not in PRESETS:
            raise ValueError(
                f"{value!r} is no preset; expected {', '.join(PRESETS)}, or levels as [8, 5, 5, 5]"
            )
        return PRESETS[value]
    return value


def _within_limits(levels: tuple[int, ...]) -> tuple[int, ...]:
    if prod(levels) > MOST_TOKENS:
        raise ValueError(f"these levels make {prod(levels)} tokens; expected at most {MOST_TOKENS}")
    return levels


Levels = Annotated[
    tuple[Annotated[int, Field(ge=3)], ...],
    Field(min_length=1),
    BeforeValidator(_preset),
    AfterValidator(_within_limits),
]


class FsqConfig(Settings):
    """Finite scalar quantisation (Mentzer et al. 2023, arXiv:2309.15505).

    Attributes:
        kind: which quantiser this is.
        levels: levels of each dimension, 3 or more, or a preset: ``paper``, ``standard``, ``large``. The
            vocabulary is their product.
    """

    kind: Literal["fsq"] = "fsq"
    levels: Levels = PRESETS["standard"]


class ResidualFsqConfig(Settings):
    """Residual FSQ: each further token refines what the ones before it left over. Our extension.

    Attributes:
        kind: which quantiser this is.
        levels: levels of each dimension, equal for all tokens, or a preset.
        depth: tokens per frame.
    """

    kind: Literal["rfsq"] = "rfsq"
    levels: Levels = PRESETS["paper"]
    depth: int = Field(default=2, ge=2, le=8)


class VqConfig(Settings):
    """Vector quantisation with a learned codebook (van den Oord et al. 2017, arXiv:1711.00937).

    Attributes:
        kind: which quantiser this is.
        vocabulary: entries of a codebook.
        groups: equal parts of a latent vector, each with its own codebook; a token names one entry of each
            (product quantisation, Jegou et al. 2011, doi:10.1109/TPAMI.2010.57).
        width: dimensions of an entry, over all groups.
        decay: decay of the running mean by which an entry follows the vectors nearest to it.
        commitment: weight of the commitment loss, which pulls vectors towards their entries.
        dead_below: entries that get fewer vectors per batch than this, in the running mean, are replaced.
        kmeans_rounds: rounds of k-means on the first batches, which gives the initial codebook.
    """

    kind: Literal["vq"] = "vq"
    vocabulary: int = Field(default=2048, ge=2, le=MOST_ENTRIES)
    groups: int = Field(default=1, ge=1)
    width: int = Field(default=16, ge=2)
    decay: float = Field(default=0.99, gt=0, lt=1)
    commitment: float = Field(default=0.25, ge=0)
    dead_below: float = Field(default=0.01, ge=0)
    kmeans_rounds: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.groups:
            raise ValueError(f"width is {self.width}; expected a multiple of groups, {self.groups}")
        if (tokens := self.vocabulary**self.groups) > MOST_TOKENS:
            most = int(MOST_TOKENS ** (1 / self.groups))
            raise ValueError(
                f"vocabulary is {self.vocabulary}: {tokens} tokens in {self.groups} groups; "
                f"expected at most {most}"
            )
        return self


class LfqConfig(Settings):
    """Lookup-free quantisation (Yu et al. 2023, arXiv:2310.05737): one bit a dimension.

    Attributes:
        kind: which quantiser this is.
        bits: dimensions; the vocabulary is 2 to this power.
        entropy: weight of the entropy loss, which makes each bit certain and all codes evenly used over a
            batch.
        diversity: weight of even use against certainty in that loss.
        commitment: weight of the commitment loss, which pulls numbers towards their bits.
    """

    kind: Literal["lfq"] = "lfq"
    bits: int = Field(default=11, ge=1, le=16)
    entropy: float = Field(default=0.1, ge=0)
    diversity: float = Field(default=1.0, ge=0)
    commitment: float = Field(default=0.25, ge=0)


QuantizerConfig = Annotated[FsqConfig | ResidualFsqConfig | VqConfig | LfqConfig, Field(discriminator="kind")]


class Quantized(NamedTuple):
    """Quantised latent vectors in training.

    Attributes:
        codes: (N, D) the vectors of the tokens; gradients pass straight through.
        tokens: (N, R) int64.
        loss: () the quantiser's own.
    """

    codes: Tensor
    tokens: Tensor
    loss: Tensor


class Quantizer(nn.Module, ABC):
    """Latent vectors (N, D) -> tokens (N, R), R for each frame, and back.

    A code is the sum of one row of each of R tables: see :meth:`tables`.

    Attributes:
        width: D.
        vocabulary: number of values of each of the R tokens.
    """

    width: int
    vocabulary: tuple[int, ...]

    @abstractmethod
    def forward(self, latents: Tensor) -> Quantized:
        """Quantise in training; quantisers with their own learning rule learn here."""

    @abstractmethod
    def tokens(self, latents: Tensor) -> Tensor:
        """(N, D) -> (N, R) int64."""

    @abstractmethod
    def tables(self) -> list[Tensor]:
        """For each of the R tokens, the vectors (V, D) of its values."""

    def codes(self, tokens: Tensor) -> Tensor:
        """(N, R) -> (N, D), the vectors of the tokens."""
        rows = [table[tokens[:, place]] for place, table in enumerate(self.tables())]
        return torch.stack(rows).sum(dim=0)


class Fsq(Quantizer):
    """See :class:`FsqConfig`."""

    def __init__(self, config: FsqConfig) -> None:
        super().__init__()
        self.width = len(config.levels)
        self.vocabulary = (prod(config.levels),)
        self.inner = FSQ(list(config.levels))

    def forward(self, latents: Tensor) -> Quantized:
        """Round every number to a level."""
        codes, tokens = self.inner(latents[None])
        return Quantized(codes[0], tokens[0, :, None].long(), latents.new_zeros(()))

    def tokens(self, latents: Tensor) -> Tensor:
        """(N, D) -> (N, 1)."""
        found: Tensor = self.inner.codes_to_indices(self.inner.quantize(latents))
        return found[:, None].long()

    def tables(self) -> list[Tensor]:
        """The grid, as one table."""
        return [self.inner.implicit_codebook]


class ResidualFsq(Quantizer):
    """See :class:`ResidualFsqConfig`."""

    def __init__(self, config: ResidualFsqConfig) -> None:
        super().__init__()
        self.width = len(config.levels)
        self.vocabulary = (prod(config.levels),) * config.depth
        self.inner = ResidualFSQ(levels=list(config.levels), num_quantizers=config.depth)

    def forward(self, latents: Tensor) -> Quantized:
        """Round, then round the remainder on a finer grid, and so on."""
        codes, tokens = self.inner(latents[None])
        return Quantized(codes[0], tokens[0].long(), latents.new_zeros(()))

    def tokens(self, latents: Tensor) -> Tensor:
        """(N, D) -> (N, R)."""
        found: Tensor = self.inner(latents[None])[1]
        return found[0].long()

    def tables(self) -> list[Tensor]:
        """One grid for each token, each finer than the previous one."""
        grids, scales = self.inner.codebooks, self.inner.scales
        return [grid * scale for grid, scale in zip(grids, scales, strict=True)]


class Vq(Quantizer):
    """See :class:`VqConfig`."""

    def __init__(self, config: VqConfig) -> None:
        super().__init__()
        self.width = config.width
        self.groups = config.groups
        self.vocabulary = (config.vocabulary**config.groups,)
        self.inner = nn.ModuleList(
            VectorQuantize(
                dim=config.width // config.groups,
                codebook_size=config.vocabulary,
                decay=config.decay,
                kmeans_init=True,
                kmeans_iters=config.kmeans_rounds,
                threshold_ema_dead_code=config.dead_below,
                commitment_weight=config.commitment,
            )
            for _ in range(config.groups)
        )

    def forward(self, latents: Tensor) -> Quantized:
        """Take the nearest entries; in training the codebooks follow."""
        if not self.training:  # The first batch would become the codebook, also in evaluation.
            tokens = self.tokens(latents)
            return Quantized(self.codes(tokens), tokens, latents.new_zeros(()))
        found = [inner(part[None]) for inner, part in zip(self.inner, self._parts(latents), strict=True)]
        codes = torch.cat([codes[0] for codes, _, _ in found], dim=1)
        entries = [entries[0].long() for _, entries, _ in found]
        return Quantized(codes, self._named(entries), torch.stack([loss.sum() for *_, loss in found]).sum())

    def tokens(self, latents: Tensor) -> Tensor:
        """(N, D) -> (N, 1); the first group is the least significant digit."""
        entries = []
        for table, part in zip(self._codebooks(), self._parts(latents), strict=True):
            distance = table.square().sum(dim=1) - 2 * part @ table.T
            entries.append(distance.argmin(dim=1))
        return self._named(entries)

    def tables(self) -> list[Tensor]:
        """All combinations of the codebooks' entries."""
        first, *others = self._codebooks()
        for other in others:
            rows = other.repeat_interleave(len(first), dim=0)
            first = torch.cat([first.repeat(len(other), 1), rows], dim=1)
        return [first]

    def _codebooks(self) -> list[Tensor]:
        return [cast(VectorQuantize, inner).codebook for inner in self.inner]

    def _parts(self, latents: Tensor) -> tuple[Tensor, ...]:
        return latents.chunk(self.groups, dim=1)

    def _named(self, entries: list[Tensor]) -> Tensor:
        """Tokens (N, 1) of the groups' entries (N,)."""
        size = len(self._codebooks()[0])
        return torch.stack([entry * size**place for place, entry in enumerate(entries)]).sum(dim=0)[:, None]


class Lfq(Quantizer):
    """See :class:`LfqConfig`."""

    def __init__(self, config: LfqConfig) -> None:
        super().__init__()
        self.width = config.bits
        self.vocabulary = (1 << config.bits,)
        self.inner = LFQ(
            dim=config.bits,
            codebook_size=1 << config.bits,
            entropy_loss_weight=config.entropy,
            diversity_gamma=config.diversity,
            commitment_loss_weight=config.commitment,
        )

    def forward(self, latents: Tensor) -> Quantized:
        """Take every number's sign."""
        codes, tokens, loss = self.inner(latents[None])
        return Quantized(codes[0], tokens[0, :, None].long(), loss)

    def tokens(self, latents: Tensor) -> Tensor:
        """(N, D) -> (N, 1)."""
        found: Tensor = ((latents > 0).long() * self.inner.mask).sum(dim=1, keepdim=True)
        return found

    def tables(self) -> list[Tensor]:
        """All signs."""
        return [self.inner.codebook]


def build_quantizer(config: QuantizerConfig) -> Quantizer:
    """Make a quantiser; a learned codebook is drawn from torch's global generator."""
    match config:
        case FsqConfig():
            return Fsq(config)
        case ResidualFsqConfig():
            return ResidualFsq(config)
        case VqConfig():
            return Vq(config)
        case LfqConfig():
            return Lfq(config)
