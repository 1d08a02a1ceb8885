"""Real faces with known rare movements: photographs whose skin is moved by the mesh's shapes.

``visavis lab move-faces HEAD.npz PACK OUT``

The teacher cannot read cheeks and nose, and photographed people seldom move them. So the head is fitted to
a calm face of a teacher's pack, and bent. Each pixel of the skin follows its place on the mesh, and becomes
lighter or darker with the surface. Movements that open the lips or the lids are left out, because a
photograph does not show what is behind them. The result is a pack in the layout of
:mod:`visavis_train.face.data.teacher`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from visavis.base.console import progress
from visavis.base.files import require_folder
from visavis.channels import BLENDSHAPES
from visavis.datasets.face_labels import STORED_MARGIN
from visavis.errors import InputError
from visavis.face.mesh import LANDMARKS_146
from visavis.types import FloatArray, ImageArray
from visavis_train.face.data.faces import MOVED, FacePack, load_faces
from visavis_train.face.data.shards import LABELS
from visavis_train.face.data.teacher import CROP_PX
from visavis_train.face.rendering import raster
from visavis_train.face.rendering.baking import filled
from visavis_train.face.rendering.bending import INDEX
from visavis_train.face.rendering.expressions import closed_expression
from visavis_train.face.rendering.fitting import Fit, Fitter
from visavis_train.face.rendering.head import FACE_VERTICES, Head
from visavis_train.face.rendering.landmarks import SKIN_POINTS, LandmarkTable

SKIN = [LANDMARKS_146.index(number) for number in SKIN_POINTS]
# Pixels of a stored crop for a region's side.
PX = CROP_PX / STORED_MARGIN
# Sets of stills with enough pixels, and what a calm face of them shows at most: degrees of yaw, and weights.
STILLS = ("utk", "lfwx", "yawdd", "own")
TURNED_DEGREES = 35.0
CALM = {"jawOpen": 0.10, "mouthUpperUp": 0.2, "mouthLowerDown": 0.25, "mouthFunnel": 0.2, "mouthPucker": 0.6}
LARGEST_ERROR = 0.045
# How much the light follows the new surface.
MOST_SHADING = 0.7
# Limits of the shading's factor.
DARKEST, BRIGHTEST = 0.55, 1.6


@dataclass(frozen=True, slots=True)
class Mover:
    """The data that all pictures share.

    Attributes:
        head: the mesh.
        fitter: of its face.
        triangles: (T, 3) of the face.
    """

    head: Head
    fitter: Fitter
    triangles: NDArray[np.int32]

    @classmethod
    def of(cls, head: Head) -> Self:
        """Prepare for a head."""
        inside = (head.triangles < FACE_VERTICES).all(axis=1)
        fitter = Fitter.of(head, LandmarkTable.load(head), FACE_VERTICES)
        return cls(head, fitter, np.ascontiguousarray(head.triangles[inside]))

    def fit(self, landmarks: FloatArray) -> Fit:
        """The fit to landmarks (146, 3) of a stored crop, in region units."""
        return self.fitter.fit(landmarks[SKIN, :2] * PX + (CROP_PX / 2 - 0.5))

    def moved(
        self, crop: ImageArray, landmarks: FloatArray, fit: Fit, rng: np.random.Generator
    ) -> tuple[ImageArray, FloatArray, FloatArray]:
        """A random movement of a crop.

        Args:
            crop: (224, 224, 3) as a pack stores it.
            landmarks: (146, 3) its labels, in region units.
            fit: the head on it.
            rng: of movement and light.

        Returns:
            The picture (224, 224, 3), its landmarks (146, 3), and the weights (52,) of the movement alone.
        """
        weights = closed_expression(rng)
        turned = self._offset(weights, rng) @ fit.rotation.T
        shift = turned[:, :2] * (fit.scale, -fit.scale)
        on_skin = self.fitter.table.on_skin(np.column_stack([shift, -fit.scale * turned[:, 2]]))
        labels = landmarks.copy()
        labels[SKIN] += on_skin / PX
        return self._drawn(crop, fit, turned, shift, rng), labels, weights

    def _offset(self, weights: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Offsets (S, 3) of the face's vertices, in cm.

        One cheek may be puffed more than the other; their mean is written to the weights.
        """
        shapes, vertices = self.head.shapes, np.zeros_like(self.head.neutral)
        own = weights[shapes.channel].astype(np.float32)
        cheeks = np.flatnonzero(shapes.channel == INDEX["cheekPuff"])
        lean = float(rng.normal(0, 0.1) if rng.random() < 0.5 else rng.uniform(-1, 1))
        own[cheeks] = (own[cheeks] * (1 + np.asarray([lean, -lean]))).clip(0, 1)
        weights[INDEX["cheekPuff"]] = own[cheeks].mean()
        raster.add_shapes(vertices, shapes.starts, shapes.vertex, shapes.offset, own)
        return vertices[:FACE_VERTICES]

    def _drawn(
        self, crop: ImageArray, fit: Fit, turned: FloatArray, shift: FloatArray, rng: np.random.Generator
    ) -> ImageArray:
        """The crop with offsets of the vertices, in the view's cm (S, 3) and in pixels (S, 2)."""
        side = len(crop)
        depth = np.full((side, side), np.inf, np.float32)
        nearest, where = np.full((side, side), -1, np.int32), np.zeros((side, side, 2), np.float32)
        bent = fit.vertices + turned
        screen = np.column_stack([fit.pixels + shift, -bent[:, 2]]).astype(np.float32)
        raster.cover(screen, self.triangles, 0, len(self.triangles), False, depth, nearest, where)
        weight = np.concatenate([1 - where.sum(axis=2, keepdims=True), where], axis=2)
        corner = self.triangles[np.maximum(nearest, 0)]
        lamp = np.append(rng.normal((0, 0.5), 0.6), 1.0).astype(np.float32)
        lamp /= np.linalg.norm(lamp)
        lit, was = (
            (raster.normals(surface, self.triangles) @ lamp).clip(0) for surface in (bent, fit.vertices)
        )
        share = rng.uniform(0, MOST_SHADING)
        light = ((1 - share + share * lit) / (1 - share + share * was)).clip(DARKEST, BRIGHTEST)
        each = np.column_stack([-shift, light]).astype(np.float32)
        known = (nearest >= 0).astype(np.float32)[..., None]
        spread = (each[corner] * weight[..., None]).sum(axis=2).astype(np.float32)
        field = filled(spread, known, np.asarray((0, 0, 1), np.float32))
        y, x = np.mgrid[0:side, 0:side].astype(np.float32)
        edge = cv2.BORDER_REPLICATE
        image = cv2.remap(crop, x + field[..., 0], y + field[..., 1], cv2.INTER_CUBIC, None, edge)
        return np.asarray((image * field[..., 2:]).clip(0, 255), np.uint8)


