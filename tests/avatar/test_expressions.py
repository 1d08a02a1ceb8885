"""The avatar's emotional expressions: held, blended, and without effect on the tracked eyes and mouth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.acting import FPS, face, feeling, warmed
from visavis.avatar.expressions import LOOKS, added, worn, write_expressions
from visavis.avatar.parameters import Animator
from visavis.channels import AVATAR_PARAMETERS, EXPRESSIONS
from visavis.motion.exp3 import read_exp3
from visavis.types import AvatarPose


@pytest.mark.parametrize("label", EXPRESSIONS[1:])
def test_an_expression_is_worn_in_full_by_a_face_at_rest(label: str) -> None:
    animator = Animator()
    for i in range(FPS):
        shown = animator.update(face(), feeling(label), i / FPS).as_dict()
    assert animator.expression == label
    for name, value in worn(label).items():
        if "Angle" not in name or "Brow" in name:
            assert shown[name] == pytest.approx(value, abs=0.16), name


@pytest.mark.parametrize("label", EXPRESSIONS[1:])
def test_an_expression_holds_back_neither_a_blink_nor_an_open_mouth(label: str) -> None:
    animator = Animator()
    channels = {"eyeBlinkLeft": 0.9, "eyeBlinkRight": 0.9, "jawOpen": 0.9}
    for i in range(2 * FPS):
        animator.update(face(), feeling(label), i / FPS)
    shown = animator.update(face(**channels), feeling(label), 2.0).as_dict()
    assert shown["ParamEyeLOpen"] == shown["ParamEyeROpen"] == 0
    assert shown["ParamMouthOpenY"] == 1


def test_an_expression_adds_what_the_range_leaves_room_for() -> None:
    assert added("ParamMouthForm", 0.0, 0.8) == pytest.approx(0.8)
    assert added("ParamMouthForm", 0.5, 0.8) == pytest.approx(0.9)
    assert added("ParamMouthForm", 1.0, 0.8) == pytest.approx(1.0)
    assert added("ParamMouthForm", -0.5, -0.8) == pytest.approx(-0.9)
    assert added("ParamMouthForm", 0.4, -0.8) == pytest.approx(-0.4)
    assert added("ParamEyeLOpen", 0.0, 0.1) == 0.0
    assert added("ParamEyeLOpen", 0.9, -0.5) == pytest.approx(0.45)


def test_looks_name_only_known_parameters_within_range_and_differ_from_each_other() -> None:
    assert set(LOOKS) == set(EXPRESSIONS)
    poses = [AvatarPose.from_mapping(worn(label), 0.0) for label in EXPRESSIONS]
    for label, pose in zip(EXPRESSIONS, poses, strict=True):
        assert all(abs(pose.as_dict()[n] - v) < 1e-6 for n, v in worn(label).items())
    for i, one in enumerate(poses):
        assert all(np.abs(one.values - two.values).max() > 0.3 for two in poses[:i])


def test_a_short_flash_of_an_expression_is_held_for_a_second() -> None:
    animator, time_s = warmed()
    labels = []
    for i in range(2 * FPS):
        read = feeling("happy") if i < 3 else feeling("neutral")
        animator.update(face(), read, time_s + i / FPS)
        labels.append(animator.expression)
    assert 0.98 <= labels.count("happy") / FPS <= 1.08
    assert labels[-1] == "neutral"


def test_a_probability_around_the_threshold_does_not_flicker() -> None:
    animator = Animator()
    labels = []
    for i in range(10 * FPS):
        animator.update(face(), feeling("sad", 0.45 + 0.1 * (-1) ** i), i / FPS)
        labels.append(animator.expression)
    assert labels == ["sad"] * (10 * FPS)


def test_expressions_blend_in_and_out_without_a_jump() -> None:
    animator = Animator()
    cheek = []
    for i in range(4 * FPS):
        read = feeling("happy") if i < 2 * FPS else None
        cheek.append(animator.update(face(), read, i / FPS).as_dict()["ParamCheek"])
    assert max(cheek) == pytest.approx(0.8, abs=0.01)
    assert cheek[-1] == 0.0
    assert np.abs(np.diff(cheek)).max() < 0.2
    assert cheek.index(max(cheek)) / FPS <= 0.36


def test_written_expressions_dress_a_neutral_avatar_as_ours_do(tmp_path: Path) -> None:
    paths = write_expressions(tmp_path)
    assert [path.name.removesuffix(".exp3.json") for path in paths] == list(EXPRESSIONS)
    rest = {name: rest for name, (_, _, rest) in AVATAR_PARAMETERS.items()}
    for path, name in zip(paths, EXPRESSIONS, strict=True):
        found = read_exp3(path).apply(rest)
        wanted = {which: added(which, rest[which], value) for which, value in LOOKS[name].items()}
        assert found == pytest.approx(rest | wanted, abs=1e-4)
        shut = read_exp3(path).apply({"ParamEyeLOpen": 0.0})
        assert shut == {"ParamEyeLOpen": 0.0}
