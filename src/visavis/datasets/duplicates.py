"""Two sets of faces in, which of the first hold the very same pixels as one of the second out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np

from visavis.datasets.faces import LabelledFaces
from visavis.types import BoolArray


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
    known = set(_digests(other, on_face))
    return np.asarray([digest in known for digest in _digests(faces, on_face)], np.bool_)


def _digests(faces: LabelledFaces, on_face: Callable[[], None]) -> Iterator[bytes]:
    """A short fingerprint of each picture's size and pixels."""
    for row in range(len(faces)):
        image = faces.images.read(row)
        yield hashlib.blake2b(repr(image.shape).encode() + image.tobytes(), digest_size=16).digest()
        on_face()