def move_faces(head: Path, pack: Path, out: Path, *, copies: int, seed: int, held_out: bool = False) -> int:
    """Write a pack of moved copies of the calm stills of a pack; returns its number of faces.

    Args:
        head: ``ict_face.npz``.
        pack: folder of a teacher's pack.
        out: folder of the new pack.
        copies: copies of each face.
        seed: of all randomness.
        held_out: whether only the stills that training holds out are moved, or only the others.

    Raises:
        InputError: a file cannot be read, the folder cannot be written, or no face of the pack is calm.
    """
    require_folder(out)
    if out.resolve() == pack.resolve():
        raise InputError(
            f"{out}: the new pack cannot replace the one that it is made from; choose another folder"
        )
    mover, faces = Mover.of(Head.load(head)), load_faces(pack)
    rows = calm_rows(faces)
    rows = rows[faces.validation[rows] == held_out]
    with progress("fitting", len(rows), "faces") as advance:
        fitting = []
        for row in rows:
            if mover.fit(faces.landmarks[row]).error < LARGEST_ERROR:
                fitting.append(int(row))
            advance()
    if not fitting:
        raise InputError(f"{pack}: no still shows a calm face that the head fits; nothing can be moved")
    out.mkdir(parents=True, exist_ok=True)
    order = [(row, copy) for copy in range(copies) for row in fitting]
    crops = open_memmap(out / "crops.npy", "w+", np.uint8, (len(order), CROP_PX, CROP_PX, 3))
    columns: dict[str, list[Any]] = {name: [] for name in LABELS}
    with progress("moving", len(order), "faces") as advance:
        for place, (row, copy) in enumerate(order):
            fit = mover.fit(faces.landmarks[row])
            rng = np.random.default_rng((seed, copy, row))
            crops[place], landmarks, weights = mover.moved(faces.crop(row), faces.landmarks[row], fit, rng)
            known = (faces.weights[row] + weights).clip(0, 1)
            source = f"{faces.source[row]}{MOVED}{copy}"
            for name, value in zip(LABELS, (landmarks, known, faces.rotation[row], source), strict=True):
                columns[name].append(value)
            advance()
    crops.flush()
    arrays: dict[str, Any] = {name: np.asarray(column) for name, column in columns.items()}
    arrays["truth"] = np.asarray("known")  # For `visavis evaluate face`.
    np.savez_compressed(out / "labels.npz", allow_pickle=False, **arrays)
    return len(order)


def calm_rows(faces: FacePack) -> NDArray[np.int64]:
    """Rows of stills, themselves not warped, that show a calm face not far from the front."""
    still = np.isin(faces.clip, STILLS) & (faces.photograph == faces.source)
    calm = still & (np.degrees(np.arccos(faces.rotation[:, 2, 2].clip(-1, 1))) < TURNED_DEGREES)
    for place, name in enumerate(BLENDSHAPES):
        for start, most in CALM.items():
            if name.startswith(start):
                calm &= faces.weights[:, place] < most
    return np.flatnonzero(calm)
