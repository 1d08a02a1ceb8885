"""Landmarks of a face in, what is seen of it out: free of the head's turn."""

from __future__ import annotations

from importlib import resources
from typing import Any

import cv2
import numpy as np
import pytest

from visavis.channels import FACE_MEASURES
from visavis.face.geometry import rotation_from_euler
from visavis.face.measures import DEPTHS, LEFT_BROW, MeasureFilter, measure
from visavis.face.tracker import open_tracker
from visavis.types import FloatArray, Frame, NumberArray

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


def landmarks(
    yaw: float = 0, pitch: float = 0, roll: float = 0, size_px: float = 100, **moves: tuple[float, float]
) -> tuple[FloatArray, NumberArray, FloatArray]:
    """A usual face, turned: landmarks, their numbers, head angles; ``p61=(dx, dy)`` moves a point first."""
    front = np.asarray([(*USUAL[n], depth) for n, depth in DEPTHS.items()], np.float64)
    for row, number in enumerate(DEPTHS):
        front[row, :2] += np.asarray(moves.get(f"p{number}", (0, 0)), np.float64)
    turned = front @ rotation_from_euler(yaw, pitch, roll).T.astype(np.float64)
    xy = np.asarray(turned[:, :2] * (size_px, -size_px) + (320, 240), np.float32)
    return xy, np.asarray(list(DEPTHS), np.int32), np.asarray([yaw, pitch, roll], np.float32)


def values(*face: Any) -> dict[str, float]:
    """Measures less the usual ones, in units of their reach."""
    found = dict(zip(FACE_MEASURES, measure(*face).tolist(), strict=True))
    return {name: (found[name] - usual) / reach for name, (usual, reach) in FACE_MEASURES.items()}


@pytest.mark.parametrize(
    "turn", [{}, {"yaw": 0.5}, {"yaw": -0.4, "pitch": 0.3}, {"roll": 0.6}, {"size_px": 31}]
)
def test_a_turned_or_small_face_measures_as_from_the_front(turn: dict[str, float]) -> None:
    assert values(*landmarks(**turn)) == pytest.approx(dict.fromkeys(FACE_MEASURES, 0.0), abs=0.01)


def test_each_part_moves_its_own_measure() -> None:
    raised = values(*landmarks(yaw=0.3, **{f"p{n}": (0, 0.05) for n in LEFT_BROW}))
    assert raised.pop("browLeft") == pytest.approx(0.5, abs=0.01)
    assert raised == pytest.approx(dict.fromkeys(raised, 0.0), abs=0.01)
    corner = values(*landmarks(p291=(0, 0.06)))
    assert corner["mouthCornerLeft"] == pytest.approx(0.5, abs=0.01)
    assert corner["mouthCornerRight"] == pytest.approx(0, abs=0.01)
    aside = values(*landmarks(**{f"p{n}": (0.06, 0) for n in MOUTH}))
    assert aside["mouthAside"] == pytest.approx(0.5, abs=0.01)
    assert aside["mouthWidth"] == pytest.approx(0, abs=0.01)
    shut = values(*landmarks(p159=(0, -0.1)))
    assert shut["lidRight"] == pytest.approx(-1, abs=0.01)
    assert shut["lidLeft"] == pytest.approx(0, abs=0.01)


def test_other_landmarks_and_faces_in_profile_are_not_measured() -> None:
    points, numbers, angles = landmarks()
    assert len(measure(points[1:], numbers[1:], angles)) == 0
    assert len(measure(points, np.zeros(0, np.int32), angles)) == 0
    assert len(measure(*landmarks(yaw=1.4))) == 0


def test_the_filter_calms_a_still_face_and_keeps_a_blink() -> None:
    calming, rng = MeasureFilter(), np.random.default_rng(0)
    usual = np.asarray([usual for usual, _ in FACE_MEASURES.values()], np.float32)
    reach = np.asarray([reach for _, reach in FACE_MEASURES.values()], np.float32)
    noisy = [usual + 0.03 * reach * rng.normal(size=len(usual)).astype(np.float32) for _ in range(100)]
    calm = np.stack([calming.update(values, i / 25) for i, values in enumerate(noisy)])
    assert (calm[20:].std(axis=0) < 0.75 * np.stack(noisy)[20:].std(axis=0)).all()
    lid = list(FACE_MEASURES).index("lidLeft")
    shut = usual.copy()
    shut[lid] = 0.01
    lids = [float(calming.update(shut if i < 3 else usual, 4 + i / 25)[lid]) for i in range(8)]
    assert min(lids) < 0.02
    assert lids[-1] > 0.09


def test_a_tracked_face_is_measured() -> None:
    image = cv2.imread(str(resources.files("visavis") / "assets" / "portrait.jpg"))[:, :, ::-1]
    face = open_tracker("visavis", 1).update(Frame(np.ascontiguousarray(image), 0.0))[0]
    found = dict(zip(FACE_MEASURES, face.measures.tolist(), strict=True))
    for name, (usual, reach) in FACE_MEASURES.items():
        assert abs(found[name] - usual) < 2 * reach, name
