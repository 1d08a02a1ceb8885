"""Small pictures that tests write to disk and recognise again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from visavis.types import ImageArray


def picture(seed: int, side_px: int = 48) -> ImageArray:
    """Grey noise (S, S), another one for each seed."""
    return np.random.default_rng(seed).integers(0, 256, (side_px, side_px), np.uint8)


def write(path: Path, image: ImageArray) -> Path:
    """Write a picture, grey or RGB, with the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image if image.ndim == 2 else image[..., ::-1])
    return path
