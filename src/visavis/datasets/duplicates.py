"""Faces with identical pixels, within one set or between two sets."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.datasets.faces import LabeledFaces
from visavis.types import BoolArray


@dataclass(frozen=True, slots=True)
class Repeats:
    """Pictures that occur in a set more than once.

    Attributes:
        pictures: number of different pictures that do.
        faces: number of rows with one of them.
        pictures_with_other_labels: number of these pictures that have several labels.
        faces_with_other_labels: number of rows with one of the latter.
    """

    pictures: int
    faces: int
    pictures_with_other_labels: int
    faces_with_other_labels: int

    @classmethod
    def of(cls, prints: Sequence[bytes], labels: NDArray[np.integer]) -> Repeats:
        """The repeats from the fingerprint and the label (N,) of each face."""
        counts = Counter(prints)
        kinds = Counter(picture for picture, _ in set(zip(prints, labels.tolist(), strict=True)))
        repeated = [picture for picture, count in counts.items() if count > 1]
        torn = [picture for picture in repeated if kinds[picture] > 1]
        faces, torn_faces = (sum(counts[picture] for picture in part) for part in (repeated, torn))
        return cls(len(repeated), faces, len(torn), torn_faces)


def seen_in(faces: LabeledFaces, other: LabeledFaces) -> BoolArray:
    """Whether each picture (N,) occurs in ``other`` with identical pixels.

    Args:
        faces: faces to test.
        other: faces that they may repeat, for example the training split.

    Raises:
        InputError: a picture cannot be read.
    """
    known = set(fingerprints(other))
    return np.asarray([picture in known for picture in fingerprints(faces)], np.bool_)


def fingerprints(faces: LabeledFaces, on_face: Callable[[], None] = lambda: None) -> list[bytes]:
    """A short digest of each picture's size and pixels: equal only for equal pictures.

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
