"""The mapping from a face to the avatar's eyes, brows, mouth and head, and a person's neutral face."""

from __future__ import annotations

import pytest

from support.acting import FPS, after, face, warmed
from visavis.avatar.parameters import Animator

# Eyes


def blink(level: float) -> dict[str, float]:
    return {"eyeBlinkLeft": level, "eyeBlinkRight": level}


def test_a_blink_of_120_ms_survives() -> None:
    animator, time_s = warmed()
    lids = [
        animator.update(face(**blink(level)), None, time_s + i / FPS).as_dict()["ParamEyeLOpen"]
        for i, level in enumerate([0.1, 0.45, 0.65, 0.4, 0.1])
    ]
    assert lids[0] > 0.85
    assert min(lids) < 0.1
    assert lids[-1] > 0.85


def test_narrow_eyes_count_as_open_once_they_are_known() -> None:
    animator = Animator()
    for i in range(4 * FPS):
        pose = animator.update(face(**blink(0.35)), None, i / FPS)
    assert pose.as_dict()["ParamEyeLOpen"] > 0.85
    shut = animator.update(face(**blink(0.68)), None, 4.04).as_dict()
    assert shut["ParamEyeLOpen"] < 0.1


def test_eyes_that_differ_a_little_stay_linked() -> None:
    pose = after(eyeBlinkLeft=0.3, eyeBlinkRight=0.2)
    assert pose["ParamEyeLOpen"] == pytest.approx(pose["ParamEyeROpen"], abs=1e-3)


def test_a_smile_that_raises_raw_blink_does_not_shut_the_eyes() -> None:
    smile = {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9}
    pose = after(**smile, **blink(0.4))
    assert pose["ParamEyeLOpen"] > 0.6
    assert pose["ParamEyeLSmile"] > 0.7


def test_a_turned_head_takes_both_lids_from_the_near_eye() -> None:
    # Turned to the image's right, the person's left eye is far, and seen as shut.
    pose = after(yaw=0.6, eyeBlinkLeft=0.7)
    assert pose["ParamEyeLOpen"] > 0.85
    assert pose["ParamEyeROpen"] > 0.85


def test_wide_eyes_open_further_than_relaxed_ones() -> None:
    wide = after(eyeWideLeft=0.6, eyeWideRight=0.6)
    assert wide["ParamEyeLOpen"] > after()["ParamEyeLOpen"] + 0.05


# Brows and mouth


@pytest.mark.parametrize(
    ("channels", "parameter", "sign"),
    [
        ({"browOuterUpLeft": 0.6, "browInnerUp": 0.6}, "ParamBrowLY", 1),
        ({"browDownLeft": 0.6}, "ParamBrowLY", -1),
        ({"browDownLeft": 0.6}, "ParamBrowLAngle", -1),
        ({"browDownLeft": 0.6}, "ParamBrowLForm", -1),
        ({"browDownLeft": 0.6}, "ParamBrowLX", -1),
        ({"browInnerUp": 0.7}, "ParamBrowLAngle", 1),
        ({"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}, "ParamMouthForm", 1),
        ({"mouthFrownLeft": 0.8, "mouthFrownRight": 0.8}, "ParamMouthForm", -1),
        ({"jawOpen": 0.5}, "ParamMouthOpenY", 1),
        ({"cheekPuff": 0.9}, "ParamCheekPuff", 1),
        ({"mouthSmileLeft": 0.8}, "ParamMouthLForm", 1),
        ({"mouthSmileLeft": 0.8}, "ParamMouthRForm", -1),
        ({"mouthLeft": 0.6}, "ParamMouthX", 1),
        ({"mouthRight": 0.6}, "ParamMouthX", -1),
        ({"mouthPucker": 0.8}, "ParamMouthPuckerWiden", -1),
        ({"mouthStretchLeft": 0.5, "mouthStretchRight": 0.5}, "ParamMouthPuckerWiden", 1),
        ({"mouthFunnel": 0.6}, "ParamMouthFunnel", 1),
        ({"mouthShrugUpper": 0.5, "mouthShrugLower": 0.5}, "ParamMouthShrug", 1),
        ({"mouthUpperUpLeft": 0.5, "mouthUpperUpRight": 0.5}, "ParamMouthPressLipOpen", 1),
        ({"mouthRollLower": 0.5}, "ParamMouthPressLipOpen", -1),
        ({"jawOpen": 0.5}, "ParamJawOpen", 1),
        ({"jawLeft": 0.5}, "ParamJawX", 1),
        ({"noseSneerLeft": 0.6, "noseSneerRight": 0.6}, "ParamNoseSneer", 1),
        ({"tongueOut": 0.8}, "ParamTongueOut", 1),
    ],
)
def test_brows_and_mouth_move_the_right_way(channels: dict[str, float], parameter: str, sign: int) -> None:
    assert sign * (after(**channels)[parameter] - after()[parameter]) > 0.2


def test_a_rolled_in_mouth_with_a_dropped_jaw_stays_shut() -> None:
    assert after(jawOpen=0.4, mouthClose=0.4)["ParamMouthOpenY"] == 0.0


def test_raised_brows_at_rest_become_neutral() -> None:
    animator = Animator()
    raised = {"browInnerUp": 0.6, "browOuterUpLeft": 0.5, "browOuterUpRight": 0.5}
    first = animator.update(face(**raised), None, 0.0).as_dict()["ParamBrowLY"]
    for i in range(1, 3 * FPS):
        pose = animator.update(face(**raised), None, i / FPS)
    assert first > 0.3
    assert abs(pose.as_dict()["ParamBrowLY"]) < 0.1


# Calibration of the head


def test_a_camera_below_the_screen_is_allowed_for() -> None:
    animator = Animator()
    for i in range(15 * FPS):
        pose = animator.update(face(pitch=0.2), None, i / FPS)
    assert abs(pose.as_dict()["ParamAngleY"]) < 4


def test_a_head_that_turns_away_for_a_while_stays_turned() -> None:
    animator, time_s = warmed(seconds=5)
    first = animator.update(face(yaw=0.4), None, time_s).as_dict()["ParamAngleX"]
    for i in range(5 * FPS):
        pose = animator.update(face(yaw=0.4), None, time_s + i / FPS)
    assert pose.as_dict()["ParamAngleX"] > 0.85 * first


def test_calibrate_takes_the_last_face_for_neutral() -> None:
    animator = Animator()
    assert not animator.calibrate()
    odd = face(yaw=0.15, pitch=-0.2, roll=0.1, browInnerUp=0.5, eyeBlinkLeft=0.3, eyeBlinkRight=0.3)
    animator.update(odd, None, 0.0)
    assert animator.calibrate()
    pose = animator.update(odd, None, 0.04).as_dict()
    for name in ("ParamAngleX", "ParamAngleY", "ParamAngleZ"):
        assert abs(pose[name]) < 0.5, name
    assert abs(pose["ParamBrowLY"]) < 0.02
    assert pose["ParamEyeLOpen"] > 0.85
