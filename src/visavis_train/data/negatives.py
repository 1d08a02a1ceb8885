"""Videos and a teacher's pack in; square pictures that hold no well-framed face out."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.face.detector import overlap
from visavis.face.region import LANDMARK_MARGIN
from visavis.types import FloatArray, ImageArray
from visavis_train.data.teacher import video_images
from visavis_train.models.face import INPUT_PX


def from_video(
    image: ImageArray, faces: list[FloatArray], rng: np.random.Generator, count: int
) -> Iterator[ImageArray]:
    """Random squares of a frame that overlap no face by more than 0.15."""
    height, width = image.shape[:2]
    for _ in range(count):
        side = float(rng.uniform(0.12, 1.0) * min(height, width))
        corner = rng.uniform(-0.2, 1.0, size=2) * [width, height] - side * 0.3
        box = np.concatenate([corner, corner + side]).astype(np.float32)
        if all(overlap(box, face) < 0.15 for face in faces):
            scale = INPUT_PX / side
            matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]], np.float32)
            square = cv2.warpAffine(image, matrix, (INPUT_PX, INPUT_PX), flags=cv2.INTER_AREA)
            yield np.asarray(square, np.uint8)


def face_parts(crops: NDArray[np.uint8], rng: np.random.Generator, count: int) -> Iterator[ImageArray]:
    """Small pieces of face crops (an eye, a cheek, hair): a tracker that drifts onto them must let go."""
    for row in rng.integers(len(crops), size=count):
        crop = np.asarray(crops[row])
        side = int(rng.uniform(0.15, 0.33) * len(crop))
        y, x = rng.integers(len(crop) - side, size=2)
        yield np.asarray(cv2.resize(crop[y : y + side, x : x + side], (INPUT_PX, INPUT_PX)), np.uint8)


def main() -> None:
    """``python -m visavis_train.data.negatives PACK VIDEO...``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    with np.load(args.pack / "labels.npz") as labels:
        boxes: dict[str, list[FloatArray]] = {}
        for name, (x, y, side, _) in zip(labels["source"], labels["region"], strict=True):
            half = side / LANDMARK_MARGIN / 2
            boxes.setdefault(str(name), []).append(np.array([x - half, y - half, x + half, y + half]))
    found = [
        piece
        for name, image in video_images(args.videos, 4)
        if name in boxes
        for piece in from_video(image, boxes[name], rng, 8)
    ]
    crops = np.load(args.pack / "crops.npy", mmap_mode="r")
    found.extend(face_parts(crops, rng, len(found) // 2))
    np.save(args.pack / "negatives.npy", np.stack(found))


if __name__ == "__main__":
    main()
