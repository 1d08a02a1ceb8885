"""Faces with identical pixels, within one set or between two sets."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.datasets.faces import LabelledFaces
from visavis.types import BoolArray


@dataclass(frozen=True, slots=True)
class Repeats:
    """Pictures that stand in a set more than once.

    Attributes:
        pictures: different ones that do.
        faces: rows that show one of them.
        pictures_with_other_labels: of those pictures, how many do not have the same label everywhere.
        faces_with_other_labels: rows that show one of these.
    """

    pictures: int
    faces: int
    pictures_with_other_labels: int
    faces_with_other_labels: int

    @classmethod
    def of(cls, prints: Sequence[bytes], labels: NDArray[np.integer]) -> Repeats:
        """From the fingerprint and the label (N,) of each face."""
        counts = Counter(prints)
        kinds = Counter(picture for picture, _ in set(zip(prints, labels.tolist(), strict=True)))
        repeated = [picture for picture, count in counts.items() if count > 1]
        torn = [picture for picture in repeated if kinds[picture] > 1]
        faces, torn_faces = (sum(counts[picture] for picture in part) for part in (repeated, torn))
        return cls(len(repeated), faces, len(torn), torn_faces)


def seen_in(
    faces: LabelledFaces, other: LabelledFaces, on_face: Callable[[], None] = lambda: None
) -> BoolArray:
    """(N,) whether the very same picture, pixel by pixel, occurs in ``other``.

    Args:
        faces: to be told apart.
        other: what they may repeat, say the training split.
        on_face: called after each picture of both.

    Raises:
        InputError: a picture cannot be read.
    """
    known = set(fingerprints(other, on_face))
    return np.asarray([picture in known for picture in fingerprints(faces, on_face)], np.bool_)


def fingerprints(faces: LabelledFaces, on_face: Callable[[], None] = lambda: None) -> list[bytes]:
    """A short digest of each picture's size and pixels: equal for equal pictures alone.

    Args:
        faces: N of them.
        on_face: called after each picture.

    Raises:
        InputError: a picture cannot be read.
    """
    prints = []
    for row in range(len(faces)):
        image = faces.images.read(row)
        prints.append(hashlib.blake2b(repr(image.shape).encode() + image.tobytes(), digest_size=16).digest())
        on_face()
    return prints
