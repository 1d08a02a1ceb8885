"""Textures for the head, made from real crops of calm faces seen from the front.

``visavis lab skins HEAD.npz CROPS face_landmarker.task SKINS.npz``

The file holds ``jpeg`` uint8 (JPEG files of 256 x 256 px end to end), ``offsets`` int64 (N + 1), ``ids`` str
(N) of the crops, ``split`` str (N), and ``grounds`` (N, 32, 32, 3) uint8, the crops small and blurred,
as backgrounds.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.base.console import progress
from visavis.base.npz import read_npz
from visavis.capture.image import decode_image
from visavis.channels import BLENDSHAPES
from visavis.datasets.tables import rows
from visavis.errors import InputError
from visavis.types import ImageArray
from visavis_train.data.face_crops import shard_images
from visavis_train.face.data.real_faces import enlarge
from visavis_train.face.data.teacher import Teacher
from visavis_train.face.rendering.baking import Baker
from visavis_train.face.rendering.fitting import Fitter
from visavis_train.face.rendering.head import FACE_VERTICES, Head
from visavis_train.face.rendering.landmarks import SKIN_POINTS, LandmarkTable

SPLITS = ("train", "val", "test")
# Crops are too tight for MediaPipe: width of repeated edges, in shares of the enlarged picture's side.
EDGE = 1 / 6
# Faces that turn or move more than this are not used: degrees, and weights.
TURNED_DEGREES = 14.0
MOVED = {"jawOpen": 0.05, "eyeBlink": 0.35, "mouthSmile": 0.45, "mouthPucker": 0.6, "eyeSquint": 0.6}
LARGEST_ERROR = 0.035
GROUND_PX = 32
# Crops that are tried.
MOST_SKINS = 2000


@dataclass(frozen=True, slots=True)
class Skins:
    """Textures in memory, still compressed.

    Attributes:
        jpeg: JPEG files end to end.
        offsets: (N + 1,).
        ids: (N,) of the crops.
        grounds: (N, 32, 32, 3) backgrounds.
    """

    jpeg: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    ids: NDArray[np.str_]
    split: NDArray[np.str_]
    grounds: ImageArray

    def of(self, split: str) -> NDArray[np.int64]:
        """The rows of a split."""
        return np.flatnonzero(self.split == split)

    @property
    def held_out(self) -> NDArray[np.str_]:
        """Ids of the photographs whose skins are for validation and test."""
        return np.asarray(self.ids[self.split != "train"], np.str_)

    def texture(self, row: int) -> ImageArray:
        """Texture (256, 256, 3) of a row."""
        data = self.jpeg[self.offsets[row] : self.offsets[row + 1]]
        return decode_image(data.tobytes(), f"skin {self.ids[row]}")

    def textures(self) -> list[ImageArray]:
        """Up to 200 textures of the training split, in random order."""
        order = np.random.default_rng(0).permutation(self.of("train"))[:200]
        return [self.texture(int(row)) for row in order]

    @classmethod
    def joined(cls, found: list[tuple[str, str, ImageArray, ImageArray]]) -> Self:
        """Skins from ids, splits, textures and crops.

        Raises:
            InputError: there are no skins.
        """
        if not found:
            raise InputError("no crop shows a calm face from the front: there are no skins")
        files = [
            cv2.imencode(".jpg", cv2.cvtColor(texture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 93])[1]
            for _, _, texture, _ in found
        ]
        grounds = [
            cv2.GaussianBlur(
                cv2.resize(crop, (GROUND_PX, GROUND_PX), interpolation=cv2.INTER_AREA), (0, 0), 2
            )
            for *_, crop in found
        ]
        return cls(
            np.concatenate(files).ravel(),
            np.cumsum([0, *map(len, files)]),
            np.asarray([name for name, *_ in found]),
            np.asarray([split for _, split, *_ in found]),
            np.asarray(grounds, np.uint8),
        )


def read_skins(path: Path) -> Skins:
    """Read a file of skins.

    Raises:
        InputError: missing, damaged or another file.
    """
    names = ("jpeg", "offsets", "ids", "split", "grounds")
    pack = read_npz(path, "file of skins", names, made_by="visavis lab skins")
    count = len(pack["ids"])
    shapes = pack["offsets"].shape, pack["split"].shape, pack["grounds"].shape
    if shapes != ((count + 1,), (count,), (count, GROUND_PX, GROUND_PX, 3)):
        raise InputError(f"{path}: no file of skins: {count} ids, and arrays of {shapes}")
    return Skins(**pack)


def write_skins(path: Path, skins: Skins) -> None:
    """Write a file of skins."""
    np.savez(
        path,
        allow_pickle=False,
        jpeg=skins.jpeg,
        offsets=skins.offsets,
        ids=skins.ids,
        split=skins.split,
        grounds=skins.grounds,
    )


def calm_crops(crops: Path) -> dict[str, str]:
    """Splits of the crops, by id, that show a calm, open-eyed face from the front, in colour.

    Raises:
        InputError: the folder's ``index.csv`` or ``teacher.npz`` is missing or of another kind.
    """
    teacher = read_npz(crops / "teacher.npz", "teacher's answers", ("ids", "blendshapes", "matrix"))
    table = rows(crops / "index.csv", ("id", "split", "source"))
    splits = {row["id"]: row["split"] for _, row in table if row["source"] == "UTKFace"}
    good = _calm(teacher)
    return {str(name): splits[str(name)] for name in teacher["ids"][good] if str(name) in splits}


def _calm(teacher: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    forward = teacher["matrix"][:, :3, 2]
    least = np.cos(np.radians(TURNED_DEGREES))
    good: NDArray[np.bool_] = forward[:, 2] / np.linalg.norm(forward, axis=1) > least
    for place, name in enumerate(BLENDSHAPES):
        for start, most in MOVED.items():
            if name.startswith(start):
                good &= teacher["blendshapes"][:, place] < most
    return good


def make_skins(head: Head, crops: Path, model: Path, count: int) -> Skins:
    """Fit the head to a limited number of crops of all splits, and bake their textures."""
    chosen = calm_crops(crops)
    mixed = [str(name) for name in np.random.default_rng(0).permutation(sorted(chosen))]
    # The held-out splits are small: all their crops are used, then other crops up to the requested number.
    wanted = set(sorted(mixed, key=lambda name: chosen[name] == "train")[:count])
    table = LandmarkTable.load(head)
    fitter, baker = Fitter.of(head, table, FACE_VERTICES), Baker.of(head, FACE_VERTICES)
    found: list[tuple[str, str, ImageArray, ImageArray]] = []
    with closing(Teacher(model)) as reader, progress("skins", len(wanted), "crops") as advance:
        for name, crop in shard_images(crops):
            if name not in wanted or chosen[name] not in SPLITS:
                continue
            texture = _skin(enlarge(crop), reader, fitter, baker)
            if texture is not None:
                found.append((name, chosen[name], texture, crop))
            advance()
    return Skins.joined(found)


def _skin(image: ImageArray, reader: Teacher, fitter: Fitter, baker: Baker) -> ImageArray | None:
    points = reader.points(image)
    if points is None:
        return None
    fit = fitter.fit(points[list(SKIN_POINTS), :2])
    return None if fit.error > LARGEST_ERROR else baker.bake(image, fit, EDGE)
