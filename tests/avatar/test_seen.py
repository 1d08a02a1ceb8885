"""Measures of a face relative to the person's face at rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.acting import FPS
from support.people import seen_face
from visavis.avatar.idle import RELAXED_OPEN
from visavis.avatar.mapping import FaceMapper
from visavis.avatar.seen import Seen, VisibleParts, Watcher
from visavis.types import Face

REST = Seen(0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0)


def test_a_face_of_unusual_shape_is_at_rest_once_it_is_known() -> None:
    watcher = Watcher()
    low = {"mouthWidth": -0.3, "mouthCornerLeft": -0.7, "mouthCornerRight": -0.7, "browLeft": 0.4}
    for i in range(2 * FPS):
        rest = watcher.update(seen_face(**low), i / FPS)
    assert rest == pytest.approx(REST, abs=0.02)


def test_a_smile_that_lasts_does_not_become_the_rest() -> None:
    watcher = Watcher()
    smile = {"mouthWidth": 0.4, "mouthCornerLeft": 1, "mouthCornerRight": 1}
    smile |= {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9}
    for i in range(20 * FPS):
        seen = watcher.update(seen_face(**smile), i / FPS)
    assert seen.corner_left > 0.15
    assert seen.width > 0.08


def test_lids_go_from_open_to_shut() -> None:
    watcher = Watcher()
    for i in range(2 * FPS):
        watcher.update(seen_face(), i / FPS)
    lids = []
    for i in range(8):  # A wink: the gap falls from 0.1 to 0.01.
        seen = watcher.update(seen_face(lidRight=-0.9 * min(i / 3, 1)), 2 + i / FPS)
        lids.append(seen.lid_right)
        assert seen.lid_left == pytest.approx(1, abs=0.02)
    assert lids[0] == pytest.approx(1, abs=0.02)
    assert lids[-1] < 0.1


def test_a_face_without_measures_is_not_seen() -> None:
    blind = seen_face()
    assert (
        Watcher().update(Face(0, 1.0, blind.box_xyxy, blind.corners_xy, blind.corners_xy, blind.state), 0)
        is None
    )


def test_a_blink_that_is_seen_unevenly_shuts_both_eyes_and_a_wink_one() -> None:
    mapper = FaceMapper()
    for i in range(2 * FPS):
        rest = seen_face()
        mapper.update(rest.state, i / FPS, rest)
    blink = seen_face(lidLeft=-0.9, lidRight=-0.55)
    shut = mapper.update(blink.state, 2.0, blink)
    assert shut["ParamEyeROpen"] == pytest.approx(shut["ParamEyeLOpen"], abs=0.05)
    wink = seen_face(lidLeft=-0.9)
    shut = mapper.update(wink.state, 2.04, wink)
    assert shut["ParamEyeLOpen"] < 0.15
    assert shut["ParamEyeROpen"] > 0.8


@pytest.mark.parametrize(("reliability", "shown"), [(1.0, 0.8), (0.325, 0.4), (0.1, 0.0)])
def test_a_weight_that_is_not_reliable_fades_out(reliability: float, shown: float) -> None:
    puffed = seen_face(reliability, cheekPuff=0.8)
    assert FaceMapper().update(puffed.state, 0.0, puffed)["ParamCheekPuff"] == pytest.approx(shown, abs=0.02)


def shown(visible: tuple[float, float, float], parameters: dict[str, float]) -> dict[str, float]:
    """What remains of parameters one second after the parts became as visible as that."""
    parts = VisibleParts()
    face = replace(seen_face(), visible=np.asarray(visible, np.float32))
    for time_s in (0.0, 1.0):
        parts.update(face, time_s)
    return parts.fade(parameters)


def test_hidden_parts_rest_and_a_hidden_eye_does_as_the_other() -> None:
    moved = {
        "ParamAngleX": 20.0,
        "ParamMouthOpenY": 0.8,
        "ParamEyeBallX": 0.5,
        "ParamBrowLY": 0.6,
        "ParamBrowRY": 0.6,
        "ParamEyeLOpen": 0.1,
        "ParamEyeROpen": 0.7,
    }
    assert shown((1, 1, 1), moved) == moved
    no_mouth = shown((1, 1, 0), moved)
    assert no_mouth.pop("ParamMouthOpenY") == pytest.approx(0, abs=0.01)
    assert no_mouth == pytest.approx({n: v for n, v in moved.items() if n != "ParamMouthOpenY"})
    no_left = shown((1, 0, 1), moved)
    assert no_left["ParamEyeLOpen"] == pytest.approx(0.7, abs=0.01)
    assert (no_left["ParamBrowLY"], no_left["ParamBrowRY"]) == (pytest.approx(0, abs=0.01), 0.6)
    assert no_left["ParamEyeBallX"] == pytest.approx(0.5)
    glasses = shown((0, 0, 1), moved)
    assert glasses["ParamEyeLOpen"] == glasses["ParamEyeROpen"] == pytest.approx(RELAXED_OPEN, abs=0.01)


def test_a_hidden_part_teaches_no_rest_and_the_others_do() -> None:
    watcher = Watcher()
    for i in range(3 * FPS):
        watcher.update(seen_face(), i / FPS)
    before, _ = watcher.learned
    masked = replace(seen_face(mouthWidth=-1.0, browLeft=0.4), visible=np.asarray([1, 1, 0.2], np.float32))
    for i in range(40 * FPS):
        watcher.update(masked, 3 + i / FPS)
    after, _ = watcher.learned
    assert after["mouthWidth"] == pytest.approx(before["mouthWidth"])
    assert after["browLeft"] > before["browLeft"]
    assert after["browRight"] == pytest.approx(before["browRight"])
