"""A folder of face crops without labels in; small grey faces, as the expression networks read them, out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from visavis.capture.image import IMAGE_SUFFIXES, read_image
from visavis.datasets.fer2013 import SIDE_PX
from visavis.errors import InputError
from visavis.types import ImageArray

# Many crops in a file: ``jpeg``, uint8, JPEG files end to end; ``offsets``, int64 (N + 1); ``ids``, str (N).
SHARDS = "*_[0-9][0-9].npz"


def read_crops(folder: Path) -> ImageArray:
    """All crops of a folder and its subfolders, shrunk or enlarged to 48 px: (N, 48, 48) uint8, grey.

    The folder holds pictures, one face each, in subfolders too, or shards (see :func:`shard_images`) itself.
    The order is that of the names.

    Raises:
        InputError: no such folder, nothing in it, or a picture cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected face crops")
    shards = [image for _, image in shard_images(folder)]
    faces = shards or [read_image(path) for path in _pictures(folder)]
    if not faces:
        raise InputError(f"{folder}: holds neither pictures nor shards {SHARDS}; expected face crops")
    return np.stack([_small(face) for face in faces])


def shard_images(folder: Path) -> Iterator[tuple[str, ImageArray]]:
    """Yield every crop of a folder's shards as (id, RGB image).

    Raises:
        InputError: a crop is no readable JPEG, or a shard not one of those.
    """
    for shard in sorted(folder.glob(SHARDS)):
        try:
            with np.load(shard) as pack:
                jpeg, offsets, ids = pack["jpeg"], pack["offsets"], pack["ids"]
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"{shard}: no shard of face crops: {error}") from error
        for row, name in enumerate(ids):
            data = jpeg[offsets[row] : offsets[row + 1]]
            image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if len(data) else None
            if image is None:
                raise InputError(f"{shard}: row {row} ({name}) is not a readable JPEG")
            yield str(name), np.asarray(image, np.uint8)


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        Path(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")
    )


def _small(face: ImageArray) -> ImageArray:
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    how = cv2.INTER_AREA if min(grey.shape) > SIDE_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=how), np.uint8)
