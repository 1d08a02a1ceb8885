"""Face images and videos in; packed face crops with MediaPipe's landmarks, weights and pose out.

The teacher of the project's own face network is MediaPipe Face Landmarker in image mode
(extra ``mediapipe``). The pack is one folder: ``crops.npy`` (N, 224, 224, 3) uint8, memory-mapped, and
``labels.npz`` with ``landmarks`` (N, 478, 3) float32 in units of the face region (0 at its centre, x and
y +-0.5 at its edges, z on the same scale), ``blendshapes`` (N, 52) float32 in MediaPipe's order,
``matrix`` (N, 4, 4) float32, ``source`` (N,) str, ``frame_size`` (N, 2) int32 (width, height) and ``region``
(N, 4) float32 (centre x, y and side in image pixels, roll in radians).
"""

from __future__ import annotations

import argparse
import csv
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import cv2
import numpy as np

from visavis.capture.image import read_image
from visavis.capture.video import VideoFile
from visavis.face.region import LANDMARK_MARGIN, FaceRegion
from visavis.types import FloatArray, ImageArray
from visavis_train.data.crops import shard_images

CROP_PX = 224
# Crops are stored 1.4 times as large as the tracked region, so that augmentation can shift, turn and
# scale it without leaving the picture.
STORED_MARGIN = 1.4
EYE_CORNERS_478 = (33, 263)
# FER-2013's 48 px faces carry too little detail for the teacher's finest points; half of them suffice.
FER_STEP = 2
GRID_STEP = 5


@dataclass(frozen=True, slots=True)
class Labelled:
    """One face with the teacher's answer."""

    crop: ImageArray
    landmarks: FloatArray
    blendshapes: FloatArray
    matrix: FloatArray
    source: str
    frame_size: tuple[int, int]
    region: FaceRegion


def still_images(faces: Path, fer: Path) -> Iterator[tuple[str, ImageArray]]:
    """Yield every still as (id, RGB image padded by 25% and enlarged to 336 px)."""
    for crop, image in shard_images(faces):
        yield crop, enlarge(image)
    sheets: dict[str, ImageArray] = {}
    with (fer / "training.csv").open() as file:
        for number, row_ in enumerate(csv.DictReader(file)):
            if number % FER_STEP:
                continue
            name = row_["sheet"]
            if name not in sheets:
                sheets = {name: read_image(fer / name)}
            y, x = (48 * v for v in divmod(int(row_["cell"]), 64))
            cell = sheets[name][y : y + 48, x : x + 48]
            yield f"fer_{number:05d}", enlarge(cell)


def enlarge(image: ImageArray) -> ImageArray:
    """Pad by a quarter of the side with black and scale to 336 px (see the data's own notes)."""
    pad = image.shape[0] // 4
    padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    return np.asarray(cv2.resize(padded, (336, 336), interpolation=cv2.INTER_CUBIC), np.uint8)


def video_images(paths: list[Path], step: int = 1) -> Iterator[tuple[str, ImageArray]]:
    """Yield every ``step``-th frame of each video as (``video:frame``, RGB image)."""
    for path in paths:
        with VideoFile(path) as video:
            for frame in video:
                if frame.index % step == 0:
                    yield f"{path.stem}:{frame.index:05d}", frame.image_rgb


def label(images: Iterator[tuple[str, ImageArray]], model: Path, faces: int) -> Iterator[Labelled]:
    """Run the teacher; yield one record for each face found."""
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
        num_faces=faces,
    )
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for name, image in images:
            height, width = image.shape[:2]
            answer = landmarker.detect(mp.Image(mp.ImageFormat.SRGB, np.ascontiguousarray(image)))
            for points, weights, matrix in zip(
                answer.face_landmarks,
                answer.face_blendshapes,
                answer.facial_transformation_matrixes,
                strict=True,
            ):
                xyz = np.asarray([(p.x * width, p.y * height, p.z * width) for p in points], np.float32)
                region = FaceRegion.from_landmarks(
                    xyz[:, :2], EYE_CORNERS_478, LANDMARK_MARGIN * STORED_MARGIN
                )
                unit = FaceRegion(region.center_xy, region.size_px / STORED_MARGIN, region.roll_rad)
                yield Labelled(
                    region.crop(image, CROP_PX),
                    np.column_stack([unit.to_unit(xyz[:, :2]), xyz[:, 2] / unit.size_px]),
                    np.asarray([w.score for w in weights], np.float32),
                    np.asarray(matrix, np.float32),
                    name,
                    (width, height),
                    unit,
                )


def write_part(job: tuple[int, int, Path, Path, Path, bool]) -> Path:
    """Label every ``parts``-th image (worker of :func:`main`) and store the part."""
    part, parts, shared, videos, out, stills = job
    data = shared / "data"
    files = sorted((data / "video").glob("*.mp4"))
    # Talking heads filmed for one sentence hardly differ from frame to frame: thin them out.
    sources = [
        (video_images(files), 2),
        (video_images(sorted(videos.glob("*.mp4")), GRID_STEP), 1),
    ]
    if stills:
        sources.append((still_images(data / "faces", data / "fer2013"), 1))
    found: list[Labelled] = []
    for images, faces in sources:
        mine = (pair for number, pair in enumerate(images) if number % parts == part)
        found.extend(label(mine, shared / "models" / "face_landmarker.task", faces))
    path = out / f"part{part}.npz"
    np.savez(
        path,
        crops=np.stack([f.crop for f in found]),
        landmarks=np.stack([f.landmarks for f in found]),
        blendshapes=np.stack([f.blendshapes for f in found]),
        matrix=np.stack([f.matrix for f in found]),
        source=np.asarray([f.source for f in found]),
        frame_size=np.asarray([f.frame_size for f in found], np.int32),
        region=np.asarray(
            [(*f.region.center_xy, f.region.size_px, f.region.roll_rad) for f in found], np.float32
        ),
    )
    return path


def main() -> None:
    """``python -m visavis_train.data.teacher SHARED OUT``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path, help="folder with data/ and models/")
    parser.add_argument("out", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--videos-only", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(args.shared / "data" / "video" / "grid_s1_av.tar") as tar:
            tar.extractall(folder, filter="data")
        jobs = [
            (part, args.workers, args.shared, Path(folder), args.out, not args.videos_only)
            for part in range(args.workers)
        ]
        with Pool(args.workers) as pool:
            parts = pool.map(write_part, jobs)
    packs = [np.load(p) for p in parts]
    order = np.argsort(np.concatenate([p["source"] for p in packs]), kind="stable")
    joined = {key: np.concatenate([p[key] for p in packs])[order] for key in packs[0].files if key != "crops"}
    np.savez_compressed(args.out / "labels.npz", allow_pickle=False, **joined)
    crops = np.concatenate([p["crops"] for p in packs])[order]
    np.save(args.out / "crops.npy", crops)
    for p in parts:
        p.unlink()
    print(f"{len(order)} faces in {args.out}")


if __name__ == "__main__":
    main()
