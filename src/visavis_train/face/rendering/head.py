"""The 3D head (``ict_face.npz``), read and checked.

:attr:`Head.numbers` keeps the file's own vertex numbers, so that tables can name vertices by them.
Axes: x to the person's left (right in a picture from the front), y up, z out of the face; centimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visavis.base.npz import read_npz
from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.types import BoolArray, FloatArray
from visavis_train.face.rendering.surface import from_root, layout, openness

VERTICES, TRIANGLES, IDENTITIES = 26719, 52220, 100
SKIN, SOCKET, GUMS, TEETH, EYE, LASH, TONGUE, SCALP = range(8)
# First vertex, one past the last, and material. Left out: helper surfaces, and parts inside the eyeballs.
PARTS = (
    (0, 11248, SKIN),
    (11248, 14062, SOCKET),
    (14062, 17039, GUMS),
    (17039, 21451, TEETH),
    (21451, 22221, EYE),
    (23021, 23791, EYE),
    (25351, 26719, LASH),
)
# The face itself is the first part of the skin; the back of the head and the neck follow.
FACE_VERTICES = 9409
EYES = {"Left": (21451, 22221), "Right": (23021, 23791)}
# For these, ARKit has one weight where the mesh has several shapes, or no name.
UNNAMED = ("PupilDilate_L", "PupilDilate_R", "cheekRaiser_L", "cheekRaiser_R")
INNER_LOWER_LIP, LOWER_GUM = 5517, 19247  # The tongue lies on the lip and is attached to the gum.
TONGUE_RINGS, TONGUE_SIDES = 12, 12
_SMALLEST_CM = 1e-3


@dataclass(frozen=True, slots=True)
class Shapes:
    """Offsets of M shapes, only for vertices that they move.

    Attributes:
        channel: (M,) place of each in ``BLENDSHAPES``.
        starts: (M + 1,) first row of each shape.
        vertex: (K,) the vertex that a row moves.
        offset: (K, 3) its offset at weight 1, in cm.
    """

    channel: NDArray[np.int64]
    starts: NDArray[np.int64]
    vertex: NDArray[np.int32]
    offset: FloatArray


@dataclass(frozen=True, slots=True)
class Head:
    """The head at rest, and its possible changes.

    Attributes:
        neutral: (V, 3) mean face; the last vertices are the tongue that comes out.
        identity: (100, V * 3) offsets of the identity coefficients.
        shapes: the expressions.
        triangles: (T, 3) of vertex numbers, lashes last.
        material: (T,) material of each triangle.
        uv: (V, 2) place in the skin's texture or in the eye's, both from 0 to 1; of lashes the first is the
            distance from their root.
        light: (V,) how much light reaches a vertex, 0 deep in the mouth, 1 outside.
        numbers: (V - tongue,) number of each vertex in the file.
        eyes: for the left and the right eye its first vertex and one past its last.
        lashes: first triangle of the lashes.
    """

    neutral: FloatArray
    identity: FloatArray
    shapes: Shapes
    triangles: NDArray[np.int32]
    material: NDArray[np.uint8]
    uv: FloatArray
    light: FloatArray
    numbers: NDArray[np.int64]
    eyes: tuple[tuple[int, int], tuple[int, int]]
    lashes: int

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check the file.

        Raises:
            InputError: missing, damaged, or of another layout.
        """
        pack = read_npz(path, "packed ICT head", ("neutral", "exp", "exp_names", "ident", "tri"))
        names = [str(name) for name in pack["exp_names"]]
        _check(path, pack, names)
        part = np.full(VERTICES, 255, np.uint8)
        for first, end, kind in PARTS:
            part[first:end] = kind
        tri = pack["tri"].astype(np.int64)
        tri = tri[(part[tri] != 255).all(axis=1)]
        numbers = np.unique(tri)
        place = np.full(VERTICES, -1, np.int64)
        place[numbers] = np.arange(len(numbers))
        # At the border of skin and mouth the deeper material wins.
        material = part[tri].max(axis=1)
        order = np.argsort(material == LASH, kind="stable")
        tri, material = place[tri[order]], material[order]
        neutral = pack["neutral"][numbers].astype(np.float32)
        kind = part[numbers]
        left, right = ((int(place[a]), int(place[b - 1]) + 1) for a, b in (EYES["Left"], EYES["Right"]))
        uv, seam = layout(neutral, tri, kind == EYE, (left, right))
        material[seam & (material == SKIN)] = SCALP
        # Behind the lids there is skin, not the mouth's inside.
        material[(material == SOCKET) & (neutral[tri, 1] > 1.0).all(axis=1)] = SKIN
        uv[kind == LASH, 0] = from_root(neutral, kind == LASH, kind == SKIN)
        tongue = len(neutral) + _tongue_triangles()
        lashes = int((material != LASH).sum())
        rings = TONGUE_RINGS * TONGUE_SIDES
        return cls(
            np.concatenate([neutral, np.zeros((rings, 3), np.float32)]),
            _padded(pack["ident"][:, numbers], rings),
            _shapes(pack["exp"][:, numbers], names),
            np.concatenate([tri[:lashes], tongue, tri[lashes:]]).astype(np.int32),
            np.concatenate([material[:lashes], np.full(len(tongue), TONGUE, np.uint8), material[lashes:]]),
            np.concatenate([uv, np.zeros((rings, 2), np.float32)]),
            np.concatenate([openness(neutral, kind, SKIN, EYE, LASH), np.ones(rings, np.float32)]),
            numbers,
            (left, right),
            lashes + len(tongue),
        )

    @property
    def lids(self) -> BoolArray:
        """(V,) vertices of the skin that a blink moves far: the upper lids."""
        s = self.shapes
        moved = np.zeros(len(self.neutral), np.float32)
        for shape in range(len(s.channel)):
            if BLENDSHAPES[s.channel[shape]].startswith("eyeBlink"):
                rows = slice(int(s.starts[shape]), int(s.starts[shape + 1]))
                np.maximum.at(moved, s.vertex[rows], np.linalg.norm(s.offset[rows], axis=1))
        return moved > 0.35

    def place_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Indices in :attr:`neutral` of vertices of the file.

        Raises:
            InputError: one of the vertices is not kept.
        """
        place = np.searchsorted(self.numbers, numbers)
        place = np.minimum(place, len(self.numbers) - 1)
        if (self.numbers[place] != numbers).any():
            raise InputError("the table of landmarks names vertices that the head does not have")
        return np.asarray(place, np.int64)


def arkit_name(name: str) -> str:
    """ARKit's name of one of the mesh's shapes: ``eyeBlink_L`` is ``eyeBlinkLeft``."""
    base = name.removesuffix("_L").removesuffix("_R")
    if base in BLENDSHAPES:
        return base
    return base + {"_L": "Left", "_R": "Right"}.get(name[len(base) :], "")


def _check(path: Path, pack: dict[str, NDArray[Any]], names: list[str]) -> None:
    shapes = {
        "neutral": (VERTICES, 3),
        "exp": (len(names), VERTICES, 3),
        "ident": (IDENTITIES, VERTICES, 3),
        "tri": (TRIANGLES, 3),
    }
    for name, shape in shapes.items():
        if pack[name].shape != shape:
            raise InputError(f"{path}: {name} is {pack[name].shape}; expected {shape}: another mesh?")
        if name != "tri" and not (pack[name].dtype.kind == "f" and np.isfinite(pack[name]).all()):
            raise InputError(f"{path}: {name} holds {pack[name].dtype}; expected finite numbers")
    if pack["tri"].dtype.kind not in "iu" or pack["tri"].min() < 0 or pack["tri"].max() >= VERTICES:
        raise InputError(f"{path}: tri does not hold numbers of vertices below {VERTICES}")
    found = {arkit_name(name) for name in names if name not in UNNAMED}
    missing = sorted(set(BLENDSHAPES) - found - {"tongueOut"})
    strange = sorted(found - set(BLENDSHAPES))
    if missing or strange:
        raise InputError(f"{path}: exp_names lacks {missing} and has {strange}; expected ARKit's names")


def _shapes(offsets: NDArray[np.float16], names: list[str]) -> Shapes:
    channel, starts, vertices, rows = [], [0], [], []
    for name, offset in zip(names, offsets, strict=True):
        if name in UNNAMED:
            continue
        moved = np.flatnonzero(np.abs(offset).max(axis=1) > _SMALLEST_CM)
        channel.append(BLENDSHAPES.index(arkit_name(name)))
        starts.append(starts[-1] + len(moved))
        vertices.append(moved)
        rows.append(offset[moved])
    return Shapes(
        np.asarray(channel),
        np.asarray(starts),
        np.concatenate(vertices).astype(np.int32),
        np.concatenate(rows).astype(np.float32),
    )


def _padded(identity: NDArray[np.float16], rings: int) -> FloatArray:
    full = np.zeros((len(identity), identity.shape[1] + rings, 3), np.float32)
    full[:, : identity.shape[1]] = identity
    return full.reshape(len(full), -1)


def _tongue_triangles() -> NDArray[np.int64]:
    """Triangles of a tube of rings, closed at its tip because the last ring is a point."""
    found = []
    for ring in range(TONGUE_RINGS - 1):
        for side in range(TONGUE_SIDES):
            a, b = ring * TONGUE_SIDES + side, ring * TONGUE_SIDES + (side + 1) % TONGUE_SIDES
            c, d = a + TONGUE_SIDES, b + TONGUE_SIDES
            found += [(a, b, c), (b, d, c)]
    return np.asarray(found, np.int64)
