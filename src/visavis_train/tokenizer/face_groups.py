"""The 13 groups of a face's 58 numbers, which have equal weight in a tokenizer's loss.

The index ranges are from the code of Dam et al. 2024, "Finite Scalar Quantization as Facial Tokenizer for
Dyadic Reaction Generation" (Eq. 4 names five of them); the names are ours.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor

FACE_GROUPS = MappingProxyType(
    {
        "brow": slice(0, 5),
        "cheek": slice(5, 8),
        "blink": slice(8, 10),
        "look": slice(10, 18),
        "squint": slice(18, 20),
        "wide": slice(20, 22),
        "jaw": slice(22, 26),
        "mouth": slice(26, 43),
        "smile": slice(43, 45),
        "lips": slice(45, 49),
        "nose": slice(49, 52),
        "rotation": slice(52, 55),
        "translation": slice(55, 58),
    }
)


def group_means(errors: Tensor, known: Tensor, *, one: bool = False) -> Tensor:
    """Mean of each group over the numbers that are known, 0 where none is.

    Args:
        errors: (N, 58).
        known: (N, 58) bool.
        one: whether all numbers are one group, whose mean then stands in each place.

    Returns:
        (13,) in the order of :data:`FACE_GROUPS`.
    """
    kept = torch.where(known, errors, 0.0)
    parts = [slice(None)] * len(FACE_GROUPS) if one else FACE_GROUPS.values()
    sums = [kept[:, part].sum() / known[:, part].sum().clamp(min=1) for part in parts]
    return torch.stack(sums)
