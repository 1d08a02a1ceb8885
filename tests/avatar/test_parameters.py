"""Avatar parameters from a face: sides, the body, and easing when a face is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.acting import FPS, after, face, feeling, flipped, warmed
from support.people import acting
from visavis.avatar.idle import breath
from visavis.avatar.parameters import Animator
from visavis.channels import AVATAR_PARAMETERS
from visavis.errors import InputError
from visavis.types import AvatarPose, Expression, FaceState

states = st.builds(
    lambda weights, head, place: FaceState(np.asarray([*weights, *head, *place], np.float32)),
    st.lists(st.floats(0, 1, width=32), min_size=52, max_size=52),
    st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3),
    st.lists(st.floats(-60, 60, width=32), min_size=3, max_size=3),
)


# Laws


@settings(max_examples=40, deadline=None)
@given(sequence=st.lists(st.none() | states, min_size=1, max_size=6))
def test_mirroring_the_avatar_equals_mirroring_the_person_and_then_the_picture(
    sequence: list[FaceState | None],
) -> None:
    # Two mirrors cancel: a mirrored avatar of the flipped person is the plain avatar of the person.
    plain, mirror = Animator(mirror=False), Animator(mirror=True)
    for i, state in enumerate(sequence):
        one = plain.update(state, None, i / FPS).values
        two = mirror.update(None if state is None else flipped(state), None, i / FPS).values
        np.testing.assert_allclose(one, two, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(sequence=st.lists(st.none() | states, min_size=1, max_size=8))
def test_every_pose_is_in_range_and_repeats_after_a_reset(sequence: list[FaceState | None]) -> None:
    animator = Animator(seed=5)

    def play() -> list[AvatarPose]:
        return [animator.update(s, feeling("anger"), 0.3 * i) for i, s in enumerate(sequence)]

    first = play()
    animator.reset()
    for one, two in zip(first, play(), strict=True):
        np.testing.assert_array_equal(one.values, two.values)
        for (name, (low, high, _)), value in zip(AVATAR_PARAMETERS.items(), one.values, strict=True):
            assert low <= value <= high, name


# Sides


@pytest.mark.parametrize(
    ("channel", "value", "parameter"), [("yaw", 0.3, "ParamAngleX"), ("roll", 0.3, "ParamAngleZ")]
)
def test_the_mirrored_avatar_turns_to_the_other_side_of_the_screen(
    channel: str, value: float, parameter: str
) -> None:
    assert after(mirror=False, **{channel: value})[parameter] > 10
    assert after(mirror=True, **{channel: value})[parameter] < -10
    assert after(mirror=False, pitch=0.3)["ParamAngleY"] > 10
    assert after(mirror=True, pitch=0.3)["ParamAngleY"] > 10


def test_a_wink_of_the_persons_left_eye_shuts_the_eye_on_the_same_side_of_the_picture() -> None:
    plain = after(mirror=False, eyeBlinkLeft=0.7)
    assert plain["ParamEyeLOpen"] < 0.1
    assert plain["ParamEyeROpen"] > 0.8
    mirror = after(mirror=True, eyeBlinkLeft=0.7)
    assert mirror["ParamEyeROpen"] < 0.1
    assert mirror["ParamEyeLOpen"] > 0.8


def test_gaze_goes_where_the_eyes_look_on_the_picture() -> None:
    to_own_left = {"eyeLookOutLeft": 0.6, "eyeLookInRight": 0.6}  # the image's right
    assert after(mirror=False, **to_own_left)["ParamEyeBallX"] > 0.5
    assert after(mirror=True, **to_own_left)["ParamEyeBallX"] < -0.5
    assert after(eyeLookUpLeft=0.6, eyeLookUpRight=0.6)["ParamEyeBallY"] > 0.5
    assert after(eyeLookDownLeft=0.8, eyeLookDownRight=0.8)["ParamEyeBallY"] < -0.5


# Body


def test_the_body_follows_the_head_later_and_less() -> None:
    animator, time_s = warmed()
    angles = [animator.update(face(yaw=0.4), None, time_s + i / FPS).as_dict() for i in range(FPS)]
    body = [a["ParamBodyAngleX"] for a in angles]
    assert abs(body[0]) < 1.5
    assert 5 < body[-1] < angles[-1]["ParamAngleX"] / 2
    assert (np.diff(body) >= -0.05).all()


def test_the_body_leans_where_the_head_shifts() -> None:
    animator, time_s = warmed()
    for i in range(FPS):
        pose = animator.update(face(x=8.0), None, time_s + i / FPS)
    assert pose.as_dict()["ParamBodyAngleZ"] > 1.5


# Faces lost and found


def turned(i: int) -> FaceState:
    return face(yaw=0.45 + 0.01 * np.sin(i), pitch=-0.2, jawOpen=0.5, mouthSmileLeft=0.8)


def test_a_lost_face_eases_to_idle_and_a_found_one_back_without_a_snap() -> None:
    animator, time_s = warmed()
    lost, found = 2 * FPS, 4 * FPS
    poses = [
        animator.update(None if lost <= i < found else turned(i), None, time_s + i / FPS).as_dict()
        for i in range(6 * FPS)
    ]
    angle = np.asarray([p["ParamAngleX"] for p in poses])
    mouth = np.asarray([p["ParamMouthOpenY"] for p in poses])
    for signal, reach in ((angle[1:], 60.0), (mouth[1:], 1.0)):
        assert np.abs(np.diff(signal)).max() < 0.13 * reach
    assert mouth[lost] > 0.6  # not dropped at once
    half_a_second = lost + FPS // 2 + 1
    assert mouth[half_a_second] == 0.0
    assert abs(angle[half_a_second]) < 8
    assert angle[-1] > 25
    assert mouth[-1] > 0.6
    assert np.std(angle[half_a_second:found]) > 0.05  # idle, not frozen


def test_one_missed_frame_is_hardly_seen() -> None:
    animator, time_s = warmed()
    values = [
        animator.update(None if i == FPS else turned(i), None, time_s + i / FPS).as_dict()["ParamAngleX"]
        for i in range(2 * FPS)
    ]
    assert np.abs(np.diff(values[1:])).max() < 2.0


def test_breath_goes_on_with_and_without_a_face() -> None:
    animator = Animator()
    for i, state in enumerate([None, face(), None, face()]):
        pose = animator.update(state, None, i * 0.7)
        assert pose.as_dict()["ParamBreath"] == pytest.approx(breath(i * 0.7), abs=1e-6)


def test_who_acts_nods_half_as_far_again_and_moves_nothing_else_farther() -> None:
    plain, acting = Animator(), Animator(acting=True)
    for number, angle in enumerate((0.0, -0.1, -0.1, 0.05)):
        state = face(pitch=angle, yaw=0.2)
        one, two = (each.update(state, None, number / FPS).as_dict() for each in (plain, acting))
        assert two["ParamAngleY"] == pytest.approx(1.5 * one["ParamAngleY"], abs=1e-4)
        assert abs(one["ParamAngleY"]) > 3 or angle == 0
        for name in one.keys() - {"ParamAngleY", "ParamBodyAngleY"}:
            assert two[name] == one[name], name
    acting.acting = False
    assert acting.update(state, None, 1.0).as_dict()["ParamAngleY"] < two["ParamAngleY"]


def test_a_chosen_expression_is_shown_fully_also_on_a_measured_face() -> None:
    face = acting({}, 0.0)
    poses = {}
    for chosen in (None, "disgust"):
        animator = Animator()
        animator.chosen = None if chosen is None else Expression.of_label(chosen)
        for frame in range(40):
            pose = animator.update(face.state, None, frame / 25, face)
        poses[chosen] = pose.as_dict()["ParamNoseSneer"]
    assert poses[None] < 0.05
    assert poses["disgust"] > 0.9
    # A listener shows only its own expressions.
    animator.acting = True
    for frame in range(40, 90):
        pose = animator.update(face.state, None, frame / 25, face)
    assert pose.as_dict()["ParamNoseSneer"] < 0.05


def test_no_such_expression() -> None:
    with pytest.raises(InputError, match="'joy'; there are neutral, happy"):
        Expression.of_label("joy")
