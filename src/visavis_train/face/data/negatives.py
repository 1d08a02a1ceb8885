"""Square pictures without a face, cut from photographs and videos.

The photographs come from :mod:`visavis_train.face.data.photographs`, without the held-out ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.base.files import whole_file
from visavis.base.npz import read_npz
from visavis.capture.image import read_image
from visavis.datasets.npy import read_npy
from visavis.errors import InputError
from visavis.face.region import LANDMARK_MARGIN, FaceRegion
from visavis.types import FloatArray, ImageArray
from visavis_train.face.data.clutter import clutter
from visavis_train.face.data.real_faces import video_images
from visavis_train.face.parts import INPUT_PX


def from_photograph(image: ImageArray, rng: np.random.Generator, count: int) -> Iterator[ImageArray]:
    """Random squares of a picture without faces, of all sizes, a third of them turned."""
    height, width = image.shape[:2]
    for _ in range(count):
        side = float(np.exp(rng.uniform(np.log(0.12), np.log(1.1))) * min(height, width))
        side = max(side, 40.0)
        center = rng.uniform(0, 1, 2) * np.maximum([width - 0.7 * side, height - 0.7 * side], 1) + 0.35 * side
        roll = float(rng.uniform(-np.pi, np.pi)) if rng.random() < 1 / 3 else 0.0
        square = FaceRegion((float(center[0]), float(center[1])), side, roll).crop(image, INPUT_PX)
        yield np.ascontiguousarray(square[:, ::-1]) if rng.random() < 0.5 else square


def from_video(
    image: ImageArray, faces: list[FloatArray], rng: np.random.Generator, count: int
) -> Iterator[ImageArray]:
    """Random squares of a frame that hold less than a tenth of any face."""
    height, width = image.shape[:2]
    for _ in range(count):
        side = float(rng.uniform(0.12, 1.0) * min(height, width))
        corner = rng.uniform(-0.2, 1.0, size=2) * [width, height] - side * 0.3
        box = np.concatenate([corner, corner + side]).astype(np.float32)
        if all(_held(face, box) < 0.1 for face in faces):
            yield FaceRegion.from_box(box).crop(image, INPUT_PX)


def _held(face: FloatArray, box: FloatArray) -> float:
    """Share of a face's box that lies in another box."""
    sides = np.minimum(face[2:], box[2:]) - np.maximum(face[:2], box[:2])
    return float(np.prod(np.maximum(sides, 0)) / np.prod(face[2:] - face[:2]))


def face_parts(crops: NDArray[np.uint8], rng: np.random.Generator, count: int) -> Iterator[ImageArray]:
    """Small pieces of face crops (an eye, a cheek, hair), so that the tracker rejects them after a drift."""
    for row in rng.integers(len(crops), size=count):
        crop = np.asarray(crops[row])
        side = int(rng.uniform(0.15, 0.33) * len(crop))
        y, x = rng.integers(len(crop) - side, size=2)
        yield np.asarray(cv2.resize(crop[y : y + side, x : x + side], (INPUT_PX, INPUT_PX)), np.uint8)


def beside_faces(pack: Path, videos: Sequence[Path], rng: np.random.Generator) -> Iterator[ImageArray]:
    """Squares of the videos' backgrounds; the pack knows all faces there.

    Raises:
        InputError: the pack or a video cannot be read.
    """
    labels = read_npz(
        pack / "labels.npz",
        "pack of labelled faces",
        ("source", "region"),
        made_by="visavis lab label-faces",
    )
    boxes: dict[str, list[FloatArray]] = {}
    for name, (x, y, side, _) in zip(labels["source"], labels["region"], strict=True):
        half = side / LANDMARK_MARGIN / 2
        boxes.setdefault(str(name), []).append(np.array([x - half, y - half, x + half, y + half]))
    for name, image in video_images(list(videos), 4):
        if name in boxes:
            yield from from_video(image, boxes[name], rng, 8)


def write_negatives(
    pack: Path,
    videos: Sequence[Path],
    out: Path,
    *,
    photographs: Path | None = None,
    squares: int = 9,
    most: int = 1500,
    parts: int = 0,
    seed: int = 0,
) -> int:
    """Cut squares without faces and write them; returns how many.

    Args:
        pack: the teacher's pack, with the faces of the videos.
        videos: the videos, for their backgrounds.
        out: the .npy file (N, 160, 160, 3).
        photographs: folder of pictures (.jpg) without faces; with it, clutter is also drawn.
        squares: number of squares from each photograph.
        most: largest number of squares from the videos, and of drawn ones.
        parts: number of small pieces of faces.
        seed: of all randomness.

    Raises:
        InputError: the pack, a video or a photograph cannot be read, or there is no square.
    """
    rng = np.random.default_rng(seed)
    found = list(beside_faces(pack, videos, rng))
    found = [found[i] for i in rng.permutation(len(found))[:most]]
    if photographs is not None:
        for path in sorted(photographs.glob("*.jpg")):
            found.extend(from_photograph(read_image(path), rng, squares))
        found.extend(clutter(rng) for _ in range(most))
    if parts:
        found.extend(face_parts(read_npy(pack / "crops.npy", mapped=True), rng, parts))
    if not found:
        raise InputError(
            f"no square to cut: {pack} knows no face of the videos; name --photographs or others"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(out) as partial, partial.open("wb") as file:
        np.save(file, np.stack(found))
    return len(found)
