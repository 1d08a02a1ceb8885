"""A teacher's pack in; (landmarks, weights) pairs from MediaPipe's own blendshape model out.

That model is a small function of 146 points (in ``face_landmarker.task``, Apache-2.0). Asked about
mixtures of real faces, it teaches our weights head the whole function rather than the few faces that were
photographed. Needs the package ``ai-edge-litert``.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import numpy as np

from visavis.base.reading import regular
from visavis.face.mesh import LANDMARKS_146
from visavis.types import FloatArray
from visavis_train.face.data.faces import load_pack, validation_rows

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


def main() -> None:
    """``python -m visavis_train.face.data.blendshape_pairs face_landmarker.task PACK``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Path)
    parser.add_argument("pack", type=Path, help="folder with labels.npz")
    parser.add_argument("--pairs", type=int, default=240_000)
    parser.add_argument("--without", nargs="*", default=[], help="clips that training must not see")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    from ai_edge_litert.interpreter import Interpreter

    with zipfile.ZipFile(regular(args.task)) as bundle:
        model = Interpreter(model_content=bundle.read("face_blendshapes.tflite"), num_threads=1)
    model.allocate_tensors()
    source = model.get_input_details()[0]["index"]
    target = model.get_output_details()[0]["index"]
    pack = load_pack(args.pack)
    rows, _ = validation_rows(pack, args.without)
    faces = pack.landmarks[rows][..., :2]
    rng = np.random.default_rng(args.seed)
    landmarks = np.empty((args.pairs, len(LANDMARKS_146), 2), np.float32)
    weights = np.empty((args.pairs, 51), np.float32)
    for row in range(args.pairs):
        landmarks[row] = mixed_face(faces, rng)
        # The model ignores position and scale; 256 only keeps it in the range of pixels.
        model.set_tensor(source, 256 * landmarks[row][None] + 128)
        model.invoke()
        weights[row] = model.get_tensor(target)[1:]
    np.savez(args.pack / "pairs.npz", landmarks=landmarks, weights=weights)


if __name__ == "__main__":
    main()
