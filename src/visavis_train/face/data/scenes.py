"""Training pictures for the detector, with known faces.

Some pictures are views of real video frames, some are face crops set into photographs, and some have no face.
Faces have any roll, and a size from 3% of the picture to all of it. Some are cut by the picture's border.
"""

from __future__ import annotations

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

from visavis.base.reading import regular
from visavis.capture.image import read_image
from visavis.datasets.face_labels import STORED_MARGIN
from visavis.face.region import LANDMARK_MARGIN
from visavis.types import FloatArray, ImageArray
from visavis_train.face.data.clutter import clutter
from visavis_train.face.data.faces import recolor
from visavis_train.face.data.real_faces import video_images
from visavis_train.face.data.teacher import CROP_PX
from visavis_train.face.detector import GRID, INPUT_PX

# Side of the landmarks' box inside a stored crop, in pixels.
FACE_PX = CROP_PX / (STORED_MARGIN * LANDMARK_MARGIN)
# Frames and photographs are kept at this height, enough for a view of 160 px.
KEPT_PX = 360
# Sides of faces, in pixels of the network's picture.
SMALLEST_PX, LARGEST_PX = 5.0, 150.0
# Shares of pictures that are views of video frames, and of pictures without a face.
VIEWS, EMPTY = 0.4, 0.3
# Share of drawn backgrounds.
DRAWN = 0.05
# Most heads are upright: a normal distribution with this deviation in degrees; the others have any roll.
UPRIGHT_SHARE, UPRIGHT_DEG = 0.45, 12.0


@dataclass(frozen=True, slots=True)
class Material:
    """The material of scenes.

    Attributes:
        frames: the result of :func:`load_frames`.
        crops: stored face crops (N, 224, 224, 3).
        photographs: whole pictures without faces, of any shape.
    """

    frames: list[tuple[ImageArray, FloatArray]]
    crops: NDArray[np.uint8]
    photographs: list[ImageArray]


def load_frames(labels: Path, videos: Sequence[Path], step: int) -> list[tuple[ImageArray, FloatArray]]:
    """Every ``step``-th frame of the videos with its faces (F, 4): centre x, y, side in its pixels, roll."""
    with np.load(regular(labels)) as file:
        source, region = file["source"], file["region"]
    faces: dict[str, list[FloatArray]] = {}
    for name, (x, y, side, roll) in zip(source, region, strict=True):
        faces.setdefault(str(name), []).append(np.array([x, y, side / LANDMARK_MARGIN, roll]))
    result = []
    for name, image in video_images(list(videos), step):
        if name in faces:
            scale = KEPT_PX / image.shape[0]
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            found = np.stack(faces[name]) * [scale, scale, scale, 1]
            result.append((np.asarray(small, np.uint8), np.asarray(found, np.float32)))
    return result


def load_photographs(folder: Path) -> list[ImageArray]:
    """Every picture of a folder, shrunk."""
    result = []
    for path in sorted(folder.glob("*.jpg")):
        image = read_image(path)
        scale = min(1.0, KEPT_PX / min(image.shape[:2]))
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        result.append(np.asarray(small, np.uint8))
    return result


