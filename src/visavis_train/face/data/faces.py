"""Packs of labelled faces, and random views of these faces for training the face network."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from visavis.base.npz import read_npz
from visavis.datasets.face_labels import STORED_MARGIN
from visavis.datasets.npy import read_npy
from visavis.errors import InputError
from visavis.face.geometry import roll_matrix
from visavis.face.mesh import LANDMARKS_146
from visavis.types import BoolArray, FloatArray
from visavis_train.face.data.mirroring import FLIPPED_WEIGHTS, MIRROR, PARTNERS
from visavis_train.face.data.teacher import CROP_PX
from visavis_train.face.parts import INPUT_PX, WEIGHTS

RENDERED = "render"
# Part of the source of a real face whose skin was moved; its number follows.
MOVED = "~moved"
# One still in this number is held out from training, for choosing the best round.
VALIDATION_STEP = 25


@dataclass(frozen=True, slots=True)
class FacePack:
    """One or several packs (crops stay on disk, memory-mapped).

    Attributes:
        crops: (n, 224, 224, 3) uint8 of each pack.
        landmarks: (N, 146, 3) in units of the region.
        weights: (N, 52): the true ones of rendered faces, the teacher's of real ones; of moved real faces,
            the teacher's plus those of the movement.
        rotation: (N, 3, 3) of the head in the upright crop.
        source: (N,) str.
        occluded: (N,) covered share of the face, 0 if unknown.
    """

    crops: tuple[NDArray[np.uint8], ...]
    landmarks: FloatArray
    weights: FloatArray
    rotation: FloatArray
    source: NDArray[np.str_]
    occluded: FloatArray

    @property
    def clip(self) -> NDArray[np.str_]:
        """(N,) name of each face's video, or of its set of stills."""
        return np.asarray([s.split(":")[0] if ":" in s else s.split("_")[0] for s in self.source])

    @property
    def rendered(self) -> BoolArray:
        """(N,) whether the weights are true, because the face was rendered."""
        return np.asarray(np.char.startswith(self.source, RENDERED + ":"), np.bool_)

    @property
    def moved(self) -> BoolArray:
        """(N,) whether the skin of a real face was moved, and the weights of the movement added."""
        return np.asarray(np.char.find(self.source, MOVED) >= 0, np.bool_)

    @property
    def validation(self) -> BoolArray:
        """(N,) whether a face is a held-out still, or its warped copy."""
        still = np.char.find(self.source, ":") < 0
        kept = np.asarray([zlib.crc32(name.encode()) % VALIDATION_STEP == 0 for name in self.photograph])
        return np.asarray(kept & still, np.bool_)

    @property
    def photograph(self) -> NDArray[np.str_]:
        """(N,) name of the still, the same for all its warped copies."""
        return np.asarray([source.split("~")[0] for source in self.source])

    def shows(self, photographs: NDArray[np.str_]) -> BoolArray:
        """(N,) whether a face is from given photographs, or a warped copy of them."""
        return np.asarray(np.isin(self.photograph, photographs), np.bool_)

    def crop(self, row: int) -> NDArray[np.uint8]:
        """The stored picture (224, 224, 3) of one face."""
        for part in self.crops:
            if row < len(part):
                return np.asarray(part[row])
            row -= len(part)
        raise IndexError(row)


def load_faces(*folders: Path) -> FacePack:
    """Read folders that :mod:`visavis_train.face.data.teacher` or :mod:`visavis_train.face.rendering` wrote.

    Raises:
        InputError: a file is missing, damaged, of another version, or does not fit the others.
    """
    if not folders:
        raise InputError("no pack of labelled faces is named; name at least one")
    parts = [_read(folder) for folder in folders]
    columns = [np.concatenate(column) for column in zip(*(part[1:] for part in parts), strict=True)]
    return FacePack(tuple(part[0] for part in parts), *columns)


