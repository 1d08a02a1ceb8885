"""Landmarks of a face in, what is seen of it out: free of the head's turn, relative to the person's rest."""

from __future__ import annotations

import numpy as np
import pytest

from acting import FPS, face
from visavis.avatar.measures import DEPTHS, LEFT_BROW, MEASURES, measure
from visavis.avatar.seen import Watcher
from visavis.channels import FACE_INDEX
from visavis.face.geometry import rotation_from_euler
from visavis.types import Face, FaceState

# x to the image's right and y upward from between the outer eye corners, in distances between them.
USUAL = {
    33: (-0.5, 0),
    263: (0.5, 0),
    133: (-0.2, -0.015),
    362: (0.2, -0.015),
    61: (-0.285, -0.76),
    291: (0.285, -0.76),
}
USUAL |= {
    13: (0, -0.72),
    14: (0, -0.73),
    159: (-0.36, 0.06),
    145: (-0.36, -0.04),
    386: (0.36, 0.06),
    374: (0.36, -0.04),
}
USUAL |= {468: (-0.35, 0.0125), 473: (0.35, 0.0125), 63: (-0.57, 0.28), 105: (-0.48, 0.28), 66: (-0.34, 0.28)}
USUAL |= {107: (-0.17, 0.28), 293: (0.57, 0.28), 334: (0.48, 0.28), 296: (0.34, 0.28), 336: (0.17, 0.28)}
MOUTH = (61, 291, 13, 14)


def seen_face(
    yaw: float = 0, pitch: float = 0, roll: float = 0, size_px: float = 100, **moves: object
) -> Face:
    """A face whose points stand as usual, but for ``p61=(dx, dy)``, turned in space."""
    front = np.asarray([(*USUAL[n], depth) for n, depth in DEPTHS.items()], np.float64)
    for row, number in enumerate(DEPTHS):
        front[row, :2] += np.asarray(moves.get(f"p{number}", (0, 0)), np.float64)
    turned = front @ rotation_from_euler(yaw, pitch, roll).T.astype(np.float64)
    xy = np.asarray(turned[:, :2] * (size_px, -size_px) + (320, 240), np.float32)
    state = face().values.copy()
    for name, angle in (("yaw", yaw), ("pitch", pitch), ("roll", roll)):
        state[FACE_INDEX[name]] = angle
    for name, value in moves.items():
        if name in FACE_INDEX:
            state[FACE_INDEX[name]] = value
    box = np.asarray([200, 100, 440, 400], np.float32)
    corners = np.asarray([[200, 100], [440, 100], [440, 340], [200, 340]], np.float32)
    numbers = np.asarray(list(DEPTHS), np.int32)
    return Face(0, 1.0, box, xy, corners, FaceState(state), landmark_numbers=numbers)


def values(face: Face) -> dict[str, float]:
    found = measure(face)
    assert found is not None
    return dict(zip(MEASURES, found.tolist(), strict=True))


@pytest.mark.parametrize(
    "turn", [{}, {"yaw": 0.5}, {"yaw": -0.4, "pitch": 0.3}, {"roll": 0.6}, {"size_px": 31}]
)
def test_a_turned_or_small_face_measures_as_from_the_front(turn: dict[str, float]) -> None:
    assert values(seen_face(**turn)) == pytest.approx(dict.fromkeys(MEASURES, 0.0), abs=0.01)


def test_each_part_moves_its_own_measure() -> None:
    raised = values(seen_face(yaw=0.3, **{f"p{n}": (0, 0.05) for n in LEFT_BROW}))
    assert raised.pop("browLeft") == pytest.approx(0.5, abs=0.01)
    assert raised == pytest.approx(dict.fromkeys(raised, 0.0), abs=0.01)
    corner = values(seen_face(p291=(0, 0.06)))
    assert corner["mouthCornerLeft"] == pytest.approx(0.5, abs=0.01)
    assert corner["mouthCornerRight"] == pytest.approx(0, abs=0.01)
    aside = values(seen_face(**{f"p{n}": (0.06, 0) for n in MOUTH}))
    assert aside["mouthAside"] == pytest.approx(0.5, abs=0.01)
    assert aside["mouthWidth"] == pytest.approx(0, abs=0.01)
    shut = values(seen_face(p159=(0, -0.1)))
    assert shut["lidRight"] == pytest.approx(-1, abs=0.01)
    assert shut["lidLeft"] == pytest.approx(0, abs=0.01)


def test_other_landmarks_and_faces_in_profile_are_not_measured() -> None:
    whole = seen_face()
    assert measure(Face(0, 1.0, whole.box_xyxy, whole.landmarks_xy, whole.corners_xy, whole.state)) is None
    assert measure(seen_face(yaw=1.4)) is None


def test_a_face_of_unusual_shape_is_at_rest_once_it_is_known() -> None:
    watcher = Watcher()
    low = {"p61": (0.03, -0.08), "p291": (-0.03, -0.08), **{f"p{n}": (0, 0.04) for n in LEFT_BROW}}
    for i in range(2 * FPS):
        rest = watcher.update(seen_face(**low), i / FPS)
    assert rest is not None
    assert rest == pytest.approx((0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0), abs=0.02)


def test_a_smile_that_lasts_does_not_become_the_rest() -> None:
    watcher = Watcher()
    smile = {"p61": (-0.04, 0.12), "p291": (0.04, 0.12), "mouthSmileLeft": 0.9, "mouthSmileRight": 0.9}
    for i in range(20 * FPS):
        seen = watcher.update(seen_face(**smile), i / FPS)
    assert seen is not None
    assert seen.corner_left > 0.15
    assert seen.width > 0.08


def test_lids_go_from_open_to_shut() -> None:
    watcher = Watcher()
    for i in range(2 * FPS):
        watcher.update(seen_face(), i / FPS)
    lids = []
    for i in range(8):  # A wink of the person's right eye: its gap falls from 0.1 to 0.01.
        seen = watcher.update(seen_face(p159=(0, -0.09 * min(i / 3, 1))), 2 + i / FPS)
        assert seen is not None
        lids.append(seen.lid_right)
        assert seen.lid_left == pytest.approx(1, abs=0.02)
    assert lids[0] == pytest.approx(1, abs=0.02)
    assert lids[-1] < 0.1
