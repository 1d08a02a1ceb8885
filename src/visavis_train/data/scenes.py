"""Video frames and face crops in; pictures with known face boxes out, for the detector.

Half of the pictures are views of real video frames, half are face crops set into other backgrounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from visavis.face.region import LANDMARK_MARGIN
from visavis.types import FloatArray, ImageArray
from visavis_train.data.faces import recolour
from visavis_train.data.teacher import CROP_PX, STORED_MARGIN, video_images
from visavis_train.models.detector import GRID, INPUT_PX

# Side of the landmarks' box inside a stored crop, in pixels.
FACE_PX = CROP_PX / (STORED_MARGIN * LANDMARK_MARGIN)
# Frames are kept at this height: ample for a view of 160 px.
KEPT_PX = 360


def load_frames(labels: Path, videos: Sequence[Path], step: int) -> list[tuple[ImageArray, FloatArray]]:
    """Every ``step``-th frame of the videos with its faces (F, 3): centre x, y and side in its pixels."""
    with np.load(labels) as file:
        source, region = file["source"], file["region"]
    faces: dict[str, list[FloatArray]] = {}
    for name, (x, y, side, _) in zip(source, region, strict=True):
        faces.setdefault(str(name), []).append(np.array([x, y, side / LANDMARK_MARGIN]))
    result = []
    for name, image in video_images(list(videos), step):
        if name in faces:
            scale = KEPT_PX / image.shape[0]
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            found = np.asarray(np.stack(faces[name]) * scale, np.float32)
            result.append((np.asarray(small, np.uint8), found))
    return result


class SceneDataset(Dataset[dict[str, Tensor]]):
    """An endless supply of pictures (``length`` of them an epoch) with their target maps.

    Args:
        frames: from :func:`load_frames`.
        crops: stored face crops (N, 224, 224, 3).
        backgrounds: pictures without a face (M, 160, 160, 3).
        length: pictures in an epoch.
    """

    def __init__(
        self,
        frames: list[tuple[ImageArray, FloatArray]],
        crops: NDArray[np.uint8],
        backgrounds: NDArray[np.uint8],
        length: int,
    ) -> None:
        self.frames, self.crops, self.backgrounds, self.length = frames, crops, backgrounds, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: int) -> dict[str, Tensor]:
        rng = np.random.default_rng(int(torch.randint(0, 2**31, ())))
        picture, faces = self.view(rng) if rng.random() < 0.5 else self.collage(rng)
        if rng.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
            faces = np.asarray(faces * [-1, 1, 1] + [INPUT_PX, 0, 0], np.float32)
        heat, size, offset, mask = target_maps(faces)
        return {
            "image": torch.from_numpy(recolour(picture)),
            "heat": torch.from_numpy(heat),
            "size": torch.from_numpy(size),
            "offset": torch.from_numpy(offset),
            "mask": torch.from_numpy(mask),
        }

    def view(self, rng: np.random.Generator) -> tuple[ImageArray, FloatArray]:
        """A random cut of a video frame, from far to near."""
        frame, faces = self.frames[int(rng.integers(len(self.frames)))]
        face = faces[int(rng.integers(len(faces)))]
        side = face[2] / np.exp(rng.uniform(np.log(0.12), np.log(0.8)))
        corner = face[:2] - side * rng.uniform(0.2, 0.8, 2)
        matrix, moved = placed(corner, side, faces, rng)
        # Beyond the frame: mostly black, as under a letterbox. (Reflection would make faces nobody labelled.)
        colour = (0, 0, 0) if rng.random() < 0.6 else tuple(rng.integers(0, 256, 3).tolist())
        picture = cv2.warpAffine(
            frame, matrix, (INPUT_PX, INPUT_PX), flags=cv2.INTER_AREA, borderValue=colour
        )
        return np.asarray(picture, np.uint8), moved

    def collage(self, rng: np.random.Generator) -> tuple[ImageArray, FloatArray]:
        """Up to three face crops on a background without faces."""
        picture = np.asarray(self.backgrounds[int(rng.integers(len(self.backgrounds)))]).copy()
        if rng.random() < 0.5:
            other = np.asarray(self.backgrounds[int(rng.integers(len(self.backgrounds)))])
            cut = int(rng.integers(20, 140))
            picture[:, cut:] = other[:, cut:]
        faces: list[FloatArray] = []
        for _ in range(int(rng.choice(4, p=[0.15, 0.5, 0.2, 0.15]))):
            side = float(np.exp(rng.uniform(np.log(14), np.log(110))))
            x, y = rng.uniform(0.3 * side, INPUT_PX - 0.3 * side, 2)
            if all(np.hypot(x - f[0], y - f[1]) > 0.8 * (side + f[2]) for f in faces):
                self.paste(picture, x, y, side, rng)
                faces.append(np.array([x, y, side], np.float32))
        return picture, np.asarray(faces, np.float32).reshape(-1, 3)

    def paste(self, picture: ImageArray, x: float, y: float, side: float, rng: np.random.Generator) -> None:
        """Set one face into the picture behind a soft oval or rectangle, so that no border gives it away."""
        crop = np.asarray(self.crops[int(rng.integers(len(self.crops)))])
        scale = side / FACE_PX
        angle = float(rng.normal() * 12)
        middle = CROP_PX / 2 - 0.5
        matrix = cv2.getRotationMatrix2D((middle, middle), angle, scale)
        matrix[:, 2] += np.array([x - middle, y - middle])
        if scale < 0.5:
            crop = np.asarray(cv2.blur(crop, (3, 3)), np.uint8)
        face = cv2.warpAffine(crop, matrix, (INPUT_PX, INPUT_PX))
        mask = np.zeros((CROP_PX, CROP_PX), np.float32)
        reach = FACE_PX * rng.uniform(0.52, 0.68)
        if rng.random() < 0.6:
            axes = (int(reach), int(reach * rng.uniform(1.05, 1.25)))
            cv2.ellipse(mask, (int(middle), int(middle - 4)), axes, 0, 0, 360, 1.0, -1)
        else:
            low, high = int(middle - reach), int(middle + reach)
            mask[low:high, low:high] = 1
        mask[crop.max(axis=2) < 4] = 0  # The black padding of tight stills.
        soft = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(1, 6)))
        share = cv2.warpAffine(soft, matrix, (INPUT_PX, INPUT_PX))[..., None]
        picture[:] = (share * face + (1 - share) * picture).astype(np.uint8)


def placed(
    corner: FloatArray, side: float, faces: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Affine map that brings a turned square to the picture's size, and the faces mapped by it."""
    scale = INPUT_PX / side
    center = corner + side / 2
    matrix = cv2.getRotationMatrix2D((float(center[0]), float(center[1])), float(rng.normal() * 8), scale)
    matrix[:, 2] += np.asarray(INPUT_PX / 2 - center)
    moved = faces.copy()
    moved[:, :2] = faces[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    moved[:, 2] *= scale
    inside = ((moved[:, :2] > 0) & (moved[:, :2] < INPUT_PX)).all(axis=1)
    return np.asarray(matrix, np.float32), moved[inside]


def target_maps(faces: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Heat (G, G), log size (G, G), offset (2, G, G) and the cells that hold them, for faces (F, 3)."""
    heat = np.zeros((GRID, GRID), np.float32)
    size = np.zeros((GRID, GRID), np.float32)
    offset = np.zeros((2, GRID, GRID), np.float32)
    mask = np.zeros((GRID, GRID), np.float32)
    rows, columns = np.mgrid[:GRID, :GRID]
    for x, y, side in faces:
        u, v = x * GRID / INPUT_PX - 0.5, y * GRID / INPUT_PX - 0.5
        sigma = max(0.6, side * GRID / INPUT_PX * 0.12)
        heat = np.maximum(heat, np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * sigma**2)))
        row, column = (int(np.clip(round(c), 0, GRID - 1)) for c in (v, u))
        heat[row, column] = 1
        near = (np.abs(rows - row) <= 1) & (np.abs(columns - column) <= 1)
        size[near] = np.log(side / INPUT_PX)
        offset[0][near], offset[1][near] = (u - columns)[near], (v - rows)[near]
        mask[near] = 0.3
        mask[row, column] = 1
    return heat.astype(np.float32), size, offset, mask