class SceneDataset(Dataset[dict[str, Tensor]]):
    """An endless supply of pictures (``length`` of them an epoch) with their target maps.

    Args:
        material: the material of the pictures.
        length: pictures in an epoch.
    """

    def __init__(self, material: Material, length: int) -> None:
        self.material, self.length = material, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: int) -> dict[str, Tensor]:
        rng = np.random.default_rng(int(torch.randint(0, 2**31, ())))
        picture, faces = self.scene(rng)
        maps = target_maps(faces)
        picture = recolor(picture)
        return {"image": torch.from_numpy(picture)} | {k: torch.from_numpy(v) for k, v in maps.items()}

    def scene(self, rng: np.random.Generator) -> tuple[ImageArray, FloatArray]:
        """A picture (160, 160, 3) and its faces (F, 4): centre, side and roll."""
        kind = rng.random()
        if kind < VIEWS and self.material.frames:
            picture, faces = self.view(rng)
        else:
            picture, faces = self.collage(
                rng, 0 if kind > 1 - EMPTY else int(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1]))
            )
        if rng.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
            faces = np.asarray(faces * [-1, 1, 1, -1] + [INPUT_PX - 1, 0, 0, 0], np.float32)
        return picture, faces

    def view(self, rng: np.random.Generator) -> tuple[ImageArray, FloatArray]:
        """A random cut of a video frame, from far to near, turned."""
        frame, faces = self.material.frames[int(rng.integers(len(self.material.frames)))]
        face = faces[int(rng.integers(len(faces)))]
        scale = _side(rng) / float(face[2])
        center = rng.uniform(0.02, 0.98, 2) * INPUT_PX
        matrix, moved = turned(face, np.asarray(center, np.float32), scale, _roll_deg(rng), faces)
        # Outside the frame: black, as in a letterbox, or another picture. (Reflection would make faces
        # without labels.)
        ground = np.zeros((INPUT_PX, INPUT_PX, 3), np.uint8) if rng.random() < 0.35 else self.ground(rng)
        if scale < 0.5:
            half = cv2.resize(frame, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
            matrix = matrix.copy()
            matrix[:, :2] *= np.asarray(frame.shape[1::-1]) / np.asarray(half.shape[1::-1])
            frame = np.asarray(half, np.uint8)
        cv2.warpAffine(frame, matrix, (INPUT_PX, INPUT_PX), ground, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
        return ground, moved

    def ground(self, rng: np.random.Generator) -> ImageArray:
        """A picture without a face: a cut of a photograph, a whole one in a letterbox, or a drawn one."""
        if rng.random() < DRAWN or not self.material.photographs:
            return clutter(rng)
        image = self.material.photographs[int(rng.integers(len(self.material.photographs)))]
        height, width = image.shape[:2]
        if rng.random() < 0.25:
            side, center, angle = float(max(height, width)), np.array([width, height]) / 2, 0.0
            if rng.random() < 0.5:  # At the top left, as at run time.
                center = np.array([side, side]) / 2
        else:
            side = max(48.0, float(np.exp(rng.uniform(np.log(0.15), 0.0)) * max(height, width)))
            center = rng.uniform(0, 1, 2) * [width, height]
            angle = float(rng.uniform(-180, 180)) if rng.random() < 0.3 else 0.0
        scale = INPUT_PX / side
        if scale < 0.5:
            small = cv2.resize(image, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
            image, center, scale = np.asarray(small, np.uint8), center * 2 * scale, 0.5
        middle = (float(center[0]), float(center[1]))
        matrix: NDArray[Any] = cv2.getRotationMatrix2D(middle, angle, scale)
        matrix[:, 2] += INPUT_PX / 2 - center
        border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REFLECT
        return np.asarray(cv2.warpAffine(image, matrix, (INPUT_PX, INPUT_PX), borderMode=border), np.uint8)

    def collage(self, rng: np.random.Generator, count: int) -> tuple[ImageArray, FloatArray]:
        """Some face crops on pictures without faces."""
        picture = self.ground(rng)
        if rng.random() < 0.2:
            cut = int(rng.integers(20, 140))
            picture[:, cut:] = self.ground(rng)[:, cut:]
        faces: list[FloatArray] = []
        for _ in range(count):
            side = _side(rng)
            x, y = rng.uniform(0.02, 0.98, 2) * INPUT_PX
            if all(np.hypot(x - f[0], y - f[1]) > 0.8 * (side + f[2]) for f in faces):
                face = np.array([x, y, side, np.radians(_roll_deg(rng))], np.float32)
                self.paste(picture, face, rng)
                faces.append(face)
        return picture, np.asarray(faces, np.float32).reshape(-1, 4)

    def paste(self, picture: ImageArray, face: FloatArray, rng: np.random.Generator) -> None:
        """Set one face into the picture with a soft oval or rectangular mask, to hide its border."""
        crop = np.asarray(self.material.crops[int(rng.integers(len(self.material.crops)))])
        middle = CROP_PX / 2 - 0.5
        mask = np.zeros((CROP_PX, CROP_PX), np.float32)
        reach = FACE_PX * rng.uniform(0.52, 0.68)
        if rng.random() < 0.6:
            axes = (int(reach), int(reach * rng.uniform(1.05, 1.25)))
            cv2.ellipse(mask, (int(middle), int(middle - 4)), axes, 0, 0, 360, 1.0, -1)
        else:
            low, high = int(middle - reach), int(middle + reach)
            mask[low:high, low:high] = 1
        mask[cv2.inRange(crop, (0, 0, 0), (3, 3, 3)) > 0] = 0  # The black padding of tight stills.
        soft = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(1, 6)))
        layers = np.dstack([crop, (255 * soft).astype(np.uint8)])
        scale = float(face[2]) / FACE_PX
        while scale < 0.5:  # Bilinear sampling aliases beyond 2x: shrink first.
            layers = cv2.resize(layers, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            scale, middle = 2 * scale, len(layers) / 2 - 0.5
        # OpenCV's angles are counter-clockwise on the screen, a face's roll is clockwise.
        angle = float(-np.degrees(face[3]))
        matrix: NDArray[Any] = cv2.getRotationMatrix2D((middle, middle), angle, scale)
        matrix[:, 2] += face[:2] - middle
        warped = cv2.warpAffine(layers, matrix, (INPUT_PX, INPUT_PX))
        share = warped[..., 3:].astype(np.float32) / 255
        picture[:] = (share * warped[..., :3] + (1 - share) * picture).astype(np.uint8)


def _side(rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(SMALLEST_PX), np.log(LARGEST_PX))))


