from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from visavis.pipeline import Sighting
from visavis.recording.seams import AGREE_S, SameNumbers, Seam, alike
from visavis.testing import ScriptedTracker
from visavis.types import Face, Faces, FaceState, Frame

IMAGE = np.zeros((48, 64, 3), np.uint8)
(FACE,) = ScriptedTracker().update(Frame(IMAGE, 0.0))


def seen(time_s: float, *faces: Face) -> Sighting:
    return Sighting(time_s, Faces(faces or (FACE,)), {})


def moved(by: float) -> Face:
    values = FACE.state.values.copy()
    values[3] += by
    return replace(FACE, state=FaceState(values))


@pytest.mark.parametrize(
    "other",
    [
        seen(0.04),
        Sighting(0.0, Faces(), {}),
        seen(0.0, FACE, FACE),
        seen(0.0, moved(0.01)),
        seen(0.0, replace(FACE, label="sad")),
        seen(0.0, replace(FACE, landmarks_xy=FACE.landmarks_xy + 0.1)),
    ],
    ids=["time", "no face", "another face", "weights", "label", "landmarks"],
)
def test_readings_agree_only_if_all_of_them_does(other: Sighting) -> None:
    assert alike(seen(0.0), seen(0.0, moved(1e-5)))
    assert not alike(seen(0.0), other)


@pytest.mark.parametrize("differ", [0, 12, 30])
def test_parts_are_joined_after_they_have_agreed_for_a_while_and_not_before_the_later_one_starts(
    differ: int,
) -> None:
    times_s = [index / 25 for index in range(60)]
    later = deque(seen(time_s, moved(0.5 * (index < differ))) for index, time_s in enumerate(times_s))
    seam = Seam(0.6, later)
    joined_s = next(time_s for time_s in times_s if seam.joins(seen(time_s)))
    assert joined_s == pytest.approx(max(0.6, differ / 25 + AGREE_S), abs=0.05)
    assert later[0].time_s == joined_s


def test_a_seam_waits_for_readings_that_are_still_to_come() -> None:
    later = deque([seen(4.0)])
    seam = Seam(5.0, later)
    assert not seam.waits_for(seen(3.0))
    assert seam.waits_for(seen(4.5))
    later.append(seen(4.5))
    assert not seam.waits_for(seen(4.5))


def test_people_keep_their_numbers_across_a_seam_and_new_ones_get_new_numbers() -> None:
    numbers = SameNumbers()

    def told(*track_ids: int) -> list[int]:
        faces = (replace(FACE, track_id=number) for number in track_ids)
        return [face.track_id for face in numbers.of(seen(0.0, *faces)).faces]

    assert [told(0), told(2, 0)] == [[0], [2, 0]]
    later = seen(0.0, *(replace(FACE, track_id=number) for number in (1, 0)))
    numbers.follow(numbers.of(seen(0.0, replace(FACE, track_id=2), FACE)), later)
    rows = [told(1, 0), told(1), told(4, 1)]
    assert rows == [[2, 0], [2], [3, 2]]
    assert all(set(a) & set(b) for a, b in pairwise(rows))
