"""Reader of folders of unlabelled face crops: small grey faces, as the expression networks read them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.base.npz import read_npz
from visavis.capture.image import IMAGE_SUFFIXES, decode_image, read_image
from visavis.datasets.faces import as_square
from visavis.datasets.fer2013 import SIDE_PX
from visavis.errors import InputError
from visavis.types import ImageArray

# Many crops in a file: ``jpeg``, uint8, JPEG files end to end; ``offsets``, int64 (N + 1); ``ids``, str (N).
SHARDS = "*_[0-9][0-9].npz"


def read_crops(folder: Path) -> ImageArray:
    """All crops of a folder, square and of 48 px: (N, 48, 48) uint8, grey.

    The folder holds pictures of one face each, in subfolders too, and shards (see :func:`shard_images`).
    Oblong pictures get black edges. Shards come first; the order is by name.

    Raises:
        InputError: the folder is missing or empty, or a picture cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected face crops")
    faces = [_small(image) for _, image in shard_images(folder)]
    faces += [_small(read_image(path)) for path in _pictures(folder)]
    if not faces:
        raise InputError(f"{folder}: holds neither pictures nor shards ({SHARDS}); expected face crops")
    return np.stack(faces)


def shard_images(folder: Path) -> Iterator[tuple[str, ImageArray]]:
    """Yield every crop of a folder's shards as (id, RGB image).

    Raises:
        InputError: a file of that name is no such shard, or a crop is no readable picture.
    """
    for shard in sorted(folder.glob(SHARDS)):
        pack = read_npz(shard, "shard of face crops", ("jpeg", "offsets", "ids"))
        jpeg, offsets, ids = pack["jpeg"], pack["offsets"], pack["ids"]
        if not _cuts(jpeg, offsets, ids):
            raise InputError(
                f"{shard}: no shard of face crops: offsets {offsets.dtype} {offsets.shape} do not cut jpeg "
                f"{jpeg.dtype} {jpeg.shape} into one file for each of ids {ids.shape}"
            )
        for row, name in enumerate(ids):
            data = jpeg[offsets[row] : offsets[row + 1]].tobytes()
            yield str(name), decode_image(data, f"{shard}: row {row} ({name})")


def _cuts(jpeg: NDArray[Any], offsets: NDArray[Any], ids: NDArray[Any]) -> bool:
    """Whether the offsets cut the bytes into one piece for each id, end to end."""
    if (jpeg.ndim, offsets.ndim, ids.ndim) != (1, 1, 1) or jpeg.dtype != np.uint8:
        return False
    if len(offsets) != len(ids) + 1 or not np.issubdtype(offsets.dtype, np.integer):
        return False
    return bool(offsets[0] == 0 and offsets[-1] == len(jpeg) and (offsets[1:] >= offsets[:-1]).all())


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        Path(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")
    )


def _small(face: ImageArray) -> ImageArray:
    return as_square(np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.uint8), SIDE_PX)