def _roll_deg(rng: np.random.Generator) -> float:
    if rng.random() < UPRIGHT_SHARE:
        return float(rng.normal() * UPRIGHT_DEG)
    return float(rng.uniform(-180, 180))


def turned(
    face: FloatArray, center: FloatArray, scale: float, roll_deg: float, faces: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Affine map that brings a face to a place and turns the picture clockwise; and all faces, mapped."""
    x, y = float(face[0]), float(face[1])
    matrix = np.asarray(cv2.getRotationMatrix2D((x, y), -roll_deg, scale), np.float32)
    matrix[:, 2] += np.asarray(center - face[:2], np.float32)
    moved = faces.copy()
    moved[:, :2] = faces[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    moved[:, 2] *= scale
    moved[:, 3] += np.radians(roll_deg)
    inside = ((moved[:, :2] > 0) & (moved[:, :2] < INPUT_PX)).all(axis=1)
    return matrix, moved[inside]


def target_maps(faces: FloatArray) -> dict[str, FloatArray]:
    """Heat, log size, offset, roll (cosine, sine), and ``mask``: the cells with the last three.

    Args:
        faces: (F, 4) centre, side and roll.
    """
    heat, size, mask = np.zeros((3, GRID, GRID), np.float32)
    offset, roll = np.zeros((2, 2, GRID, GRID), np.float32)
    rows, columns = np.mgrid[:GRID, :GRID]
    for x, y, side, angle in faces:
        u, v = (x + 0.5) * GRID / INPUT_PX - 0.5, (y + 0.5) * GRID / INPUT_PX - 0.5
        sigma = max(0.6, side * GRID / INPUT_PX * 0.12)
        heat = np.maximum(heat, np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * sigma**2)))
        row, column = (int(np.clip(round(c), 0, GRID - 1)) for c in (v, u))
        heat[row, column] = 1
        near = (np.abs(rows - row) <= 1) & (np.abs(columns - column) <= 1)
        size[near] = np.log(side / INPUT_PX)
        offset[0][near], offset[1][near] = (u - columns)[near], (v - rows)[near]
        roll[0][near], roll[1][near] = np.cos(angle), np.sin(angle)
        mask[near] = 0.3
        mask[row, column] = 1
    return {"heat": heat.astype(np.float32), "size": size, "offset": offset, "roll": roll, "mask": mask}
