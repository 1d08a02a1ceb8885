"""The interface of all methods that react: K reactions to each speaker's clip."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from visavis.channels import ACTION_UNITS, FACE_CHANNELS
from visavis.types import FloatArray
from visavis_train.data.conversation_pack import PersonClip


class Method(Protocol):
    """A method that reacts. Its result for a clip depends only on that clip and the seed."""

    def reactions(self, items: Sequence[PersonClip], samples: int, seed: int) -> FloatArray:
        """(N, K, T, 83) faces and expressions of K listeners to each of N speakers' clips of T frames."""
        ...


class BinaryUnits:
    """Another method with action units of 0 or 1, as the challenges' table has for BeLFusion."""

    def __init__(self, method: Method) -> None:
        self._method = method

    def reactions(self, items: Sequence[PersonClip], samples: int, seed: int) -> FloatArray:
        """See :class:`Method`."""
        made = self._method.reactions(items, samples, seed)
        return np.concatenate(
            [made[..., : len(FACE_CHANNELS)], binary_units(made[..., len(FACE_CHANNELS) :])], axis=-1
        )


def binary_units(expressions: FloatArray) -> FloatArray:
    """(..., 25) with the 15 action units rounded to 0 or 1, as ``--binarize`` of REACT2024's evaluate.py."""
    result = expressions.copy()
    units = result[..., : len(ACTION_UNITS)]
    units[:] = np.clip(np.rint(units), 0, 1)
    return result


def each_item(
    items: Sequence[PersonClip], react: Callable[[PersonClip, np.random.Generator], FloatArray], seed: int
) -> FloatArray:
    """React to one clip after the other, each with its own randomness.

    Args:
        items: items with equal numbers of frames.
        react: gives (K, T, 83) for one clip.
        seed: of all randomness.

    Returns:
        (N, K, T, 83).
    """
    return np.stack([react(item, np.random.default_rng(item_seed(item, seed))) for item in items])


def item_seed(item: PersonClip, seed: int) -> int:
    """A seed for one clip from its name, so that other clips have no influence on it."""
    return int(np.random.default_rng((seed, zlib.crc32(item.name.encode()))).integers(2**31))


def fitted(values: FloatArray, frames: int) -> FloatArray:
    """(T, C), cut or repeated to a given number of frames."""
    return values[np.arange(frames) % len(values)]
