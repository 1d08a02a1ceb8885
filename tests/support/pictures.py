"""Small pictures that tests write to disk, send, and recognise again."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from visavis.types import ImageArray


def picture(seed: int, side_px: int = 48) -> ImageArray:
    """Grey noise (S, S), another one for each seed."""
    return np.random.default_rng(seed).integers(0, 256, (side_px, side_px), np.uint8)


def jpeg(width: int = 64, height: int = 48, level: int = 128) -> bytes:
    """A JPEG file of one grey level."""
    done, data = cv2.imencode(".jpg", np.full((height, width, 3), level, np.uint8))
    assert done
    return data.tobytes()


def write(path: Path, image: ImageArray) -> Path:
    """Write a picture, grey or RGB, with the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image if image.ndim == 2 else image[..., ::-1])
    return path


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
