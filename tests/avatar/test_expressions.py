"""Emotions in, the avatar's looks out: held, blended, and never over the tracked eyes and mouth."""

from __future__ import annotations

import numpy as np
import pytest

from acting import FPS, face, feeling, warmed
from visavis.avatar.expressions import LOOKS
from visavis.avatar.parameters import Animator
from visavis.channels import AVATAR_PARAMETERS, EXPRESSIONS
from visavis.types import AvatarPose

TRACKED_ONLY = [n for n in AVATAR_PARAMETERS if "Eye" in n or "Mouth" in n]


@pytest.mark.parametrize("label", EXPRESSIONS[1:])
def test_an_expression_takes_brows_and_cheeks_and_leaves_eyes_and_mouth(label: str) -> None:
    with_it, without = Animator(), Animator()
    for i in range(FPS):
        shown = with_it.update(face(jawOpen=0.3), feeling(label), i / FPS).as_dict()
        plain = without.update(face(jawOpen=0.3), None, i / FPS).as_dict()
    assert with_it.expression == label
    for name in TRACKED_ONLY:
        assert shown[name] == plain[name], name
    for name, value in LOOKS[label].items():
        if "Brow" in name or "Cheek" in name:
            assert shown[name] == pytest.approx(value, abs=0.1), name


def test_looks_name_only_standard_parameters_within_range_and_differ_from_each_other() -> None:
    assert set(LOOKS) == set(EXPRESSIONS)
    poses = [AvatarPose.from_mapping(dict(look), 0.0) for look in LOOKS.values()]
    for look, pose in zip(LOOKS.values(), poses, strict=True):
        assert all(abs(pose.as_dict()[n] - v) < 1e-6 for n, v in look.items())
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
    assert max(cheek) == pytest.approx(0.7, abs=0.01)
    assert cheek[-1] == 0.0
    assert np.abs(np.diff(cheek)).max() < 0.2
    assert cheek.index(max(cheek)) / FPS <= 0.36