def _read(folder: Path) -> tuple[NDArray[np.uint8], FloatArray, FloatArray, FloatArray, Any, FloatArray]:
    path = folder / "labels.npz"
    wanted = ["landmarks146", "blendshapes", "rotation", "source"]
    maker = "visavis lab label-faces, render or move-faces"
    labels = read_npz(path, "pack of labelled faces", wanted, others=["occluded"], made_by=maker)
    n = len(labels["source"])
    labels.setdefault("occluded", np.zeros(n))
    crops = read_npy(folder / "crops.npy", mapped=True)
    shapes = {
        "crops.npy": (crops.shape, (n, CROP_PX, CROP_PX, 3)),
        "landmarks146": (labels["landmarks146"].shape, (n, len(LANDMARKS_146), 3)),
        "blendshapes": (labels["blendshapes"].shape, (n, WEIGHTS)),
        "rotation": (labels["rotation"].shape, (n, 3, 3)),
        "occluded": (labels["occluded"].shape, (n,)),
    }
    for name, (found, expected) in shapes.items():
        if found != expected:
            raise InputError(f"{folder}: {name} has shape {found}; expected {expected}: make the pack again")
    numbers = [np.asarray(labels[name], np.float32) for name in (*wanted[:3], "occluded")]
    return crops, numbers[0], numbers[1], numbers[2], labels["source"], numbers[3]


@dataclass(frozen=True, slots=True)
class CropAugmentation:
    """Random differences of a training crop from the exact crop.

    Attributes:
        roll_rad: rotation of most crops (standard deviation).
        scale: of the logarithm of the size (standard deviation).
        shift: in region units (standard deviation).
        wild: share of crops like those after a detection, up to ``wild_roll_rad``, ``wild_scale`` and
            ``wild_shift`` away from the exact crop. They teach the network to find the face from there.
        lost: share of crops that frame the face so badly that their score is 0.
    """

    roll_rad: float = 0.10
    scale: float = 0.07
    shift: float = 0.03
    wild: float = 0.22
    wild_roll_rad: float = 0.85
    wild_scale: float = 0.45
    wild_shift: float = 0.25
    lost: float = 0.07


class FaceDataset(Dataset[dict[str, Tensor]]):
    """Random views of the pack's faces, half of them mirrored.

    Args:
        pack: the faces.
        rows: indices of the used faces.
        augmentation: the random differences; None gives the exact crop, never mirrored.
    """

    def __init__(
        self, pack: FacePack, rows: NDArray[np.int64], augmentation: CropAugmentation | None
    ) -> None:
        self.pack, self.rows, self.augmentation = pack, rows, augmentation
        self.rendered, self.moved = pack.rendered, pack.moved

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> dict[str, Tensor]:
        row = int(self.rows[place])
        pack = self.pack
        landmarks, weights, rotation = pack.landmarks[row].copy(), pack.weights[row], pack.rotation[row]
        rng = np.random.default_rng(int(torch.randint(0, 2**31, ())))  # Torch's seed also controls workers.
        matrix, quality = np.eye(2, 3, dtype=np.float32), 1.0
        if self.augmentation is not None:
            matrix, quality = view(self.augmentation, rng)
        image = warp(pack.crop(row), matrix, rng.random() < 0.5)
        landmarks[:, :2] = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        landmarks[:, 2] *= np.sqrt(abs(np.linalg.det(matrix[:, :2])))
        rotation = roll_matrix(-np.arctan2(matrix[1, 0], matrix[0, 0])) @ rotation
        seen = 1.0 - float(np.clip((pack.occluded[row] - 0.3) / 0.3, 0, 1))
        if self.augmentation is not None:
            if rng.random() < 0.5:
                image = np.ascontiguousarray(image[:, ::-1])
                landmarks = landmarks[list(PARTNERS)] * MIRROR
                weights = weights[FLIPPED_WEIGHTS]
                rotation = MIRROR[:, None] * rotation * MIRROR
            image = recolor(image, rng)
            if rng.random() < 0.03:  # Almost black: nothing can be seen.
                image, seen = np.asarray(image * rng.uniform(0, 0.03), np.uint8), 0.0
        return {
            "image": torch.from_numpy(image),
            "landmarks": torch.from_numpy(landmarks),
            "weights": torch.from_numpy(weights),
            "rotation": torch.from_numpy(rotation.astype(np.float32)),
            "rendered": torch.tensor(float(self.rendered[row])),
            "moved": torch.tensor(float(self.moved[row])),
            # A crop without a face teaches only the score.
            "trust": torch.tensor((0.3 + 0.7 * quality) * seen if quality > 0 else 0.0, dtype=torch.float32),
            "score": torch.tensor(quality * seen, dtype=torch.float32),
        }


