"""Real faces with known rare movements: photographs whose skin is moved by the mesh's shapes.

``visavis lab move-faces HEAD.npz PACK OUT``

The teacher cannot read cheeks and nose, and photographed people seldom move them. So the head is fitted to
a calm face of a teacher's pack, and bent. Each pixel of the skin follows its place on the mesh, and becomes
lighter or darker with the surface. A photograph does not show what is behind lips and lids, so they are not
opened, and lips that a sneer would part stay together. The result is a pack in the layout of
:mod:`visavis_train.face.data.teacher`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.base.console import progress
from visavis.base.files import require_folder
from visavis.channels import BLENDSHAPES, FACE_INDEX
from visavis.datasets.face_labels import STORED_MARGIN
from visavis.errors import InputError
from visavis.face.mesh import LANDMARKS_146
from visavis.types import FloatArray, ImageArray
from visavis_train.face.data.faces import MOVED, FacePack, load_faces
from visavis_train.face.data.shards import LABELS
from visavis_train.face.data.teacher import CROP_PX, begin_pack, end_pack
from visavis_train.face.rendering import raster
from visavis_train.face.rendering.baking import filled
from visavis_train.face.rendering.expressions import closed_expression
from visavis_train.face.rendering.fitting import Fit, Fitter
from visavis_train.face.rendering.head import FACE_VERTICES, Head
from visavis_train.face.rendering.landmarks import SKIN_POINTS, LandmarkTable

SKIN = [LANDMARKS_146.index(number) for number in SKIN_POINTS]
# Pixels of a stored crop for a region's side.
PX = CROP_PX / STORED_MARGIN
# Sets of stills with enough pixels, and what a calm face shows at most: degrees from the front, and weights.
STILLS = ("utk", "lfwx", "yawdd", "own")
TURNED_DEGREES = 35.0
CALM = {"jawOpen": 0.10, "mouthUpperUp": 0.2, "mouthLowerDown": 0.25, "mouthFunnel": 0.2, "mouthPucker": 0.6}
LARGEST_ERROR = 0.045
# How much the light follows the new surface, limits of its factor, and the cosine from which it follows less,
# where a surface turns away from the camera.
MOST_SHADING, DARKEST, BRIGHTEST, AWAY = 0.7, 0.7, 1.35, 0.5
# Blur of shift and light in pixels, so that no seam shows where one part of the skin hides another.
SOFT_PX = 1.5
# MediaPipe's points in the middle of the inner lips.
UPPER_LIP, LOWER_LIP = (SKIN_POINTS.index(number) for number in (13, 14))


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
        self,
        crop: ImageArray,
        landmarks: FloatArray,
        known: FloatArray,
        fit: Fit,
        rng: np.random.Generator,
    ) -> tuple[ImageArray, FloatArray, FloatArray]:
        """A random movement of a crop.

        Args:
            crop: (224, 224, 3) as a pack stores it.
            landmarks: (146, 3) its labels, in region units.
            known: (52,) its weights.
            fit: the head on it.
            rng: of movement and light.

        Returns:
            The picture (224, 224, 3), its landmarks (146, 3), and its weights (52,) with the movement's.
        """
        weights = np.minimum(closed_expression(rng), 1 - known)
        turned = self._offset(weights, rng) @ fit.rotation.T
        shift = turned[:, :2] * (fit.scale, -fit.scale)
        on_skin = self.fitter.table.on_skin(np.column_stack([shift, -fit.scale * turned[:, 2]]))
        labels = landmarks.copy()
        labels[SKIN] += on_skin / PX
        return self._drawn(crop, fit, turned, shift, rng), labels, known + weights

    def _offset(self, weights: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Offsets (S, 3) of the face's vertices, in cm; the gap between the lips stays.

        One cheek may be puffed more than the other; their mean is written to the weights.
        """
        shapes = self.head.shapes
        own = weights[shapes.channel].astype(np.float32)
        cheeks = np.flatnonzero(shapes.channel == FACE_INDEX["cheekPuff"])
        lean = float(rng.normal(0, 0.1) if rng.random() < 0.5 else rng.uniform(-1, 1))
        own[cheeks] = (own[cheeks] * (1 + np.asarray([lean, -lean]))).clip(0, 1)
        weights[FACE_INDEX["cheekPuff"]] = own[cheeks].mean()
        moved = self._bent(own)
        closing = self._bent((shapes.channel == FACE_INDEX["mouthClose"]).astype(np.float32))
        return moved - closing * (self._gap(moved) / self._gap(closing))

    def _bent(self, own: FloatArray) -> FloatArray:
        """Offsets (S, 3) for weights (M,) of the mesh's own shapes."""
        shapes, vertices = self.head.shapes, np.zeros_like(self.head.neutral)
        raster.add_shapes(vertices, shapes.starts, shapes.vertex, shapes.offset, own)
        return vertices[:FACE_VERTICES]

    def _gap(self, offset: FloatArray) -> float:
        """By how many cm offsets (S, 3) part the lips."""
        points = self.fitter.table.on_skin(offset)
        return float(points[UPPER_LIP, 1] - points[LOWER_LIP, 1])

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
        before, after = (raster.normals(each, self.triangles) for each in (fit.vertices, bent))
        share = rng.uniform(0, MOST_SHADING) * (np.minimum(before, after)[:, 2] / AWAY).clip(0, 1)
        was, lit = ((normal @ lamp).clip(0) for normal in (before, after))
        light = ((1 - share + share * lit) / (1 - share + share * was)).clip(DARKEST, BRIGHTEST)
        each = np.column_stack([-shift, light]).astype(np.float32)
        known = (nearest >= 0).astype(np.float32)[..., None]
        spread = (each[corner] * weight[..., None]).sum(axis=2).astype(np.float32)
        field = cv2.GaussianBlur(filled(spread, known, np.asarray([0, 0, 1], np.float32)), (0, 0), SOFT_PX)
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
    fits = np.zeros(len(rows), np.bool_)
    with progress("fitting", len(rows), "faces") as advance:
        for place, row in enumerate(rows):
            fits[place] = mover.fit(faces.landmarks[row]).error < LARGEST_ERROR
            advance()
    rows = rows[fits]
    if not len(rows):
        sets = ", ".join(f"{name}_" for name in STILLS)
        raise InputError(
            f"{pack}: no still ({sets}) shows a calm face that the head fits; nothing can be moved"
        )
    crops = begin_pack(out, len(rows) * copies)
    columns: dict[str, list[Any]] = {name: [] for name in LABELS}
    with progress("moving", len(crops), "faces") as advance:
        for place in range(len(crops)):
            row, copy = int(rows[place // copies]), place % copies
            landmarks = faces.landmarks[row]
            rng = np.random.default_rng((seed, copy, row))
            fit = mover.fit(landmarks)
            moved = mover.moved(faces.crop(row), landmarks, faces.weights[row], fit, rng)
            crops[place] = moved[0]
            label = (*moved[1:], faces.rotation[row], f"{faces.source[row]}{MOVED}{copy}")
            for name, value in zip(LABELS, label, strict=True):
                columns[name].append(value)
            advance()
    arrays: dict[str, Any] = {name: np.asarray(column) for name, column in columns.items()}
    arrays["truth"] = np.asarray("known")  # For `visavis evaluate face`.
    end_pack(out, crops, arrays)
    return len(crops)


def calm_rows(faces: FacePack) -> NDArray[np.int64]:
    """Rows of stills, themselves not warped, that show a calm face not far from the front."""
    still = np.isin(faces.clip, STILLS) & (faces.photograph == faces.source)
    calm = still & (np.degrees(np.arccos(faces.rotation[:, 2, 2].clip(-1, 1))) < TURNED_DEGREES)
    for place, name in enumerate(BLENDSHAPES):
        for start, most in CALM.items():
            if name.startswith(start):
                calm &= faces.weights[:, place] < most
    return np.flatnonzero(calm)
