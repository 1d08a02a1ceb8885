"""The search for MediaPipe's 146 landmarks on the mesh, which writes ``landmarks_146.csv``.

``visavis lab correspond HEAD.npz face_landmarker.task [--skins SKINS.npz]`` draws some hundred different
people from near the front, with mild expressions. It asks MediaPipe (extra ``mediapipe``) for landmarks,
and looks for the place on the mesh that is nearest to each landmark in all pictures. Left and right are found
together, as mirror images.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.face.mesh import LANDMARKS_146
from visavis.types import BoolArray, FloatArray, ImageArray
from visavis_train.face.data.teacher import Teacher
from visavis_train.face.network import PARTNERS
from visavis_train.face.rendering import paint
from visavis_train.face.rendering.bending import bend_face, identities
from visavis_train.face.rendering.camera import HeadView, on_plane, sample_view
from visavis_train.face.rendering.drawing import Looks, draw_head, sample_light
from visavis_train.face.rendering.expressions import sample_expression
from visavis_train.face.rendering.head import FACE_VERTICES, Head
from visavis_train.face.rendering.landmarks import SKIN_POINTS

PICTURE_PX = 448
# Largest counted distance of a landmark in one picture, in shares of the eyes' distance.
CAP = 0.06


def samples(
    head: Head, reader: Teacher, skins: list[ImageArray], count: int, seed: int
) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
    """Yield vertices of the skin (9409, 2) and landmarks (146, 2) in a picture, and vertices (9409, 3) in cm.

    The first two are in shares of the distance of the outer eye corners.
    """
    rng = np.random.default_rng(seed)
    for number in range(count):
        rest = identities(head, rng.normal(0, 0.8, (1, 60)).astype(np.float32))[0]
        bent = bend_face(head, rest, 0.6 * sample_expression(rng))
        view = HeadView(sample_view(rng, 0.5).rotation, float(rng.uniform(50, 150)))
        plane = on_plane(bent.vertices, view)
        screen = plane.copy()
        screen[:, :2] = PICTURE_PX / 2 + plane[:, :2] * view.distance_cm * PICTURE_PX / 26
        skin = skins[number % len(skins)] if skins and number % 3 else paint.painted_skin(rng, head)
        colors = paint.palette(rng, skin, paint.between(rng, paint.HAIRS))
        looks = Looks(skin, paint.painted_eye(rng), *colors, 0.4)
        ground = np.full((PICTURE_PX, PICTURE_PX, 3), rng.uniform(40, 220, 3), np.float32)
        canvas = draw_head(head, bent.vertices, screen, view.rotation, looks, sample_light(rng, 0.7), ground)
        image = cv2.GaussianBlur(canvas.image, (0, 0), 0.8).clip(0, 255).astype(np.uint8)
        found = reader.points(image)
        if found is not None:
            # MediaPipe counts from the edge of the first pixel, the rasteriser from its middle.
            points = found[list(LANDMARKS_146), :2] - 0.5
            across = np.linalg.norm(found[33, :2] - found[263, :2])
            yield screen[:FACE_VERTICES, :2] / across, points / across, bent.vertices[:FACE_VERTICES]


def landmark_distances(pictures: list[tuple[FloatArray, FloatArray, FloatArray]]) -> FloatArray:
    """Capped mean distance (136, 9409) of each landmark to each vertex of the skin."""
    total = np.zeros((len(SKIN_POINTS), FACE_VERTICES), np.float32)
    for vertices, points, _ in pictures:
        own = points[: len(SKIN_POINTS)]
        squares = np.square(own).sum(axis=1)[:, None] + np.square(vertices).sum(axis=1) - 2 * own @ vertices.T
        total += np.minimum(np.sqrt(np.maximum(squares, 0)), CAP)
    return np.asarray(total / len(pictures), np.float32)


def opposite_vertices(neutral: FloatArray) -> NDArray[np.int64]:
    """For each vertex of the skin (9409,) the one on the other side."""
    skin = neutral[:FACE_VERTICES]
    flipped = skin * np.array([-1, 1, 1], np.float32)
    found = np.empty(FACE_VERTICES, np.int64)
    for start in range(0, FACE_VERTICES, 512):
        apart = np.square(flipped[start : start + 512, None] - skin[None]).sum(axis=-1)
        found[start : start + 512] = apart.argmin(axis=1)
    return found


def place(
    head: Head, pictures: list[tuple[FloatArray, FloatArray, FloatArray]]
) -> tuple[NDArray[np.int64], FloatArray]:
    """Corners (136, 3), as the file's vertices, and weights (136, 3) of the landmarks on the skin."""
    cost = landmark_distances(pictures)
    other = opposite_vertices(head.neutral)
    partners = np.asarray(PARTNERS[: len(SKIN_POINTS)])
    cost = (cost + cost[partners][:, other]) / 2
    middle = other == np.arange(FACE_VERTICES)
    # The skin's back is not part of the face.
    cost[:, head.neutral[:FACE_VERTICES, 2] < -1] = np.inf
    skin = head.triangles[(head.triangles < FACE_VERTICES).all(axis=1)]
    corners, weights = np.empty((len(partners), 3), np.int64), np.empty((len(partners), 3), np.float32)
    for landmark, partner in enumerate(partners):
        if partner < landmark:
            corners[landmark], weights[landmark] = other[corners[partner]], weights[partner]
            continue
        own = cost[landmark] if partner != landmark else np.where(middle, cost[landmark], np.inf)
        vertex = int(own.argmin())
        around = skin[(skin == vertex).any(axis=1)]
        best = _refine(around, vertex, landmark, int(partner), other, pictures, middle)
        corners[landmark], weights[landmark] = best
    return head.numbers[corners], weights


def _refine(
    around: NDArray[np.int32],
    vertex: int,
    landmark: int,
    partner: int,
    other: NDArray[np.int64],
    pictures: list[tuple[FloatArray, FloatArray, FloatArray]],
    middle: BoolArray,
) -> tuple[NDArray[np.int64], FloatArray]:
    """The best place in the triangles around a vertex, by trying weights on a grid."""
    steps = [(a, b) for a in range(9) for b in range(9 - a)]
    grid = np.asarray([(8 - a - b, a, b) for a, b in steps], np.float32) / 8
    best = (np.inf, np.asarray([vertex] * 3), np.asarray([1, 0, 0], np.float32))
    for triangle in around.astype(np.int64):
        trial = grid
        if partner == landmark:
            # In the middle of the face, only edges between vertices of the middle are possible.
            trial = grid[(grid[:, ~middle[triangle]] == 0).all(axis=1)]
        total = np.zeros(len(trial))
        for vertices, points, _ in pictures:
            for mark, corner in ((landmark, triangle), (partner, other[triangle])):
                total += np.minimum(np.linalg.norm(trial @ vertices[corner] - points[mark], axis=1), CAP)
        least = int(total.argmin())
        if total[least] < best[0]:
            best = (float(total[least]), triangle, trial[least])
    return best[1], best[2]


def write_table(path: Path, corners: NDArray[np.int64], weights: FloatArray) -> None:
    """Write the table."""
    lines = ["landmark,vertex_0,vertex_1,vertex_2,weight_0,weight_1,weight_2"]
    for number, corner, weight in zip(SKIN_POINTS, corners, weights, strict=True):
        lines.append(",".join([str(number), *map(str, corner), *(f"{w:.3f}" for w in weight)]))
    path.write_text("\n".join(lines) + "\n", "utf-8")
