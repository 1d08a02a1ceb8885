"""The data engine for real faces: MediaPipe labels pictures and videos, and the result is a pack.

The teacher is MediaPipe Face Landmarker (extra ``mediapipe``). It runs in image mode, because video mode
drifts on a still picture. Its answers for a picture and for the mirrored picture are averaged, because it
is not symmetric. Tightly cut crops get a border that repeats their edge, because black bars change its
scores.

A pack is a folder: ``crops.npy`` (N, 224, 224, 3) uint8, and ``labels.npz`` with ``landmarks146``
(N, 146, 3) float32 in units of the face region (0 at its centre, x and y +-0.5 at its edges, z on the same
scale), ``blendshapes`` (N, 52) float32 in the order of :data:`visavis.channels.BLENDSHAPES` (tongueOut 0),
``rotation`` (N, 3, 3) float32 of the head in the upright crop, ``source`` (N,) str, ``frame_size`` (N, 2)
int32 (width, height) and ``region`` (N, 4) float32 (centre x, y and side in image pixels, roll in radians).
"""

from __future__ import annotations

import signal
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.base.console import progress
from visavis.base.npz import read_npz
from visavis.base.reading import regular
from visavis.base.words import reason
from visavis.datasets.face_labels import STORED_MARGIN
from visavis.errors import InputError
from visavis.face.geometry import upright
from visavis.face.mediapipe import open_landmarker, picture_of
from visavis.face.mesh import LANDMARKS_146
from visavis.face.region import LANDMARK_MARGIN, FaceRegion
from visavis.types import FloatArray, ImageArray
from visavis_train.face.data.mirroring import FLIPPED_WEIGHTS, MIRROR, PARTNERS
from visavis_train.face.data.real_faces import GRID_STEP, folder_images, still_images, video_images
from visavis_train.face.data.warping import warped
from visavis_train.face.network import EYE_CORNERS

CROP_PX = 224
PackCrops = np.memmap[Any, np.dtype[np.uint8]]
# Largest difference of the answers for the picture and its mirror image (in shares of the region):
# with a larger one, the teacher is not sure.
LARGEST_DOUBT = 0.03


@dataclass(frozen=True, slots=True)
class Labeled:
    """One face with the teacher's answer (the arrays of a pack, for one face)."""

    crop: ImageArray
    landmarks146: FloatArray
    blendshapes: FloatArray
    rotation: FloatArray
    source: str
    frame_size: tuple[int, int]
    region: FloatArray


