"""Packs of face states for pretraining: what the embedded face network says about grey face crops.

``visavis lab face-states FER2013 PACK.npz [--faces FOLDER]...``

A pack has FER-2013's Training faces, those of the folders, and PublicTest's as held-out faces. It has no
labels. Crops in which the network does not see a face (:mod:`.crop_landmarks`) are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np

from visavis.base.console import print_note, progress
from visavis.base.files import require_outputs, whole_file
from visavis.base.npz import read_npz
from visavis.datasets import fer2013
from visavis.datasets.fer2013 import SIDE_PX
from visavis.errors import InputError
from visavis.face.mesh import LANDMARKS_146
from visavis.face.network import FaceNetwork
from visavis.types import BoolArray, FloatArray, ImageArray
from visavis_train.data.face_crops import read_crops
from visavis_train.face.data.crop_landmarks import look_at_crop
from visavis_train.face.data.mirroring import FLIPPED_WEIGHTS, MIRROR
from visavis_train.face.network import PARTNERS
from visavis_train.face.parts import WEIGHTS

MADE_BY = "visavis lab face-states"


@dataclass(frozen=True, slots=True, eq=False)
class FaceStates:
    """Faces and their states. Shifts, scalings and rotations of the picture hardly change a state.

    Attributes:
        images: (N, 48, 48) uint8, grey.
        shape: (N, 146, 3) float32 landmarks, the outer corners of the eyes nearly level, their mean at 0 and
            their root mean square distance from it, across and down, 1.
        weights: (N, 52) float32 blendshape weights, 0..1.
        facing: (N, 2) float32 the head's forward direction, a unit vector: its parts across and down.
        held_out: (N,) whether a face is only for measuring.
    """

    images: ImageArray
    shape: FloatArray
    weights: FloatArray
    facing: FloatArray
    held_out: BoolArray

    def __post_init__(self) -> None:
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        n = self.images.shape[:1]
        expected = {
            "images": ("uint8", (*n, SIDE_PX, SIDE_PX)),
            "shape": ("float32", (*n, len(LANDMARKS_146), 3)),
            "weights": ("float32", (*n, WEIGHTS)),
            "facing": ("float32", (*n, 2)),
            "held_out": ("bool", n),
        }
        for name, array in arrays.items():
            if (found := (str(array.dtype), array.shape)) != expected[name]:
                raise InputError(f"{name} of face states is {found}; expected {expected[name]}")
        if self.held_out.all() or not self.held_out.any():
            held_out = f"{self.held_out.sum()} of {len(self.held_out)} faces are held out"
            raise InputError(f"{held_out}; expected some, and not all")
        # Comparisons with NaN are false.
        fits = self.weights.min() >= 0 and self.weights.max() <= 1 and np.abs(self.facing).max() <= 1.01
        fits = fits and np.abs(self.shape).max() < 100
        if not (fits and np.abs((self.shape[..., :2] ** 2).sum(axis=2).mean(axis=1) - 1).max() < 0.01):
            raise InputError(
                "face states hold numbers that are out of range or not finite: make the pack again"
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a pack.

        Raises:
            InputError: missing, damaged or not a pack.
        """
        names = [field.name for field in fields(cls)]
        arrays = read_npz(path, "pack of face states", names, made_by=MADE_BY)
        try:
            return cls(**arrays)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def save(self, path: Path) -> None:
        """Write a pack, whole or not at all."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **arrays)

    def parts(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Shape, weights and facing, (N, numbers) each."""
        return self.shape.reshape(len(self.shape), -1), self.weights, self.facing

    def mirrored_parts(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """As :meth:`parts`, for the mirrored pictures."""
        shape = self.shape[:, list(PARTNERS)] * MIRROR
        return shape.reshape(len(shape), -1), self.weights[:, FLIPPED_WEIGHTS], self.facing * MIRROR[:2]


def measure_states(faces: ImageArray, others: ImageArray, network: FaceNetwork | None = None) -> FaceStates:
    """Read the states of faces (N, 48, 48) and of held-out faces (M, 48, 48), uint8.

    Raises:
        InputError: the network sees no face in the first ones, or none in the held-out ones.
    """
    network = network or FaceNetwork()
    kept: list[int] = []
    shapes, weights, facing = [], [], []
    images = np.concatenate([faces, others])
    with progress("face states", len(images), "faces") as advance:
        for row, picture in enumerate(images):
            reading, believed = look_at_crop(picture, network)
            if believed:
                kept.append(row)
                shapes.append(normal_shape(reading.landmarks))
                weights.append(reading.weights[:WEIGHTS])
                facing.append(reading.rotation[:2, 2])
            advance()
    rows = np.asarray(kept, np.int64)
    held_out = rows >= len(faces)
    for what, asked, seen in (("learn from", faces, ~held_out), ("measure on", others, held_out)):
        if not seen.any():
            raise InputError(
                f"the face network sees a face in none of the {len(asked)} pictures to {what}: name others"
            )
    return FaceStates(
        images[rows],
        np.stack(shapes),
        np.stack(weights).astype(np.float32),
        np.stack(facing).astype(np.float32),
        held_out,
    )


def normal_shape(landmarks: FloatArray) -> FloatArray:
    """Landmarks (P, 3) with their mean at 0 and a root mean square distance, across and down, of 1."""
    centered = landmarks - landmarks.mean(axis=0)
    size = np.sqrt((centered[:, :2] ** 2).sum(axis=1).mean())
    return np.asarray(centered / size, np.float32)


def write_states(fer: Path, pack: Path, folders: Sequence[Path] = ()) -> None:
    """Make a pack of FER-2013's faces and of faces in folders, and report its size.

    Args:
        fer: FER-2013.
        pack: the .npz file to write.
        folders: folders of further face crops.

    Raises:
        InputError: data cannot be read or written, or the network sees no face.
    """
    require_outputs([(pack, (".npz",))], [fer])
    data = fer2013.load(fer)
    crops = [read_crops(folder) for folder in folders]
    faces = np.concatenate([data.split(fer2013.TRAINING).images, *crops])
    others = data.split(fer2013.PUBLIC_TEST).images
    states = measure_states(faces, others)
    states.save(pack)
    asked, believed = len(faces) + len(others), len(states.images)
    print_note(f"{pack}: {believed} of {asked} faces, {states.held_out.sum()} of them held out")