def view(how: CropAugmentation, rng: np.random.Generator) -> tuple[FloatArray, float]:
    """Random affine map (2, 3) on region units, and how well (0..1) the crop then frames the face."""
    kind = rng.random()
    if kind < how.lost:
        turn, size, away = _lost(rng)
    elif kind < how.lost + how.wild:
        turn = how.wild_roll_rad * rng.uniform(-1, 1)
        size = how.wild_scale * rng.uniform(-1, 1)
        away = np.asarray(how.wild_shift * rng.uniform(-1, 1, 2), np.float32)
    else:
        turn, size = how.roll_rad * rng.normal(), how.scale * rng.normal()
        away = np.asarray(how.shift * rng.normal(size=2), np.float32)
    quality = _falling(abs(turn), 0.65, 1.05) * _falling(abs(size), 0.38, 0.65)
    quality *= _falling(float(np.hypot(*away)), 0.24, 0.42)
    c, s = np.cos(turn) * np.exp(size), np.sin(turn) * np.exp(size)
    return np.asarray([[c, -s, away[0]], [s, c, away[1]]], np.float32), quality


def _lost(rng: np.random.Generator) -> tuple[float, float, FloatArray]:
    """A rotation, a logarithm of a size and a shift; one of them is very large."""
    turn, size, away = 0.2 * rng.normal(), 0.15 * rng.normal(), 0.06 * rng.normal(size=2)
    kind = rng.integers(3)
    if kind == 0:
        turn = rng.uniform(1.1, np.pi) * rng.choice([-1, 1])
    elif kind == 1:
        size = rng.uniform(0.65, 1.2) * rng.choice([-1, 1])
    else:
        angle = rng.uniform(0, 2 * np.pi)
        away = rng.uniform(0.45, 0.8) * np.asarray([np.cos(angle), np.sin(angle)])
    return float(turn), float(size), np.asarray(away, np.float32)


def _falling(value: float, good: float, bad: float) -> float:
    return float(np.clip((bad - value) / (bad - good), 0, 1))


def warp(crop: NDArray[np.uint8], matrix: FloatArray, repeat_edge: bool = False) -> NDArray[np.uint8]:
    """The network's input picture (160, 160, 3) for an affine map on region units."""
    stored = INPUT_PX * STORED_MARGIN / CROP_PX
    full = np.empty((2, 3), np.float32)
    full[:, :2] = matrix[:, :2] * stored
    middle = np.full(2, CROP_PX / 2 - 0.5, np.float32)
    full[:, 2] = matrix[:, 2] * INPUT_PX + INPUT_PX / 2 - 0.5 - full[:, :2] @ middle
    edge = cv2.BORDER_REPLICATE if repeat_edge else cv2.BORDER_CONSTANT
    size = (INPUT_PX, INPUT_PX)
    return np.asarray(cv2.warpAffine(crop, full, size, flags=cv2.INTER_LINEAR, borderMode=edge), np.uint8)


def recolor(image: NDArray[np.uint8], rng: np.random.Generator | None = None) -> NDArray[np.uint8]:
    """Random saturation, light, colour cast, blur, noise and a covered patch on (H, W, 3)."""
    rng = rng or np.random.default_rng(int(torch.randint(0, 2**31, ())))
    side = image.shape[0]
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    color = 0.0 if rng.random() < 0.25 else rng.uniform(0.5, 1.3)
    toned = cv2.addWeighted(image, color, gray, 1 - color, 0)
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
        high, wide = (int(v) for v in rng.integers(side // 10, side * 3 // 8, 2))
        y, x = int(rng.integers(0, side - high)), int(rng.integers(0, side - wide))
        lit[y : y + high, x : x + wide] = rng.integers(0, 256, 3)
    return np.asarray(lit, np.uint8)


def validation_rows(pack: FacePack, test_clips: Sequence[str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows to train on, and rows for choosing the best round, without moved faces; none of the test clips."""
    unseen = np.isin(pack.clip, list(test_clips))
    held_out = ~unseen & pack.validation & ~pack.moved
    return np.flatnonzero(~unseen & ~pack.validation), np.flatnonzero(held_out)
