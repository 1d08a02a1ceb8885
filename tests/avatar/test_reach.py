"""The range of a person's movements and the range of the avatar's."""

from __future__ import annotations

import itertools

import pytest

from support.acting import FPS
from support.people import BROWS_DOWN, BROWS_UP, OPEN, SHUT, SMILE, acting, lived, seen_face
from visavis.avatar.parameters import Animator
from visavis.avatar.reach import MOVEMENTS, REACHED, Reach
from visavis.channels import AVATAR_PARAMETERS

# What a movement of the whole range would be.
RANGES = {"ParamMouthForm": 1.0, "ParamBrowLY": 2.0, "ParamMouthOpenY": 1.0, "ParamEyeLOpen": 0.9}


def swept(share: float, begin_s: float, end_s: float) -> dict[str, float]:
    """Share of the avatar's range that a person fills between two times."""
    animator = Animator(mirror=False)
    seen: dict[str, list[float]] = {name: [] for name in RANGES}
    for time_s, one in lived(end_s, share):
        pose = animator.update(one.state, None, time_s, one).as_dict()
        for name, values in seen.items():
            if time_s >= begin_s:
                values.append(pose[name])
    seen["ParamMouthForm"].append(0.0)
    return {
        name: (max(values) - max(min(values), -1.0 if "Brow" in name else 0.0)) / RANGES[name]
        for name, values in seen.items()
    }


@pytest.mark.parametrize("share", [0.45, 1.3])
def test_a_quiet_and_a_lively_person_fill_the_range_within_a_minute(share: float) -> None:
    assert min(swept(share, 45, 60).values()) >= 0.6


def test_the_first_20_seconds_are_left_nearly_as_they_are() -> None:
    animator, plain = Animator(mirror=False), Reach()
    for time_s, one in lived(20, 0.45):
        animator.update(one.state, None, time_s, one)
    assert plain.gain("smile") == 1
    assert all(abs(animator._mapper._reach.gain(name) - 1) < 0.1 for name in MOVEMENTS)


@pytest.mark.slow
def test_a_still_face_stays_still_for_minutes() -> None:
    animator, fresh = Animator(mirror=False), Animator(mirror=False)
    late, early = [], []
    for time_s, one in lived(120, 0.0, noise=0.03):
        pose = animator.update(one.state, None, time_s, one).as_dict()
        first = fresh.update(one.state, None, time_s, one).as_dict()
        (late if time_s > 60 else early).append([pose["ParamMouthForm"], first["ParamBrowLY"]])
    assert max(map(max, late)) < 1.2 * max(map(max, early))
    assert all(animator._mapper._reach.gain(name) == 1 for name in MOVEMENTS)


def test_noise_of_a_quiet_person_is_not_blown_up() -> None:
    reach = Reach()
    reach.set(dict.fromkeys(MOVEMENTS, 0.4))
    rest = {name: rest for name, (_, _, rest) in AVATAR_PARAMETERS.items()}
    assert reach.fit(rest | {"ParamMouthForm": 0.05}, 0)["ParamMouthForm"] < 0.055
    assert reach.fit(rest | {"ParamMouthForm": 0.44}, 0)["ParamMouthForm"] == pytest.approx(0.44 * 1.8)


def test_gains_are_continuous_and_keep_their_order_and_sign() -> None:
    for level in (0.2, 0.8, 3.0):
        reach = Reach()
        reach.set(dict.fromkeys(MOVEMENTS, level))
        rest = {name: rest for name, (_, _, rest) in AVATAR_PARAMETERS.items()}
        heights = [
            reach.fit(rest | {"ParamBrowLY": x / 200, "ParamBrowRY": x / 200}, 0)["ParamBrowLY"]
            for x in range(-200, 201)
        ]
        steps = [b - a for a, b in itertools.pairwise(heights)]
        assert 0 < min(steps) <= max(steps) < 0.02
        assert heights[200] == 0


def test_one_wrong_frame_hardly_counts() -> None:
    animator = Animator(mirror=False)
    for i in range(60 * FPS):
        one = acting(SMILE | BROWS_UP | OPEN, 1.5) if i == 1000 else seen_face()
        animator.update(one.state, None, i / FPS, one)
    gains = [animator._mapper._reach.gain(name) for name in MOVEMENTS]
    assert gains == pytest.approx([1] * len(gains), abs=0.1)


def test_who_looks_down_for_long_does_not_get_drowsy() -> None:
    animator = Animator(mirror=False)
    lids = []
    for i in range(60 * FPS):
        down = i % (4 * FPS) > 1.5 * FPS
        one = acting({"lidLeft": -0.35, "lidRight": -0.35}, 1.0 if down else 0.0)
        if i % (3 * FPS) < 4:
            one = acting(SHUT, 1.0)
        pose = animator.update(one.state, None, i / FPS, one).as_dict()
        if down and i % (3 * FPS) > FPS:
            lids.append(pose["ParamEyeLOpen"])
    assert min(lids[-50:]) > 0.75 * min(lids[:50])


def test_a_listeners_own_face_is_left_alone() -> None:
    animator, plain = Animator(mirror=False), Animator(mirror=False)
    animator._mapper._reach.set(dict.fromkeys(MOVEMENTS, 0.3))
    for i in range(10):
        state = acting(SMILE | BROWS_DOWN, 0.5).state
        pose = animator.update(state, None, i / FPS)
        assert pose.as_dict() == plain.update(state, None, i / FPS).as_dict()
    assert REACHED == 0.8
