"""(landmarks, weights) pairs from MediaPipe's own blendshape model.

That model is a small function of 146 points (in ``face_landmarker.task``, Apache-2.0). Its answers for
mixtures of real faces teach our weights head the whole function, not only the few photographed faces.
Needs the package ``ai-edge-litert``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visavis.base.console import progress
from visavis.base.reading import regular
from visavis.base.words import reason
from visavis.errors import InputError
from visavis.face.mesh import LANDMARKS_146
from visavis.types import FloatArray
from visavis_train.face.data.faces import load_faces, validation_rows

NOISE = (0.001, 0.002, 0.004, 0.008)


def mixed_face(faces: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One plausible face (146, 2): a real one, moved along the difference of two others."""
    base, one, other = rng.integers(len(faces), size=3)
    points = faces[base].copy()
    if rng.random() < 0.7:
        points += rng.uniform(-0.8, 0.8) * (faces[one] - faces[other])
    if rng.random() < 0.5:
        points += rng.normal(size=points.shape) * rng.choice(NOISE)
    angle = 0.08 * rng.normal()
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[c, s], [-s, c]]), np.float32)


def write_pairs(
    task: Path, folder: Path, *, count: int = 240_000, without: Sequence[str] = (), seed: int = 0
) -> None:
    """Ask the model about mixtures of a pack's faces and write ``pairs.npz`` into the pack.

    Args:
        task: ``face_landmarker.task``, which holds the model.
        folder: the pack.
        count: number of pairs.
        without: clips whose faces are not mixed.
        seed: seed of the mixtures.

    Raises:
        InputError: the pack or the model cannot be read, or ``ai-edge-litert`` is not installed.
    """
    model = _model(task)
    source = model.get_input_details()[0]["index"]
    target = model.get_output_details()[0]["index"]
    pack = load_faces(folder)
    rows, _ = validation_rows(pack, without)
    faces = pack.landmarks[rows][..., :2]
    if not len(faces):
        raise InputError(f"{folder}: no face is left to mix without {', '.join(without) or 'held-out ones'}")
    rng = np.random.default_rng(seed)
    landmarks = np.empty((count, len(LANDMARKS_146), 2), np.float32)
    weights = np.empty((count, 51), np.float32)
    with progress("mixed faces", count, "pairs") as advance:
        for row in range(count):
            landmarks[row] = mixed_face(faces, rng)
            # The model ignores position and scale; 256 only keeps it in the range of pixels.
            model.set_tensor(source, 256 * landmarks[row][None] + 128)
            model.invoke()
            weights[row] = model.get_tensor(target)[1:]
            advance()
    np.savez(folder / "pairs.npz", landmarks=landmarks, weights=weights)


def _model(task: Path) -> Any:
    """The interpreter of the blendshape model in ``face_landmarker.task``."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError as error:
        raise InputError(
            "asking MediaPipe's blendshape model needs a package: pip install ai-edge-litert"
        ) from error
    try:
        with zipfile.ZipFile(regular(task)) as bundle:
            model = Interpreter(model_content=bundle.read("face_blendshapes.tflite"), num_threads=1)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{task}: not a readable face_landmarker.task: {reason(error)}") from error
    model.allocate_tensors()
    return model
