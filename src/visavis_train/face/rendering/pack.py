"""Packs of rendered faces, in the layout of :mod:`visavis_train.face.data.teacher`.

The folder holds ``crops.npy`` (N, 224, 224, 3) uint8 and ``labels.npz`` with one array for each other field
of :class:`visavis_train.face.rendering.scene.Rendered`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.base.console import progress
from visavis.errors import InputError
from visavis_train.face.data.teacher import begin_pack, end_pack
from visavis_train.face.rendering.head import Head
from visavis_train.face.rendering.landmarks import LandmarkTable
from visavis_train.face.rendering.scene import Rendered, Renderer
from visavis_train.face.rendering.skins import MOST_SKINS, make_skins, read_skins, write_skins
from visavis_train.face.rendering.surroundings import read_photographs

CHUNK = 64
SKINS = "skins.npz"
TYPES: dict[str, type] = {
    "landmarks146": np.float32,
    "blendshapes": np.float32,
    "rotation": np.float32,
    "gaze": np.float32,
    "identity": np.int64,
    "skin": np.str_,
    "occluded": np.float32,
    "source": np.str_,
}
_worker: list[Renderer] = []


def render_faces(
    head: Path,
    crops: Path,
    out: Path,
    *,
    count: int,
    seed: int,
    split: str = "train",
    workers: int = 1,
    skins: Path | None = None,
    model: Path | None = None,
    photographs: Path | None = None,
    plain: bool = False,
    probes: bool = False,
) -> None:
    """Render a pack; skins are made first if their file is missing.

    Args:
        head: ``ict_face.npz``.
        crops: folder of face crops, for skins.
        out: folder of the pack.
        count: number of pictures.
        seed: see :class:`Renderer`.
        split: see :class:`Renderer`.
        workers: number of processes.
        skins: file of skins; ``skins.npz`` next to the pack by default.
        model: ``face_landmarker.task``, for making skins.
        photographs: folder of pictures for backgrounds.
        plain: see :class:`Renderer`.
        probes: see :class:`Renderer`.

    Raises:
        InputError: a file cannot be read or written, or there are no skins of the split.
        MissingExtraError: skins are missing, and MediaPipe is not installed.
    """
    mesh = Head.load(head)
    path = skins or out.parent / SKINS
    if not path.is_file():
        model = model or crops.parent.parent / "models" / "face_landmarker.task"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_skins(path, make_skins(mesh, crops, model, MOST_SKINS))
    pictures = [] if photographs is None else read_photographs(photographs)
    table = LandmarkTable.load(mesh)
    renderer = Renderer(mesh, table, read_skins(path), split, seed, pictures, plain, probes)
    write_pack(renderer, out, count, workers)


def write_pack(renderer: Renderer, out: Path, count: int, workers: int) -> None:
    """Render pictures 0 to ``count`` and write the pack; progress goes to standard error.

    Raises:
        InputError: the count or the workers are fewer than 1, or the folder cannot be written.
    """
    if count < 1 or workers < 1:
        raise InputError(f"--count and --workers: at least 1; found {count} and {workers}")
    crops = begin_pack(out, count)
    labels: list[dict[str, Any]] = []
    with progress("faces", count, "faces") as advance:
        for start, pictures, found in _chunks(renderer, count, workers):
            crops[start : start + len(pictures)] = pictures
            labels += found
            for _ in found:
                advance()
    arrays: dict[str, Any] = {
        name: np.asarray([label[name] for label in labels], kind) for name, kind in TYPES.items()
    }
    arrays["truth"] = np.asarray("known")  # For `visavis evaluate face`.
    end_pack(out, crops, arrays)


Chunk = tuple[int, NDArray[np.uint8], list[dict[str, Any]]]


def _chunks(renderer: Renderer, count: int, workers: int) -> Iterator[Chunk]:
    jobs = [(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    if workers == 1:
        yield from (_render(renderer, *job) for job in jobs)
        return
    with get_context("spawn").Pool(workers, _begin, (renderer,)) as pool:
        yield from pool.imap(_work, jobs)


def _begin(renderer: Renderer) -> None:
    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    _worker[:] = [renderer]


def _work(job: tuple[int, int]) -> Chunk:
    return _render(_worker[0], *job)


def _render(renderer: Renderer, first: int, end: int) -> Chunk:
    found = list(renderer.render(first, end))
    return first, np.stack([face.crop for face in found]), [_label(face) for face in found]


def _label(face: Rendered) -> dict[str, Any]:
    return {f.name: getattr(face, f.name) for f in fields(face) if f.name != "crop"}
