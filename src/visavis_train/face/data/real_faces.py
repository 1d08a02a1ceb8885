"""Readers of real face pictures: shards of crops, FER-2013's sheets, videos, and a user's own folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from visavis.capture.image import IMAGE_SUFFIXES, read_image
from visavis.capture.video import VIDEO_SUFFIXES, VideoFile
from visavis.datasets import fer2013
from visavis.errors import InputError
from visavis.types import ImageArray
from visavis_train.data.face_crops import shard_images

# FER-2013's 48 px faces carry too little detail for the teacher's finest points; half of them suffice.
FER_STEP = 2
# Frames of a person who says one sentence hardly differ.
GRID_STEP = 5
OWN_STEP = 5
ENLARGED_PX = 336


def still_images(faces: Path, fer: Path) -> Iterator[tuple[str, ImageArray]]:
    """Yield every still as (id, RGB image with a border, 336 px)."""
    for crop, image in shard_images(faces):
        yield crop, enlarge(image)
    images = fer2013.load(fer).split(fer2013.TRAINING).images
    for number in range(0, len(images), FER_STEP):
        yield f"fer_{number:05d}", enlarge(np.repeat(images[number][..., None], 3, axis=2))


def enlarge(image: ImageArray) -> ImageArray:
    """Add a border of repeated edges, a quarter of the side, for tightly cut crops; scale to 336 px."""
    pad = image.shape[0] // 4
    padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    size = (ENLARGED_PX, ENLARGED_PX)
    return np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def video_images(paths: list[Path], step: int = 1) -> Iterator[tuple[str, ImageArray]]:
    """Yield every ``step``-th frame of each video as (``video:frame``, RGB image)."""
    for path in paths:
        with VideoFile(path) as video:
            for frame in video:
                if frame.index % step == 0:
                    yield f"{path.stem}:{frame.index:05d}", frame.image_rgb


def folder_images(folder: Path) -> Iterator[tuple[str, ImageArray]]:
    """Yield the pictures and every fifth frame of the videos of a folder and its subfolders.

    Raises:
        InputError: the folder is missing, or a file in it cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected pictures or videos")
    for place, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = Path(place, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() in IMAGE_SUFFIXES:
                # A colon would make it a clip, and "~" a bent copy.
                plain = path.relative_to(folder).as_posix().replace(":", "_").replace("~", "_")
                yield f"own_{plain}", read_image(path)
            elif path.suffix.lower() in VIDEO_SUFFIXES:
                yield from ((f"own-{number}", image) for number, image in video_images([path], OWN_STEP))
