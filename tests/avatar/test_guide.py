"""The guided calibration: its steps, its refusals, and its result."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.acting import FPS
from support.people import BROWS_DOWN, BROWS_UP, OPEN, SHUT, SMILE, STEPS_ACTED, acting, seen_face
from visavis.avatar.guide import STEPS, Guide, Guiding
from visavis.avatar.parameters import HIGHEST, LOWEST, Animator
from visavis.avatar.profile import Profile
from visavis.capture.source import open_source
from visavis.channels import AVATAR_PARAMETERS, FACE_MEASURES
from visavis.pipeline import Pipeline
from visavis.types import Face, FloatArray

ODD = {"mouthWidth": -0.3, "mouthCornerLeft": -0.6, "mouthCornerRight": -0.5, "browLeft": 0.5}
ODD |= {"browRight": 0.4, "lidLeft": -0.3, "lidRight": -0.3, "gazeY": -0.2}
Act = Mapping[str, float] | Callable[[float], Face | None]


def led(guide: Guide, acts: Mapping[str, Act], rest: Mapping[str, float] | None = None) -> list[Guiding]:
    """Do what is asked for, 40 s at most; 1 sigma of noise in all measures is a hundredth of their reach."""
    said: list[Guiding] = []
    random = np.random.default_rng(0)
    for i in range(40 * FPS):
        act = acts[said[-1].step if said else "rest"]
        face = act(i / FPS) if callable(act) else acting(act, 1.0, rest)
        if face is not None:
            reaches = np.asarray([reach for _, reach in FACE_MEASURES.values()])
            noise = 0.01 * reaches * random.standard_normal(len(reaches))
            face = replace(face, measures=face.measures + noise.astype(np.float32))
        said.append(guide.update(face, i / FPS))
        if said[-1].state != "running":
            break
    return said


def profile_of(rest: Mapping[str, float] | None = None, share: float = 1.0) -> Profile:
    guide = Guide()
    acts = {step: {n: share * v for n, v in act.items()} for step, act in STEPS_ACTED.items()}
    led(guide, acts | {"lids": SHUT}, rest)
    assert guide.profile is not None
    return guide.profile


def test_it_takes_20_seconds_and_five_steps() -> None:
    guide = Guide()
    said = led(guide, STEPS_ACTED)
    assert said[-1].state == "done"
    assert len(said) / FPS == pytest.approx(20, abs=0.5)
    assert [step for step, _ in itertools.groupby(one.step for one in said)] == list(STEPS)
    assert all(0 <= one.progress <= 1 and one.problem == "" for one in said)
    assert guide.profile is not None
    assert guide.update(None, 99.0) == said[-1]


def test_a_profile_holds_the_persons_own() -> None:
    odd, quiet = profile_of(ODD), profile_of(share=0.5)
    for name, shift in ODD.items():
        usual, reach = FACE_MEASURES[name]
        assert odd.measures[name] == pytest.approx(usual + shift * reach, abs=0.02 * reach)
    assert quiet.reach["smile"] < 0.75 * odd.reach["smile"]
    assert quiet.reach["mouth"] < 0.75 * odd.reach["mouth"]
    assert odd.shut["lidLeft"] < 0.3


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda time_s: acting(OPEN, 0.25 + 0.25 * np.sin(12 * time_s)), "do not talk"),
        (lambda time_s: acting(SMILE, 1.0), "You smiled"),
        (lambda time_s: seen_face(yaw=0.15 * np.sin(2 * time_s)), "head moved"),
        (lambda time_s: acting(SHUT, 1.0), "eyes were shut"),
        (lambda time_s: acting({"mouthOpening": 0.2}, 1.0), "covers"),
    ],
)
def test_a_face_that_is_not_at_rest_is_told_so_once_and_then_refused(act: Act, says: str) -> None:
    guide = Guide()
    said = led(guide, {"rest": act})
    assert (said[-1].state, said[-1].step, guide.profile) == ("refused", "rest", None)
    assert says in said[-1].problem
    assert len(said) / FPS == pytest.approx(8, abs=0.3)
    assert any(says in one.problem for one in said if one.state == "running")


@pytest.mark.parametrize("step", list(STEPS)[1:])
def test_a_step_that_is_not_done_is_repeated_once_and_then_refused(step: str) -> None:
    guide = Guide()
    said = led(guide, STEPS_ACTED | {step: {}})
    assert (said[-1].state, said[-1].step, guide.profile) == ("refused", step, None)
    assert said[-1].problem.startswith("I did not see")
    assert sum(one.step == step for one in said) / FPS == pytest.approx(8, abs=0.3)


def test_a_step_that_is_done_the_second_time_is_good() -> None:
    tries = iter([{}] * 4 * FPS)
    guide = Guide()
    said = led(guide, STEPS_ACTED | {"smile": lambda time_s: acting(next(tries, SMILE), 1.0)})
    assert said[-1].state == "done"


@pytest.mark.parametrize(
    ("face", "says"),
    [
        (None, "not in view"),
        (seen_face(score=0.3), "half hidden"),
        (seen_face(yaw=0.8), "Look at the screen"),
        (seen_face(person=7), "Somebody else"),
    ],
)
def test_it_waits_for_a_face_and_refuses_after_five_seconds(face: Face | None, says: str) -> None:
    def gone(since_s: float, until_s: float) -> Act:
        return lambda time_s: face if since_s < time_s < until_s else acting(SMILE, 1.0)

    guide = Guide()
    said = led(guide, STEPS_ACTED | {"smile": gone(5, 8)})
    assert said[-1].state == "done"
    assert len(said) / FPS == pytest.approx(23, abs=0.5)
    assert any(says in one.problem for one in said)
    guide = Guide()
    said = led(guide, STEPS_ACTED | {"smile": gone(5, 99)})
    assert (said[-1].state, guide.profile) == ("refused", None)
    assert says in said[-1].problem
    assert len(said) / FPS == pytest.approx(10, abs=0.3)


@pytest.mark.parametrize(
    ("acted", "problem"),
    [
        ({"smile": {}, "mouth": {}}, "corners of your mouth"),
        ({"lids": {name: SHUT[name] for name in ("lidLeft", "eyeBlinkLeft")}}, "eyes"),
    ],
)
def test_a_covered_lower_half_or_eye_is_refused(acted: dict[str, dict[str, float]], problem: str) -> None:
    """What is covered does not move, whatever the person does."""
    said = led(Guide(), STEPS_ACTED | acted)
    assert said[-1].state == "refused"
    assert problem in said[-1].problem


def followed(profile: Profile | None, faces: Iterator[Face]) -> FloatArray:
    animator = Animator(mirror=False, profile=profile)
    poses = [animator.update(face.state, None, i / FPS, face).values for i, face in enumerate(faces)]
    return np.stack(poses)


def test_two_resting_faces_of_one_person_move_the_avatar_alike_from_the_first_frame() -> None:
    acts = [{}, SMILE, {}, BROWS_UP, BROWS_DOWN, {}, OPEN, SHUT, {}]
    plain, odd = (
        followed(profile_of(rest), (acting(act, 1.0, rest) for act in acts for _ in range(12)))
        for rest in ({}, ODD)
    )
    apart = np.abs(plain - odd) / (HIGHEST - LOWEST)
    at_rest = np.repeat([not act for act in acts], 12)
    assert apart[at_rest].mean(axis=0).max() <= 0.05
    assert apart.mean(axis=0).max() <= 0.1


def test_with_a_profile_a_quiet_person_moves_as_far_as_a_lively_one_at_once() -> None:
    names = list(AVATAR_PARAMETERS)
    for act, name, sign in ((SMILE, "ParamMouthForm", 1), (BROWS_UP, "ParamBrowLY", 1)):
        for share in (0.5, 1.3):
            poses = followed(profile_of(share=share), (acting(act, share * (i > 5)) for i in range(10)))
            assert sign * poses[-1, names.index(name)] >= 0.6, (name, share)


@pytest.mark.shared
@pytest.mark.slow
def test_a_real_face_with_another_rest_moves_the_avatar_alike(shared: Path) -> None:
    """The second half of a clip, plain and with a shifted face, each after the first half of its own."""
    path = shared / "data" / "video" / "lp_d12.mp4"
    if not path.is_file():
        pytest.skip(f"no {path}")
    pipeline = Pipeline(recognizer=None)
    with open_source(str(path)) as video:
        faces = [moment.faces[0] for frame in video if (moment := pipeline.step(frame)).faces]
    pipeline.close()
    shift = np.asarray([ODD.get(name, 0) * reach for name, (_, reach) in FACE_MEASURES.items()], np.float32)
    shifted = [replace(face, measures=face.measures + shift) for face in faces]
    plain, odd = (followed(None, iter(each))[len(faces) // 2 :] for each in (faces, shifted))
    apart = (np.abs(plain - odd) / (HIGHEST - LOWEST)).mean(axis=0)
    assert apart.mean() <= 0.05
    assert apart.max() <= 0.06
