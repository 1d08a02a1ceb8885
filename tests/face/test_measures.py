"""Measures of a face from its landmarks, independent of the head's turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from support.front_faces import NUMBERS, landmarks
from visavis.capture.portrait import PortraitClip
from visavis.channels import FACE_MEASURES
from visavis.face.measures import BROWS, MeasureFilter, measure_face
from visavis.face.tracker import open_tracker


def seen(moves: dict[int, tuple[float, float]] | None = None, *turn: float, size_px: float = 200.0) -> Any:
    """Measures less those of the same face straight and at rest, in units of their reach."""
    shifts = {number: np.asarray([xy]) for number, xy in (moves or {}).items()}
    points = landmarks(shifts, np.asarray([turn or (0.0, 0.0, 0.0)]), size_px)[0]
    rest = measure_face(landmarks({}, np.zeros((1, 3)))[0], NUMBERS)
    found = measure_face(points, NUMBERS)
    reach = [reach for _, reach in FACE_MEASURES.values()]
    return dict(zip(FACE_MEASURES, ((found - rest) / reach).tolist(), strict=True))


STILL = dict.fromkeys(FACE_MEASURES, 0.0)


@pytest.mark.parametrize("turn", [(0.5, 0, 0), (-0.4, 0.3, 0), (0, 0, 0.6), (0, -0.3, 0.2)])
def test_a_turned_face_measures_as_from_the_front(turn: tuple[float, ...]) -> None:
    assert seen({}, *turn) == pytest.approx(STILL, abs=0.02)


def test_a_small_face_measures_as_a_large_one() -> None:
    assert seen(size_px=31.0) == pytest.approx(STILL, abs=0.01)


def test_each_part_moves_its_own_measure() -> None:
    raised = seen(dict.fromkeys(BROWS[1], (0, 0.05)), 0.3, 0, 0)
    assert raised.pop("browLeft") == pytest.approx(0.5, abs=0.02)
    assert raised == pytest.approx(dict.fromkeys(raised, 0.0), abs=0.02)
    corner = seen({291: (0, 0.06)})
    assert corner["mouthCornerLeft"] == pytest.approx(0.5, abs=0.01)
    assert corner["mouthCornerRight"] == pytest.approx(0, abs=0.01)
    aside = seen(dict.fromkeys((61, 291, 13, 14), (0.06, 0)))
    assert aside["mouthAside"] == pytest.approx(0.5, abs=0.01)
    assert aside["mouthWidth"] == pytest.approx(0, abs=0.01)
    shut = seen({159: (0, -0.1)})
    assert shut["lidRight"] == pytest.approx(-1, abs=0.01)
    assert shut["lidLeft"] == pytest.approx(0, abs=0.01)


def test_other_landmarks_and_faces_in_profile_are_not_measured() -> None:
    points = landmarks({}, np.zeros((1, 3)))[0]
    assert len(measure_face(points[1:], NUMBERS[1:])) == len(FACE_MEASURES)
    kept = NUMBERS != 61
    assert len(measure_face(points[kept], NUMBERS[kept])) == 0
    assert len(measure_face(points, np.zeros(0, np.int32))) == 0
    assert len(measure_face(landmarks({}, np.asarray([[np.pi / 2, 0, 0]]))[0], NUMBERS)) == 0
    assert len(measure_face(np.zeros_like(points), NUMBERS)) == 0


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
    face = open_tracker("visavis", 1).update(next(iter(PortraitClip())))[0]
    found = dict(zip(FACE_MEASURES, face.measures.tolist(), strict=True))
    for name, (usual, reach) in FACE_MEASURES.items():
        assert abs(found[name] - usual) < 2 * reach, name
