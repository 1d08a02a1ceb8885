"""A teacher's pack in; augmented face crops with landmarks, weights and rotation out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from visavis.channels import BLENDSHAPES
from visavis.face.geometry import roll_matrix
from visavis.types import FloatArray
from visavis_train.data.teacher import CROP_PX, STORED_MARGIN
from visavis_train.models.face import INPUT_PX, LANDMARKS_146, PARTNERS, WEIGHTS

# For each weight its partner on the other side: a mirrored picture swaps them.
FLIPPED_WEIGHTS = [
    BLENDSHAPES.index(name.replace("Left", "?").replace("Right", "Left").replace("?", "Right"))
    for name in BLENDSHAPES[:WEIGHTS]
]


@dataclass(frozen=True, slots=True)
class FacePack:
    """The pack in memory (crops stay on disk, memory-mapped).

    Attributes:
        crops: (N, 224, 224, 3) uint8.
        landmarks: (N, 146, 3) in units of the region.
        weights: (N, 51).
        rotation: (N, 3, 3) of the head as seen in the upright crop.
        source: (N,) str.
    """

    crops: NDArray[np.uint8]
    landmarks: FloatArray
    weights: FloatArray
    rotation: FloatArray
    source: NDArray[np.str_]

    @property
    def clip(self) -> NDArray[np.str_]:
        """(N,) name of the video, or of the set of stills, that each face comes from."""
        return np.asarray([s.split(":")[0] if ":" in s else s.split("_")[0] for s in self.source])


def load_pack(folder: Path) -> FacePack:
    """Read the folder that :mod:`visavis_train.data.teacher` wrote."""
    with np.load(folder / "labels.npz") as labels:
        landmarks = labels["landmarks"][:, list(LANDMARKS_146)]
        matrix = labels["matrix"]
        weights = labels["blendshapes"][:, 1:]
        source = labels["source"]
    rotation = upright(matrix[:, :3, :3])
    crops = np.load(folder / "crops.npy", mmap_mode="r")
    return FacePack(crops, landmarks.astype(np.float32), weights.astype(np.float32), rotation, source)


def upright(rotation: FloatArray) -> FloatArray:
    """Turn rotations (N, 3, 3) about the viewing axis until the head's own x axis is level.

    That is how the crops were cut: the line through the outer eye corners is horizontal in them.
    """
    angle = np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])
    c, s, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    turn = np.stack([c, s, zero, -s, c, zero, zero, zero, zero + 1], axis=1).reshape(-1, 3, 3)
    return np.asarray(turn @ rotation, np.float32)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a training crop strays from the exact one (standard deviations).

    Attributes:
        roll_rad: rotation.
        scale: of the logarithm of the size.
        shift: in region units.
        wild: share of crops with four times as much of all three, as after a detection.
    """

    roll_rad: float = 0.10
    scale: float = 0.06
    shift: float = 0.03
    wild: float = 0.15


class FaceDataset(Dataset[dict[str, Tensor]]):
    """Random views of the pack's faces, half of them mirrored.

    Args:
        pack: the faces.
        rows: which of them.
        augmentation: None gives the exact crop, never mirrored.
    """

    def __init__(
        self,
        pack: FacePack,
        rows: NDArray[np.int64],
        augmentation: Augmentation | None,
    ) -> None:
        self.pack, self.rows, self.augmentation = pack, rows, augmentation

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> dict[str, Tensor]:
        row = int(self.rows[place])
        pack = self.pack
        landmarks, weights, rotation = pack.landmarks[row], pack.weights[row], pack.rotation[row]
        matrix = self.view()
        image = warp(np.asarray(pack.crops[row]), matrix)
        landmarks = landmarks.copy()
        landmarks[:, :2] = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        landmarks[:, 2] *= np.sqrt(abs(np.linalg.det(matrix[:, :2])))
        roll = np.arctan2(matrix[1, 0], matrix[0, 0])
        rotation = roll_matrix(-roll) @ rotation
        if self.augmentation is not None and torch.rand(()) < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
            landmarks = landmarks[list(PARTNERS)] * np.array([-1, 1, 1], np.float32)
            weights = weights[FLIPPED_WEIGHTS]
            signs = np.array([-1, 1, 1], np.float32)
            rotation = signs[:, None] * rotation * signs
        if self.augmentation is not None:
            image = recolour(image)
        return {
            "image": torch.from_numpy(image),
            "landmarks": torch.from_numpy(landmarks),
            "weights": torch.from_numpy(weights),
            "rotation": torch.from_numpy(rotation.astype(np.float32)),
        }

    def view(self) -> FloatArray:
        """Random affine map (2, 3) on region units."""
        matrix = np.eye(2, 3, dtype=np.float32)
        if self.augmentation is None:
            return matrix
        a = self.augmentation
        wild = 4.0 if float(torch.rand(())) < a.wild else 1.0
        angle, size, dx, dy = (wild * torch.randn(4)).tolist()
        # Beyond these bounds the view would leave the stored picture.
        angle = float(np.clip(angle * a.roll_rad, -0.6, 0.6))
        scale = float(np.exp(np.clip(size * a.scale, -0.25, 0.35)))
        c, s = np.cos(angle) * scale, np.sin(angle) * scale
        matrix[:, :2] = [[c, -s], [s, c]]
        matrix[:, 2] = np.clip([dx * a.shift, dy * a.shift], -0.14, 0.14)
        return matrix


def warp(crop: NDArray[np.uint8], matrix: FloatArray) -> NDArray[np.uint8]:
    """The network's input picture (160, 160, 3) for an affine map on region units."""
    stored = INPUT_PX * STORED_MARGIN / CROP_PX
    full = np.empty((2, 3), np.float32)
    full[:, :2] = matrix[:, :2] * stored
    middle = np.full(2, CROP_PX / 2 - 0.5, np.float32)
    full[:, 2] = matrix[:, 2] * INPUT_PX + INPUT_PX / 2 - 0.5 - full[:, :2] @ middle
    return np.asarray(cv2.warpAffine(crop, full, (INPUT_PX, INPUT_PX), flags=cv2.INTER_LINEAR), np.uint8)


def recolour(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Random saturation, light, colour cast, blur, noise and a covered patch on (H, W, 3)."""
    seed = int(torch.randint(0, 2**31, ()))  # Torch's seed governs the workers' randomness, too.
    rng = np.random.default_rng(seed)
    side = image.shape[0]
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    colour = 0.0 if rng.random() < 0.25 else rng.uniform(0.5, 1.3)
    toned = cv2.addWeighted(image, colour, grey, 1 - colour, 0)
    ramp = np.linspace(0, 1, 256)[:, None] ** rng.uniform(0.6, 1.6)
    ramp = (ramp - 0.5) * rng.uniform(0.6, 1.3) + 0.5 + rng.uniform(-0.15, 0.15)
    table = (ramp * rng.uniform(0.85, 1.1, 3)).clip(0, 1) * 255
    lit = cv2.LUT(toned, table[:, None, :].astype(np.uint8))
    if rng.random() < 0.3:
        small = int(side * rng.uniform(0.25, 0.7))
        lit = cv2.resize(lit, (small, small), interpolation=cv2.INTER_AREA)
        lit = cv2.resize(lit, (side, side), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.4:
        noise = rng.integers(-1, 2, image.shape, np.int8) * int(rng.integers(2, 12))
        lit = cv2.add(lit, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.15:
        y, x = rng.integers(0, side - 20, 2)
        high, wide = rng.integers(15, 60, 2)
        lit[y : y + high, x : x + wide] = rng.integers(0, 256, 3)
    return np.asarray(lit, np.uint8)