class Teacher:
    """MediaPipe Face Landmarker on single pictures.

    Args:
        model: the file ``face_landmarker.task``.
        faces: largest number of faces in a picture.

    Raises:
        InputError: the file is missing, or MediaPipe cannot open it.
        MissingExtraError: MediaPipe is not installed.
    """

    def __init__(self, model: Path, faces: int = 1) -> None:
        self._landmarker = open_landmarker(
            model,
            "landmarks of pictures",
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
            num_faces=faces,
        )

    def close(self) -> None:
        """Free MediaPipe's graph; without this, it prints errors at the interpreter's end."""
        self._landmarker.close()

    def points(self, image_rgb: ImageArray) -> FloatArray | None:
        """MediaPipe's own landmarks (478, 3) of one face in pixels, from the edge of the first; or None."""
        height, width = image_rgb.shape[:2]
        found = self._landmarker.detect(picture_of(image_rgb)).face_landmarks
        xyz = [(p.x * width, p.y * height, p.z * width) for points in found[:1] for p in points]
        return np.asarray(xyz, np.float32) if xyz else None

    def answers(self, image_rgb: ImageArray) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
        """Landmarks (146, 3) in pixels, blendshapes (52,) and rotation (3, 3) of each face."""
        height, width = image_rgb.shape[:2]
        answer = self._landmarker.detect(picture_of(image_rgb))
        result = []
        for points, scores, matrix in zip(
            answer.face_landmarks,
            answer.face_blendshapes,
            answer.facial_transformation_matrixes,
            strict=True,
        ):
            # MediaPipe counts from the edge of the first pixel, visavis from its middle.
            chosen = [points[number] for number in LANDMARKS_146]
            xyz = [(p.x * width - 0.5, p.y * height - 0.5, p.z * width) for p in chosen]
            weights = [score.score for score in scores[1:]] + [0.0]
            rotation = np.asarray(matrix, np.float32)[:3, :3]
            result.append((np.asarray(xyz, np.float32), np.asarray(weights, np.float32), rotation))
        return result

    def label(self, name: str, image_rgb: ImageArray) -> Iterator[Labeled]:
        """Faces of a picture for which the teacher's answers agree with those for the mirrored picture."""
        height, width = image_rgb.shape[:2]
        seen = self.answers(image_rgb)
        mirrored = self.answers(image_rgb[:, ::-1]) if seen else []
        for xyz, weights, rotation in seen:
            for other, other_weights, other_rotation in mirrored:
                back = other[list(PARTNERS)] * MIRROR
                back[:, 0] += width - 1
                found = FaceRegion.from_landmarks(xyz[:, :2], EYE_CORNERS, LANDMARK_MARGIN)
                if np.abs(back - xyz)[:, :2].mean() > LARGEST_DOUBT * found.size_px:
                    continue
                mean: FloatArray = np.asarray((xyz + back) / 2, np.float32)
                region = FaceRegion.from_landmarks(mean[:, :2], EYE_CORNERS, LANDMARK_MARGIN)
                turned = (rotation + MIRROR[:, None] * other_rotation * MIRROR) / 2
                u, _, v = np.linalg.svd(turned)
                yield Labeled(
                    region.scaled(STORED_MARGIN).crop(image_rgb, CROP_PX),
                    np.column_stack([region.to_unit(mean[:, :2]), mean[:, 2] / region.size_px]),
                    np.asarray((weights + other_weights[FLIPPED_WEIGHTS]) / 2, np.float32),
                    upright(np.asarray(u @ v, np.float32)[None])[0],
                    name,
                    (width, height),
                    np.asarray((*region.center_xy, region.size_px, region.roll_rad), np.float32),
                )
                break


@dataclass(frozen=True, slots=True)
class LabelSources:
    """The pictures to label.

    Attributes:
        shared: folder with ``data/faces``, ``data/fer2013`` and ``data/video``; None for none.
        grid: folder with the unpacked GRID videos; None for none.
        own: folders of the user's pictures and videos, searched in subfolders too.
        warps: number of warped copies of each still to label as well.
        seed: seed of the warps.
    """

    shared: Path | None
    grid: Path | None
    own: tuple[Path, ...] = ()
    warps: int = 0
    seed: int = 0

    def images(self) -> Iterator[tuple[str, ImageArray, int]]:
        """Every picture as (id, RGB image, largest number of faces)."""
        if self.shared is not None:
            data = self.shared / "data"
            for name, image in video_images(sorted((data / "video").glob("*.mp4"))):
                yield name, image, 2
            for number, (name, image) in enumerate(still_images(data / "faces", data / "fer2013")):
                yield name, image, 1
                yield from self._warped(name, image, number)
        if self.grid is not None:
            for name, image in video_images(sorted(self.grid.glob("*.mp4")), GRID_STEP):
                yield name, image, 1
        for number, (name, image) in enumerate(pair for folder in self.own for pair in folder_images(folder)):
            yield name, image, 4
            yield from self._warped(name, image, number)

    def _warped(self, name: str, image: ImageArray, number: int) -> Iterator[tuple[str, ImageArray, int]]:
        for copy in range(self.warps):
            rng = np.random.default_rng((self.seed, number, copy))
            yield f"{name}~{copy}", warped(image, rng), 1


