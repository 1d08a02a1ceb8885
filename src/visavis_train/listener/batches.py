"""Training batches of a listener: stretches of conversations as tokens, sound and style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visavis.errors import InputError
from visavis.reaction.predictor import UNKNOWN
from visavis.types import FloatArray
from visavis_train.listener.network import HeardTensors, into_patches

Tokens = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Conversation:
    """What one person sees and hears of another, and how the person reacts.

    Attributes:
        name: name of the item.
        speaker: (F,) int64 tokens of the speaker, -1 where unknown.
        own: (F,) int64 tokens of the listener, -1 where unknown.
        sound: (F, S) float32 of the speaker, NaN where there is none.
        controls: (C,) float32, the listener's style, NaN where unknown.
    """

    name: str
    speaker: Tokens
    own: Tokens
    sound: FloatArray
    controls: FloatArray

    def __post_init__(self) -> None:
        lengths = {len(self.speaker), len(self.own), len(self.sound)}
        if len(lengths) > 1 or not len(self.own):
            raise InputError(
                f"{self.name}: expected as many frames of both people and of sound; found "
                f"{len(self.speaker)}, {len(self.own)} and {len(self.sound)}"
            )


@dataclass(frozen=True, slots=True)
class Batch:
    """Stretches of conversations.

    Attributes:
        speaker, own: (N, F) int64.
        sound: (N, F, S) float32.
        controls: (N, C) float32.
    """

    speaker: Tensor
    own: Tensor
    sound: Tensor
    controls: Tensor

    def heard(self, patch: int) -> HeardTensors:
        """The stretches as positions of ``patch`` frames; no input is later than its position's start."""
        own = into_patches(self.own, patch, ahead=patch)
        return HeardTensors(
            into_patches(self.speaker, patch, ahead=patch - 1),
            own,
            into_patches(self.sound, patch, ahead=patch - 1),
            self.controls[:, None].expand(-1, own.shape[1], -1),
        )


def draw_batch(
    conversations: Sequence[Conversation], count: int, frames: int, rng: np.random.Generator
) -> Batch:
    """Stretches of F frames from conversations, drawn by their length.

    Missing frames of short conversations are unknown.
    """
    lengths = np.asarray([len(item.own) for item in conversations], np.float64)
    chosen = [conversations[k] for k in rng.choice(len(conversations), count, p=lengths / lengths.sum())]
    starts = [int(rng.integers(max(len(item.own) - frames, 0) + 1)) for item in chosen]
    cuts = [slice(start, start + frames) for start in starts]
    pairs = list(zip(chosen, cuts, strict=True))
    return Batch(
        torch.from_numpy(np.stack([_filled(item.speaker[cut], frames, UNKNOWN) for item, cut in pairs])),
        torch.from_numpy(np.stack([_filled(item.own[cut], frames, UNKNOWN) for item, cut in pairs])),
        torch.from_numpy(np.stack([_filled(item.sound[cut], frames, np.nan) for item, cut in pairs])),
        torch.from_numpy(np.stack([item.controls for item in chosen])),
    )


def _filled(
    values: NDArray[np.float32] | NDArray[np.int64], frames: int, fill: float
) -> NDArray[np.float32] | NDArray[np.int64]:
    lacking = frames - len(values)
    if not lacking:
        return values
    rest = np.full((lacking, *values.shape[1:]), fill, values.dtype)
    return np.concatenate([values, rest])
