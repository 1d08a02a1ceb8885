"""The whole renderer: one picture of a face with its true labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.channels import BLENDSHAPES
from visavis.datasets.face_labels import STORED_MARGIN
from visavis.errors import InputError
from visavis.types import FloatArray, ImageArray
from visavis_train.face.data.teacher import CROP_PX
from visavis_train.face.rendering import glasses, hair, paint, surroundings
from visavis_train.face.rendering.bending import Bent, bend_face, identities
from visavis_train.face.rendering.camera import Crop, HeadView, crop_around, sample_view
from visavis_train.face.rendering.drawing import FINE, Looks, draw_head, sample_light
from visavis_train.face.rendering.expressions import sample_expression
from visavis_train.face.rendering.head import Head
from visavis_train.face.rendering.landmarks import LandmarkTable
from visavis_train.face.rendering.probes import EACH, probe_view, probe_weights
from visavis_train.face.rendering.skins import Skins
from visavis_train.face.rendering.surface import TEXTURE_PX

# First identity of each split; identities of different splits are never the same.
IDENTITIES = {"train": 0, "val": 1_000_000, "test": 2_000_000}
IDENTITIES_EACH = 20_000
IDENTITY_SEED, IDENTITY_SPREAD, COEFFICIENTS = 20261127, 0.8, 100
PAINTED, WITH_GLASSES, WITH_OCCLUDER = 0.15, 0.18, 0.18
# Upward pitch of MediaPipe's head when the mesh looks straight ahead (measured: 0.2 to 0.3 degrees).
STRAIGHT_PITCH_RAD = 0.0044
# MediaPipe's depth has the units of x and y; the mean of the 146 landmarks has this depth (measured: 0.021,
# with a standard deviation of 0.005 between faces; the slope of its depth over the true one is 1.00).
MEAN_DEPTH = 0.021
BATCH = 32


@dataclass(frozen=True, slots=True)
class Rendered:
    """One picture and its true labels.

    Attributes:
        crop: (224, 224, 3).
        landmarks146: (146, 3) in units of the region.
        blendshapes: (52,) from 0 to 1.
        rotation: (3, 3) of the head in the upright crop: x right, y up, z towards the viewer.
        gaze: (2,) yaw to the person's left and pitch up of the eyes against the head, in radians.
        identity: number of the face's shape.
        skin: id of the crop of its skin, empty for a painted skin.
        occluded: hidden share of the face, from 0 to 1.
        source: ``render:`` and the number of the picture.
    """

    crop: ImageArray
    landmarks146: FloatArray
    blendshapes: FloatArray
    rotation: FloatArray
    gaze: FloatArray
    identity: int
    skin: str
    occluded: float
    source: str


@dataclass(frozen=True, slots=True)
class Renderer:
    """The data that all pictures of a split share.

    Attributes:
        head: the mesh.
        table: MediaPipe's landmarks on it.
        skins: real skins of all splits.
        split: ``train``, ``val`` or ``test``: which skins and identities are used.
        seed: of all randomness.
        photographs: RGB pictures for backgrounds.
        plain: for measuring: no hair, glasses, occluders or camera faults, and mild turns.
        probes: plain pictures of one weight at full each, see :mod:`visavis_train.face.rendering.probes`; the
            pictures of one identity differ in nothing else.
    """

    head: Head
    table: LandmarkTable
    skins: Skins
    split: str
    seed: int
    photographs: Sequence[ImageArray] = ()
    plain: bool = False
    probes: bool = False
    outward: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        if self.split not in IDENTITIES:
            raise InputError(f"split {self.split!r}: expected one of {', '.join(IDENTITIES)}")
        if not len(self.skins.of(self.split)):
            raise InputError(f"the skins hold none of the split {self.split!r}: make more of them")
        object.__setattr__(self, "outward", hair.outward(self.head))
        object.__setattr__(self, "plain", self.plain or self.probes)

    def render(self, first: int, end: int) -> Iterator[Rendered]:
        """Yield the pictures of numbers ``first..end``; each depends only on its number and the seed."""
        # The batches are always the same: a matrix product of another size rounds in another way.
        for start in range(first - first % BATCH, end, BATCH):
            numbers = range(start, start + BATCH)
            each = EACH if self.probes else 1
            generators = [np.random.default_rng([self.seed, number // each]) for number in numbers]
            base = IDENTITIES[self.split]
            chosen = [base + int(rng.integers(IDENTITIES_EACH)) for rng in generators]
            rests = identities(self.head, np.stack([coefficients(identity) for identity in chosen]))
            for number, rng, identity, rest in zip(numbers, generators, chosen, rests, strict=True):
                if first <= number < end:
                    yield self._one(number, rng, identity, rest)

    def _one(self, number: int, rng: np.random.Generator, identity: int, rest: FloatArray) -> Rendered:
        view, weights = self._pose(number, rng)
        bent = bend_face(self.head, rest, weights, self._sides(rng))
        landmarks = self.table.points(bent)
        crop = crop_around(landmarks, view)
        skin, looks, hairs = self._person(rng)
        image = self._picture(rng, bent, crop, looks, hairs)
        flat = crop.pixels(landmarks, CROP_PX)
        face = np.asarray(cv2.convexHull(flat[:, :2].astype(np.int32))[:, 0], np.int32)
        hidden = 0.0
        if not self.plain and rng.random() < WITH_OCCLUDER:
            tone = looks.skin[TEXTURE_PX // 2, TEXTURE_PX // 2].astype(np.float32)
            hidden = _share(surroundings.occluder(rng, image, tone, face.astype(np.float32)), face)
        photo = image.clip(0, 255).astype(np.uint8)
        if not self.plain:
            photo = surroundings.photographed(rng, image)
        xy = (flat[:, :2] - (CROP_PX / 2 - 0.5)) * (STORED_MARGIN / CROP_PX)
        z = crop.depth(flat[:, 2])
        z += MEAN_DEPTH - z.mean()
        return Rendered(
            photo,
            np.column_stack([xy, z]).astype(np.float32),
            weights,
            straightened(crop.rotation()),
            bent.gaze,
            identity,
            skin,
            hidden,
            f"render:{number:06d}",
        )

    def _pose(self, number: int, rng: np.random.Generator) -> tuple[HeadView, FloatArray]:
        """The view of the head, and its weights (52,)."""
        if self.probes:
            return probe_view(rng), probe_weights(number)
        view = sample_view(rng, 0.6 if self.plain else 1.0)
        return view, sample_expression(rng, turned=bool(view.rotation[2, 2] < 0.75))

    def _sides(self, rng: np.random.Generator) -> FloatArray:
        """Factors of the mesh's shapes; if ARKit has one weight for both sides, it is their mean."""
        channel = self.head.shapes.channel
        sides = np.ones(len(channel), np.float32)
        for name in ("browInnerUp", "cheekPuff"):
            left, right = np.flatnonzero(channel == BLENDSHAPES.index(name))
            lean = float(np.clip(rng.normal(0, 0.12), -0.3, 0.3))
            sides[left], sides[right] = 1 + lean, 1 - lean
        return sides

    def _person(self, rng: np.random.Generator) -> tuple[str, Looks, hair.Hair]:
        """Id of the skin, the textures and the hair of a random person."""
        name = ""
        if rng.random() < PAINTED:
            skin = paint.painted_skin(rng, self.head)
        else:
            row = int(rng.choice(self.skins.of(self.split)))
            name, skin = str(self.skins.ids[row]), self.skins.texture(row)
            if rng.random() < 0.5:
                skin = np.ascontiguousarray(skin[:, ::-1])
        hairs = hair.sample_hair(rng)
        bare = skin[TEXTURE_PX // 3 : TEXTURE_PX // 2, TEXTURE_PX // 3 : 2 * TEXTURE_PX // 3]
        # A dark photograph has dark eyes and teeth.
        exposure = np.clip(0.5 + 0.5 * float(bare.mean()) / 170, 0.5, 1.0)
        colors, shine = paint.palette(rng, skin, hairs.color)
        eye = (paint.painted_eye(rng) * exposure).astype(np.uint8)
        if not self.plain:
            skin = hair.comb(rng, hairs, hair.dress(rng, skin, hairs.cloth))
        lashes = float(rng.uniform(0.1, 0.75))
        return name, Looks(skin, eye, (colors * exposure).astype(np.float32), shine, lashes), hairs

    def _picture(
        self, rng: np.random.Generator, bent: Bent, crop: Crop, looks: Looks, hairs: hair.Hair
    ) -> FloatArray:
        """The picture (224, 224, 3) from 0 to 255, without objects over the face."""
        side = CROP_PX * FINE
        ground = surroundings.background(rng, side, self._pictures(rng))
        vertices = bent.vertices
        if not self.plain:
            body = crop.pixels(hair.shoulders(float(rng.normal(0, 1.5))), side)
            cv2.fillPoly(ground, [body[:, :2].astype(np.int32)], (0.75 * hairs.cloth).tolist())
            if hairs.long and hairs.cover is not None:
                outline = crop.pixels(hair.behind(self.head, vertices), side)
                cv2.fillPoly(ground, [outline[:, :2].astype(np.int32)], (0.7 * hairs.color).tolist())
            vertices = vertices.copy()
            hair.grow(rng, self.head, self.outward, hairs, vertices)
        screen = crop.pixels(vertices, side)
        light = sample_light(rng, 0.6)
        canvas = draw_head(self.head, vertices, screen, crop.rotation(), looks, light, ground)
        if not self.plain and rng.random() < WITH_GLASSES:
            glasses.draw_glasses(canvas, glasses.sample_glasses(rng), bent.eye_centers, crop)
        size = (CROP_PX, CROP_PX)
        return np.asarray(cv2.resize(canvas.image, size, interpolation=cv2.INTER_AREA), np.float32)

    def _pictures(self, rng: np.random.Generator) -> list[ImageArray]:
        """One candidate for the background: a photograph, or a blurred crop of the same split."""
        if self.photographs and rng.random() < 0.7:
            return [self.photographs[int(rng.integers(len(self.photographs)))]]
        return [self.skins.grounds[int(rng.choice(self.skins.of(self.split)))]]


def coefficients(identity: int) -> FloatArray:
    """Identity coefficients (100,) of a face's number."""
    rng = np.random.default_rng([IDENTITY_SEED, identity])
    return np.asarray(rng.normal(0, IDENTITY_SPREAD, COEFFICIENTS), np.float32)


def straightened(rotation: FloatArray) -> FloatArray:
    """The rotation (3, 3) of MediaPipe's head for one of the mesh."""
    c, s = np.cos(STRAIGHT_PITCH_RAD), np.sin(STRAIGHT_PITCH_RAD)
    lean = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    return np.asarray(rotation @ lean, np.float32)


def _share(mask: ImageArray, face: NDArray[np.int32]) -> float:
    """Share of a face's outline (N, 2) that a mask covers."""
    inside = np.zeros_like(mask)
    cv2.fillConvexPoly(inside, face, 255)
    return float((mask[inside > 0] > 127).mean()) if inside.any() else 0.0