def write_part(job: tuple[int, int, LabelSources, Path, Path]) -> tuple[Path, int]:
    """Label every ``parts``-th picture, in a separate process; returns the part's file and its faces.

    The crops go to a file of bytes at once, so that the memory holds only labels.
    """
    part, parts, sources, model, out = job
    teachers = {faces: Teacher(model, faces) for faces in (1, 2, 4)}
    arrays: dict[str, list[Any]] = {name: [] for name in _ARRAYS}
    # Every worker goes through all pictures, so one bar is enough.
    bar: AbstractContextManager[Callable[[], None]] = nullcontext(lambda: None)
    path = out / f"part{part}.npz"
    with (
        path.with_suffix(".crops").open("wb") as crops,
        bar if part else progress("labelling", None, "pictures") as advance,
    ):
        for number, (name, image, faces) in enumerate(sources.images()):
            if number % parts == part:
                for face in teachers[faces].label(name, image):
                    crops.write(face.crop.tobytes())
                    for key, values in arrays.items():
                        values.append(getattr(face, key))
            advance()
    for teacher in teachers.values():
        teacher.close()
    columns: dict[str, Any] = {name: np.asarray(values) for name, values in arrays.items()}
    np.savez(path, **columns)
    return path, len(arrays["source"])


_ARRAYS = ("landmarks146", "blendshapes", "rotation", "region", "source", "frame_size")


def join(parts: list[Path], out: Path) -> int:
    """Join the parts in the order of their sources; returns the number of faces."""
    packs = [read_npz(path, "part of a pack") for path in parts]
    sources: NDArray[np.str_] = np.concatenate([pack["source"] for pack in packs])
    order = np.argsort(sources, kind="stable")
    joined = {key: np.concatenate([pack[key] for pack in packs])[order] for key in packs[0]}
    joined["frame_size"] = joined["frame_size"].astype(np.int32)
    target = begin_pack(out, len(order))
    shape = target.shape[1:]
    crops = [np.memmap(path.with_suffix(".crops"), np.uint8, "r").reshape(-1, *shape) for path in parts]
    starts = np.cumsum([0] + [len(part) for part in crops])
    for place, row in enumerate(order):
        part = int(np.searchsorted(starts, row, side="right")) - 1
        target[place] = crops[part][row - starts[part]]
    end_pack(out, target, joined)
    return len(order)


def begin_pack(out: Path, count: int) -> PackCrops:
    """The crops (N, 224, 224, 3) of a new pack, to be filled.

    The labels of an earlier pack are deleted first: if the work is stopped, they would be of other crops.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "labels.npz").unlink(missing_ok=True)
        return np.lib.format.open_memmap(out / "crops.npy", "w+", np.uint8, (count, CROP_PX, CROP_PX, 3))
    except OSError as error:
        raise InputError(f"{out}: cannot write there: {reason(error)}") from error


def end_pack(out: Path, crops: PackCrops, labels: Mapping[str, NDArray[Any]]) -> None:
    """Write the labels of a pack whose crops are filled."""
    crops.flush()
    np.savez_compressed(out / "labels.npz", allow_pickle=False, **labels)


def label_pack(
    model: Path,
    out: Path,
    *,
    shared: Path | None = None,
    own: Sequence[Path] = (),
    warps: int = 0,
    seed: int = 0,
    workers: int = 2,
) -> int:
    """Label everything and write the pack; returns the number of faces.

    Args:
        model: MediaPipe's ``face_landmarker.task``.
        out: folder of the pack.
        shared: see :class:`LabelSources`.
        own: see :class:`LabelSources`.
        warps: number of bent copies of each still.
        seed: seed of the bends.
        workers: number of processes.

    Raises:
        InputError: there is nothing to label, no face is found, or a file cannot be read.
        MissingExtraError: MediaPipe is not installed.
    """
    if shared is None and not own:
        raise InputError("nothing to label; name --shared DIR or --own DIR")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir=out) as unjoined:
        grid = None if shared is None else shared / "data" / "video" / "grid_s1_av.tar"
        if grid is not None and grid.exists():
            with tarfile.open(regular(grid)) as tar:
                tar.extractall(folder, filter="data")
        sources = LabelSources(shared, Path(folder), tuple(own), warps, seed)
        jobs = [(part, workers, sources, model, Path(unjoined)) for part in range(workers)]
        with Pool(workers, _end_quietly) as pool:
            parts = pool.map(write_part, jobs)
        if not any(count for _, count in parts):
            where = ", ".join(str(path) for path in (shared, *own) if path)
            raise InputError(f"no face was found in {where}")
        return join([path for path, count in parts if count], out)


def _end_quietly() -> None:
    """Make a worker ignore Ctrl-C, which the command handles, and end without messages."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
