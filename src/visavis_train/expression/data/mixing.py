"""Mixup and CutMix: each face of a batch is mixed with another one, and the targets are mixed too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Mixing:
    """How a batch is mixed with itself in reverse order; this is random, because the batch is shuffled.

    Attributes:
        mixup: alpha of mixup's Beta distribution (Zhang et al. 2018, arXiv:1710.09412); 0: off.
        cutmix: alpha of CutMix's (Yun et al. 2019, arXiv:1905.04899); 0: off.
    """

    mixup: float
    cutmix: float

    def __call__(
        self, images: Tensor, goals: Sequence[Tensor], rng: np.random.Generator
    ) -> tuple[Tensor, list[Tensor]]:
        """Mix with one method at a time; if both are on, a coin decides.

        Args:
            images: (N, 1, S, S); not changed.
            goals: targets (N, classes) of each head.
            rng: source of randomness.
        """
        if self.cutmix > 0 and (self.mixup == 0 or rng.random() < 0.5):
            return cutmix(images, goals, cut_box(images.shape[-1], self.cutmix, rng))
        if self.mixup > 0:
            return mixup(images, goals, float(rng.beta(self.mixup, self.mixup)))
        return images, list(goals)


def mixup(images: Tensor, goals: Sequence[Tensor], share: float) -> tuple[Tensor, list[Tensor]]:
    """Blend every face and target with its opposite; ``share`` is the weight of the face itself."""
    return images.lerp(images.flip(0), 1 - share), [goal.lerp(goal.flip(0), 1 - share) for goal in goals]


def cutmix(
    images: Tensor, goals: Sequence[Tensor], box_xyxy: tuple[int, int, int, int]
) -> tuple[Tensor, list[Tensor]]:
    """Paste a box of the opposite face into every face; targets are mixed by the areas."""
    x0, y0, x1, y1 = box_xyxy
    pasted = images.clone()
    pasted[:, :, y0:y1, x0:x1] = images.flip(0)[:, :, y0:y1, x0:x1]
    area = (x1 - x0) * (y1 - y0) / (images.shape[-1] * images.shape[-2])
    return pasted, [goal.lerp(goal.flip(0), area) for goal in goals]


def cut_box(side_px: int, alpha: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """A box (x0, y0, x1, y1) with a Beta-distributed area, cut at the picture's border."""
    half = math.sqrt(1 - float(rng.beta(alpha, alpha))) * side_px / 2
    x, y = rng.uniform(0, side_px, 2)
    x0, y0, x1, y1 = (round(min(max(v, 0), side_px)) for v in (x - half, y - half, x + half, y + half))
    return x0, y0, x1, y1
