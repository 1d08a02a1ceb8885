"""Packs of labelled faces as small JPEG files, so that a pack can be sent to another computer.

``visavis lab pack-faces PACK OUT`` writes ``shard_00.npz`` and so on. ``visavis lab unpack-faces OUT PACK``
makes the pack again, with the small losses of JPEG.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.base.npz import read_npz
from visavis.capture.image import decode_image
from visavis.datasets.npy import read_npy
from visavis.errors import InputError
from visavis_train.face.data.teacher import CROP_PX, begin_pack, end_pack

SHARDS = "shard_*.npz"
LABELS = ("landmarks146", "blendshapes", "rotation", "source")
# Only in packs of rendered faces.
IF_THERE = ("occluded",)


def write_shards(source: Path, out: Path, *, side_px: int, quality: int, most_bytes: int, step: int) -> int:
    """Write every ``step``-th face of a pack as shards; returns how many shards there are.

    Args:
        source: folder of ``crops.npy`` and ``labels.npz``.
        out: folder of the shards.
        side_px: side of the stored crops, which are cut at 224 px.
        quality: JPEG quality, 1..100.
        most_bytes: largest size of the pictures in a shard.
        step: take only every ``step``-th face; 1 for all.

    Raises:
        InputError: the pack cannot be read.
    """
    labels = read_npz(source / "labels.npz", "pack of labelled faces", LABELS, others=IF_THERE)
    crops = read_npy(source / "crops.npy", mapped=True)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[int] = []
    files: list[bytes] = []
    shards = 0
    for row in range(0, len(crops), step):
        rows.append(row)
        files.append(_jpeg(np.asarray(crops[row]), side_px, quality))
        if row + step >= len(crops) or sum(map(len, files)) > most_bytes:
            _write(out / f"shard_{shards:02d}.npz", labels, rows, files)
            rows, files, shards = [], [], shards + 1
    return shards


def _jpeg(crop: NDArray[np.uint8], side_px: int, quality: int) -> bytes:
    small = cv2.resize(crop, (side_px, side_px), interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def _write(path: Path, labels: dict[str, Any], rows: list[int], files: list[bytes]) -> None:
    offsets = np.cumsum([0] + [len(file) for file in files])
    kept: dict[str, Any] = {name: array[rows] for name, array in labels.items()}
    for name in LABELS[:3]:
        kept[name] = kept[name].astype(np.float16)
    np.savez_compressed(path, jpeg=np.frombuffer(b"".join(files), np.uint8), offsets=offsets, **kept)


def read_shards(folder: Path, out: Path) -> int:
    """Make a pack of all shards of a folder; returns the number of faces.

    Raises:
        InputError: there are no shards, or one is damaged.
    """
    paths = sorted(folder.glob(SHARDS))
    if not paths:
        raise InputError(f"{folder}: holds no {SHARDS}; expected shards of a pack")
    names = (*LABELS, "jpeg", "offsets")
    parts = [read_npz(path, "shard of labelled faces", names, others=IF_THERE) for path in paths]
    count = sum(len(part["source"]) for part in parts)
    crops = begin_pack(out, count)
    row = 0
    for path, part in zip(paths, parts, strict=True):
        for start, end in zip(part["offsets"][:-1], part["offsets"][1:], strict=True):
            image = decode_image(part["jpeg"][start:end].tobytes(), f"{path}: face {row}")
            crops[row] = cv2.resize(image, (CROP_PX, CROP_PX), interpolation=cv2.INTER_LINEAR)
            row += 1
    known = [*LABELS, *(name for name in IF_THERE if all(name in part for part in parts))]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in known}
    joined |= {name: joined[name].astype(np.float32) for name in LABELS[:3]}
    end_pack(out, crops, joined)
    return count
