"""Invented faces with known labels: labels, packs of crops, and stand-ins that read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visavis.datasets.face_labels import STORED_MARGIN
from visavis.face.geometry import rotation_from_euler
from visavis.face.mesh import LANDMARKS_146
from visavis.face.network import FaceReading
from visavis.face.region import FaceRegion
from visavis.types import Face, FaceState, FloatArray, Frame, ImageArray

SIDE = 56


def labels(count: int = 12, seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of labels.npz: everything differs from face to face."""
    rng = np.random.default_rng(seed)
    shape = rng.uniform(-0.3, 0.3, (146, 3))
    shape[LANDMARKS_146.index(33)], shape[LANDMARKS_146.index(263)] = (-0.2, 0, 0), (0.2, 0, 0)
    weights = rng.random((count, 52))
    turns = [rotation_from_euler(*rng.uniform(-0.5, 0.5, 2), 0) for _ in range(count)]
    return {
        "landmarks146": (shape + rng.normal(0, 0.01, (count, 146, 3))).astype(np.float32),
        "blendshapes": weights.astype(np.float32),
        "rotation": np.asarray(turns, np.float32),
        "source": np.asarray([f"clip:{number:05d}" for number in range(count)]),
        "region": np.column_stack(
            [rng.uniform(20, 40, (count, 2)), rng.uniform(15, 25, count), rng.uniform(-0.3, 0.3, count)]
        ).astype(np.float32),
    }


def write_pack(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A pack whose crops hold nothing but the number of the face."""
    folder.mkdir(exist_ok=True)
    count = len(arrays["source"])
    crops = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, SIDE, SIDE, 3))
    np.save(folder / "crops.npy", crops)
    np.savez(folder / "labels.npz", **arrays)
    return folder


class KnownNetwork:
    """Reads the number of the face in a crop of :func:`write_pack`; says what its label says, or nearly."""

    landmark_numbers = LANDMARKS_146

    def __init__(self, arrays: dict[str, np.ndarray], gain: float = 1.0, off: float = 0.0) -> None:
        self.arrays, self.gain, self.off = arrays, gain, off

    def read(self, image_rgb: ImageArray, regions: Sequence[FaceRegion]) -> list[FaceReading]:
        (region,) = regions
        assert region.size_px * STORED_MARGIN == SIDE
        row = int(image_rgb[0, 0, 0])
        landmarks = self.arrays["landmarks146"][row] + np.asarray([self.off, 0, 0], np.float32)
        weights = self.gain * self.arrays["blendshapes"][row]
        return [FaceReading(region, landmarks, weights, self.arrays["rotation"][row], 1.0)]


class KnownTracker:
    """Follows the face that the labels describe: one row a frame, except those that it is told to miss.

    It has the first ``points`` landmarks.
    """

    def __init__(
        self, arrays: dict[str, np.ndarray], misses: Sequence[int] = (), off: float = 0.0, points: int = 146
    ) -> None:
        self.arrays, self.misses, self.off, self.numbers = arrays, set(misses), off, LANDMARKS_146[:points]

    def update(self, frame: Frame) -> tuple[Face, ...]:
        if frame.index in self.misses or frame.index >= len(self.arrays["source"]):
            return ()
        x, y, size, roll = self.arrays["region"][frame.index].tolist()
        region = FaceRegion((x, y), size, roll)
        landmarks = self.arrays["landmarks146"][frame.index, : len(self.numbers), :2]
        points = region.to_image(landmarks) + np.float32(self.off)
        values = np.concatenate(
            [self.arrays["blendshapes"][frame.index], self.head(frame.index, roll), np.zeros(3)]
        )
        box = np.concatenate([points.min(axis=0), points.max(axis=0)])
        state = FaceState(values)
        return (Face(0, 1.0, box, points, region.corners(), state, landmark_numbers=self.numbers),)

    def head(self, row: int, roll: float) -> FloatArray:
        yaw, pitch = (
            np.arctan2(*self.arrays["rotation"][row, [0, 2], 2]),
            np.arcsin(self.arrays["rotation"][row, 1, 2]),
        )
        return np.asarray([yaw, pitch, roll], np.float32)

    def reset(self) -> None: ...

    def close(self) -> None: ...
