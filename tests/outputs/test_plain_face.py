from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.samples import face_state
from visavis.channels import BLENDSHAPES
from visavis.outputs.plain_face import MEDIAPIPE, MIRROR, MOVES, points_of, seen_points
from visavis.types import Face


def moved(**channels: float) -> np.ndarray:
    return points_of(face_state(**channels).weights) - points_of(face_state().weights)


def test_the_face_is_its_mirror_image() -> None:
    assert sorted(MIRROR) == list(range(66))
    assert [MIRROR[number] for number in MIRROR] == list(range(66))
    points = points_of(face_state().weights)
    np.testing.assert_array_equal(points[list(MIRROR)] * (-1, 1, 1), points)
    np.testing.assert_array_equal(points[[36, 45]], [[-0.5, 0, 0], [0.5, 0, 0]])


@pytest.mark.parametrize("name", sorted({name for name, _, _ in MOVES}))
def test_the_left_moves_like_the_right(name: str) -> None:
    other = name.removesuffix("Right") + "Left" if name.endswith("Right") else name
    assert {name, other} <= set(BLENDSHAPES)
    right, left = moved(**{name: 1.0}), moved(**{other: 1.0})
    assert np.abs(right).max() > 0.01
    np.testing.assert_allclose(left[list(MIRROR)] * (-1, 1, 1), right, atol=1e-12)


@pytest.mark.parametrize(
    ("channel", "point", "axis", "sign"),
    [
        ("eyeBlinkLeft", 43, 1, -1),
        ("browInnerUp", 21, 1, 1),
        ("mouthSmileLeft", 62, 1, 1),
        ("mouthSmileLeft", 62, 0, 1),
        ("mouthFrownRight", 58, 1, -1),
        ("mouthPucker", 62, 0, -1),
        ("jawOpen", 64, 1, -1),
        ("jawLeft", 8, 0, 1),
        ("mouthRight", 50, 0, -1),
    ],
)
def test_movements_go_where_their_names_say(channel: str, point: int, axis: int, sign: int) -> None:
    assert np.sign(moved(**{channel: 1.0})[point, axis]) == sign


def test_an_open_mouth_closes_with_mouth_close() -> None:
    np.testing.assert_allclose(moved(jawOpen=0.6, mouthClose=0.6)[[54, 55, 64], 1], 0, atol=1e-9)


def a_face(numbers: list[int], landmarks: np.ndarray) -> Face:
    corners = np.zeros((4, 2), np.float32)
    return Face(
        0, 1.0, corners.ravel()[:4], landmarks, corners, face_state(), landmark_numbers=np.asarray(numbers)
    )


def test_points_that_are_not_tracked_lie_where_the_plain_face_has_them() -> None:
    numbers = [number for number in MEDIAPIPE if number is not None] + [468, 473]
    known = [place for place, number in enumerate(MEDIAPIPE) if number is not None]
    camera = np.asarray([[40, 3], [5, -38], [8, 9]])
    drawn = points_of(face_state().weights) @ camera + (320, 240)
    face = a_face(numbers, np.concatenate([drawn[known], [[300, 240], [340, 240]]]))
    points = seen_points(face)
    np.testing.assert_allclose(points[:66], drawn, atol=1e-3)
    assert points[66:].tolist() == [[300, 240], [340, 240]]


def test_faces_without_these_landmarks_have_no_points() -> None:
    assert seen_points(a_face([], np.zeros((40, 2)))) is None
    assert seen_points(a_face([1, 2], np.zeros((2, 2)))) is None


@pytest.mark.shared
@pytest.mark.slow
def test_the_plain_face_fits_a_real_one(shared: Path) -> None:
    from visavis.capture.video import VideoFile
    from visavis.pipeline import Pipeline

    with VideoFile(shared / "data" / "video" / "lp_d9.mp4") as source:
        (face,) = Pipeline(recognizer=None).look(next(iter(source)).image_rgb)
    seen = seen_points(face)[:66]
    plain = np.column_stack([points_of(face.state.weights), np.ones(66)])
    inner = slice(17, 66)  # MediaPipe's outline of the face is not that of iBUG.
    camera = np.linalg.lstsq(plain[inner], seen[inner], rcond=None)[0]
    off = np.linalg.norm(plain[inner] @ camera - seen[inner], axis=1) / np.linalg.norm(seen[36] - seen[45])
    assert off.mean() < 0.06
    assert off.max() < 0.2
