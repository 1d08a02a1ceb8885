"""Retargeting: golden values, laws, presets, and one person's calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.acting import flipped
from visavis.avatar.calibration import GAZE_X
from visavis.avatar.profile import BOUNDS, Profile
from visavis.avatar.retarget import Parameter, Retargeting, calibrated_face, preset_text, presets, usual_face
from visavis.avatar.retarget_file import Rule, Rules, parse
from visavis.channels import AVATAR_PARAMETERS, BLENDSHAPES, FACE_CHANNELS, FACE_INDEX, FACE_MEASURES
from visavis.errors import InputError
from visavis.types import FaceState


def face(**channels: float) -> FaceState:
    """A face at rest except for these channels; angles in degrees."""
    values = usual_face().astype(np.float32)
    for name, value in channels.items():
        values[FACE_INDEX[name]] = np.deg2rad(value) if name in ("yaw", "pitch", "roll") else value
    return FaceState(values)


def retargeting(text: str) -> Retargeting:
    return Retargeting(parse(text, "test"))


TURN = "[P]\nsum = { yaw = 1 }\nin = [-30, 30]\n"


@pytest.mark.parametrize(
    ("text", "channels", "expected"),
    [
        ("[P]\nsum = { jawOpen = 0.5, mouthClose = -0.2 }", {"jawOpen": 0.8, "mouthClose": 0.5}, 0.3),
        ("[P]\nsum = { jawOpen = 0.5 }\noffset = 0.25\ngain = 2", {"jawOpen": 0.5}, 0.75),
        (TURN, {"yaw": 12.0}, 12.0),
        (TURN, {"yaw": -90.0}, -30.0),
        (TURN + "out = [1, -1]", {"yaw": 15.0}, -0.5),
        (TURN + "dead_zone = 5", {"yaw": -4.0}, 0.0),
        (TURN + "dead_zone = 5\ngain = 2", {"yaw": -8.0}, -6.0),
        (TURN + "curve = 2", {"yaw": -15.0}, -7.5),
        (TURN + "curve = 2\noffset = 15", {"yaw": 7.5}, 18.75),
        (TURN + "curve = 0.5\noffset = 15", {"yaw": -45.0}, -30.0),
        (TURN + "curve = [[0, 0], [0.5, 0.25], [1, 1]]", {"yaw": 15.0}, 7.5),
        (TURN + "curve = [[0, 0.25], [1, 0.75]]", {"yaw": -30.0}, -15.0),
        ("[P]\nsum = { x = 1, y = 10, z = 100 }\nin = [-999, 999]", {"x": 1, "y": 2, "z": -49}, 121.0),
        ("[P]\nsum = { roll = 1, pitch = 10 }\nin = [-99, 99]", {"roll": 3.0, "pitch": 2.0}, 23.0),
        ("[P]", {"jawOpen": 1.0}, 0.0),
        ("mirror = true\n" + TURN, {"yaw": 12.0}, -12.0),
        ("mirror = true\n[P]\nsum = { eyeBlinkLeft = 1 }", {"eyeBlinkRight": 0.4}, 0.4),
    ],
)
def test_golden_values(text: str, channels: dict[str, float], expected: float) -> None:
    assert retargeting(text).apply(face(**channels)) == {"P": pytest.approx(expected, abs=1e-5)}


def test_parameters_have_range_and_rest() -> None:
    found = retargeting(TURN + "out = [10, -10]\noffset = 15\n[Q]\noffset = 2").parameters
    assert dict(found) == {"P": Parameter(-10.0, 10.0, -5.0), "Q": Parameter(0.0, 1.0, 1.0)}


NUMBERS = st.floats(-100, 100)
RANGES = st.tuples(st.floats(-50, 50), st.floats(0.1, 50)).map(lambda pair: (pair[0], pair[0] + pair[1]))
CURVES = st.lists(st.tuples(st.floats(0.01, 1), st.floats(0, 1)), min_size=1, max_size=5)


def points(steps: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    x, y = np.cumsum(np.asarray([(0, 0), *steps]), axis=0).T
    return tuple(zip((x / x[-1]).tolist(), (y / max(y[-1], 1.0)).tolist(), strict=True))


RULES = st.builds(
    Rule,
    sum=st.dictionaries(st.sampled_from(FACE_CHANNELS), NUMBERS, max_size=5),
    dead_zone=st.floats(0, 10),
    gain=NUMBERS,
    offset=NUMBERS,
    inputs=RANGES,
    outputs=RANGES.flatmap(lambda ends: st.sampled_from([ends, ends[::-1]])),
    gamma=st.sampled_from([1.0, 0.05, 0.4, 2.0, 20.0]),
    points=CURVES.map(points),
)
FACES = st.lists(st.floats(-3, 3, width=32), min_size=len(FACE_CHANNELS), max_size=len(FACE_CHANNELS))


@given(st.lists(RULES, min_size=1, max_size=4), FACES, st.booleans())
@pytest.mark.slow
def test_every_value_lies_within_its_range(rules: list[Rule], values: list[float], mirror: bool) -> None:
    made = Retargeting(Rules({f"P{i}": rule for i, rule in enumerate(rules)}, mirror))
    for name, value in made.apply(FaceState(np.asarray(values, np.float32))).items():
        assert made.parameters[name].low <= value <= made.parameters[name].high


@given(RULES, st.lists(st.floats(-2, 2, width=32), min_size=2, max_size=20))
def test_more_movement_never_gives_less(rule: Rule, amounts: list[float]) -> None:
    moved = Retargeting(Rules({"P": replace(rule, sum={"jawOpen": 1.0})}))
    rows = np.tile(usual_face().astype(np.float32), (len(amounts), 1))
    rows[:, FACE_INDEX["jawOpen"]] = np.sort(amounts)
    rising = np.sign(rule.gain) * (1 if rule.outputs[0] < rule.outputs[1] else -1)
    assert (rising * np.diff(moved.values(rows)[:, 0]) >= -1e-9).all()


@given(RULES)
def test_a_neutral_face_gives_rest(rule: Rule) -> None:
    made = Retargeting(Rules({"P": rule}))
    assert made.apply(FaceState(usual_face()))["P"] == pytest.approx(made.parameters["P"].rest, abs=1e-6)


@given(RULES, FACES)
@pytest.mark.slow
def test_a_mirror_flips_the_face_and_nothing_else(rule: Rule, values: list[float]) -> None:
    state = FaceState(np.asarray(values, np.float32))
    plain, mirrored = (Retargeting(Rules({"P": rule}, mirror)) for mirror in (False, True))
    expected = plain.apply(flipped(state))["P"]
    low, high = plain.parameters["P"].low, plain.parameters["P"].high
    assert mirrored.apply(state)["P"] == pytest.approx(expected, abs=1e-6 * (high - low))


def test_a_table_of_faces_equals_face_by_face() -> None:
    made = Retargeting.preset("vtubestudio")
    rows = np.random.default_rng(1).uniform(-1, 1, (20, len(FACE_CHANNELS))).astype(np.float32)
    table = made.values(rows)
    singly = [list(made.apply(FaceState(row)).values()) for row in rows]
    np.testing.assert_allclose(table, singly, atol=1e-9)
    rows[3] = np.nan
    assert np.isnan(made.values(rows)).any(axis=1).tolist() == [row == 3 for row in range(20)]


# ---------------------------------------------------------------- presets

# https://github.com/DenchiSoft/VTubeStudio/wiki/VTS-Model-Settings, without mouse and bare voice
VTUBE_STUDIO = """FacePositionX FacePositionY FacePositionZ FaceAngleX FaceAngleY FaceAngleZ MouthSmile
MouthOpen Brows TongueOut EyeOpenLeft EyeOpenRight EyeLeftX EyeLeftY EyeRightX EyeRightY CheekPuff
BrowLeftY BrowRightY
VoiceVolumePlusMouthOpen VoiceFrequencyPlusMouthSmile MouthX FaceAngry"""
# https://github.com/vrm-c/vrm-specification, VRMC_vrm-1.0, expressions; without blink and neutral
VRM = """happy angry sad relaxed surprised aa ih ou ee oh blinkLeft blinkRight lookUp lookDown lookLeft
lookRight"""
STANDARD = list(AVATAR_PARAMETERS)[: list(AVATAR_PARAMETERS).index("ParamBreath")]
NAMES = {
    "vtubestudio": VTUBE_STUDIO.split(),
    "vrm": VRM.split(),
    "live2d": [name for name in STANDARD if name != "ParamCheek"],
    "arkit": BLENDSHAPES,
}


def test_presets_are_these() -> None:
    assert presets() == tuple(sorted(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_has_all_documented_names(name: str) -> None:
    assert sorted(Retargeting.preset(name).parameters) == sorted(NAMES[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_face_can_move_every_parameter_of_a_preset_far(name: str) -> None:
    made = Retargeting.preset(name)
    for parameter, rule in made.rules.by_parameter.items():
        low, high, rest = (getattr(made.parameters[parameter], end) for end in ("low", "high", "rest"))
        told = []
        for sign in (-1, 1):
            # Weights lie in 0..1; the head may go both ways.
            channels = {c: 1.0 for c, weight in rule.sum.items() if sign * weight > 0 and c in BLENDSHAPES}
            channels |= {c: 40.0 * sign for c in rule.sum if c in ("yaw", "pitch", "roll", "x", "y")}
            channels |= {c: 40.0 * sign - 50.0 for c in rule.sum if c == "z"}
            told.append(Retargeting(Rules(made.rules.by_parameter)).apply(face(**channels))[parameter])
        assert max(abs(value - rest) for value in told) >= 0.7 * max(high - rest, rest - low), parameter


def test_the_ranges_and_rests_of_live2d_are_the_standard_ones() -> None:
    for name, parameter in Retargeting.preset("live2d").parameters.items():
        assert (parameter.low, parameter.high, parameter.rest) == AVATAR_PARAMETERS[name]


def test_arkit_is_the_identity() -> None:
    weights = np.random.default_rng(2).uniform(0, 1, len(BLENDSHAPES)).astype(np.float32)
    told = Retargeting.preset("arkit").apply(face(**dict(zip(BLENDSHAPES, weights.tolist(), strict=True))))
    assert told == pytest.approx(dict(zip(BLENDSHAPES, weights.tolist(), strict=True)), abs=1e-7)


@pytest.mark.parametrize(
    ("preset", "channels", "expected"),
    [
        # Live2D as the camera sees it: to the image's right is to the screen's right, + by its list.
        ("live2d", {"yaw": 10.0, "pitch": 5.0, "roll": 3.0}, {"ParamAngleX": 10, "ParamAngleY": 5}),
        ("live2d", {"eyeBlinkLeft": 0.7}, {"ParamEyeLOpen": 0, "ParamEyeROpen": 1}),
        ("live2d", {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}, {"ParamEyeBallX": 1}),
        ("live2d", {"browDownLeft": 1.0}, {"ParamBrowLX": -0.7, "ParamBrowRX": 0, "ParamBrowLAngle": -0.8}),
        # VTube Studio as a mirror: the person's own right is on the screen's right, where FaceAngleX is +.
        ("vtubestudio", {"yaw": -10.0, "roll": -3.0}, {"FaceAngleX": 10, "FaceAngleZ": 3, "FaceAngleY": 0}),
        ("vtubestudio", {"x": -4.0, "y": 2.0, "z": -53.0}, {"FacePositionX": 4, "FacePositionZ": 3}),
        ("vtubestudio", {"eyeBlinkRight": 0.7}, {"EyeOpenLeft": 0, "EyeOpenRight": 0.75}),
        (
            "vtubestudio",
            {"eyeLookOutRight": 0.5, "eyeLookInLeft": 0.5},
            {"EyeLeftX": -0.5, "EyeRightX": -0.5},
        ),
        ("vtubestudio", {"mouthSmileLeft": 1, "mouthSmileRight": 1}, {"MouthSmile": 1, "MouthX": 0}),
        ("vtubestudio", {"browOuterUpLeft": 0.3}, {"BrowRightY": 0.8, "BrowLeftY": 0.5, "Brows": 0.65}),
        ("vrm", {"eyeBlinkLeft": 1.0, "jawOpen": 0.8}, {"blinkLeft": 1, "blinkRight": 0, "aa": 1, "oh": 0}),
        ("vrm", {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}, {"lookLeft": 1, "lookRight": 0}),
        ("vrm", {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}, {"happy": 1, "angry": 0, "sad": 0}),
    ],
)
def test_signs_and_sides_of_presets(
    preset: str, channels: dict[str, float], expected: Mapping[str, float]
) -> None:
    told = Retargeting.preset(preset).apply(face(**channels))
    assert {name: told[name] for name in expected} == pytest.approx(expected, abs=1e-5)


# ---------------------------------------------------------------- names


def test_a_name_is_a_preset_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(preset_text("live2d"), encoding="utf-8")
    by_path = Retargeting.named(str(path))
    assert by_path.rules == Retargeting.named("live2d").rules == Retargeting.load(path).rules


def test_a_file_that_is_not_there_is_no_misspelt_preset() -> None:
    with pytest.raises(InputError, match=r"no\.toml: no such file; name a retarget file"):
        Retargeting.named("no.toml")


@pytest.mark.parametrize("text", ["vtubstudio", "", "x" * 5000, "a\0b"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Retargeting.named(text)
    assert "presets: arkit, live2d, vrm, vtubestudio" in str(caught.value)
    if text == "vtubstudio":
        assert "did you mean 'vtubestudio'?" in str(caught.value)
    with pytest.raises(InputError):
        Retargeting.preset(text)


# ---------------------------------------------------------------- one person


def profile(**changes: Mapping[str, float]) -> Profile:
    parts = {part: dict.fromkeys(bounds, 0.0) for part, bounds in BOUNDS.items()}
    parts["measures"] = {name: usual_level for name, (usual_level, _) in FACE_MEASURES.items()}
    parts["shut"] |= {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
    parts["reach"] = dict.fromkeys(BOUNDS["reach"], 0.8)
    return Profile(**{part: values | dict(changes.get(part, {})) for part, values in parts.items()})


def test_a_calibrated_face_moves_a_mapping_as_a_calibrated_mapping_does() -> None:
    person = profile(
        weights={"browInnerUp": 0.1, GAZE_X: 0.2}, head={"yaw": 4.0, "x": 3.0}, shut={"eyeBlinkLeft": 0.6}
    )
    plain = Retargeting.preset("arkit")
    rows = np.random.default_rng(3).uniform(0, 1, (50, len(FACE_CHANNELS))).astype(np.float32)
    rows[:, len(BLENDSHAPES) :] -= 0.5
    expected = plain.calibrated(person).values(rows)
    found = plain.values(np.stack([calibrated_face(FaceState(row), person).values for row in rows]))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(expected - plain.values(rows)).max() > 0.05


@pytest.mark.parametrize("preset", NAMES)
def test_a_persons_neutral_face_is_at_rest(preset: str) -> None:
    values = np.random.default_rng(3).uniform(0, 0.4, len(FACE_CHANNELS)).astype(np.float32)
    made = Retargeting.preset(preset)
    rest = {name: parameter.rest for name, parameter in made.parameters.items()}
    assert made.calibrated(FaceState(values)).apply(FaceState(values)) == pytest.approx(rest, abs=1e-5)


def test_a_profile_that_says_nothing_changes_nothing() -> None:
    made = Retargeting.preset("vtubestudio")
    state = face(yaw=9.0, jawOpen=0.4, eyeBlinkLeft=0.3, browDownLeft=0.2, mouthSmileLeft=0.5)
    assert made.calibrated(profile()).apply(state) == pytest.approx(made.apply(state), abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "channels", "expected"),
    [
        ({"head": {"yaw": 8.0, "x": 3.0}}, {"yaw": 10.0, "x": 4.0}, {"yaw": 2.0, "x": 1.0}),
        # Open at 0.2 and shut at 0.6: half way is 0.4.
        (
            {"weights": {"eyeBlinkLeft": 0.2}, "shut": {"eyeBlinkLeft": 0.6}},
            {"eyeBlinkLeft": 0.4},
            {"eyeBlinkLeft": 0.5},
        ),
        ({"shut": {"eyeBlinkLeft": 0.1}}, {"eyeBlinkLeft": 0.15}, {"eyeBlinkLeft": 0.5}),
        ({"weights": {"browInnerUp": 0.3}}, {"browInnerUp": 0.5}, {"browInnerUp": 0.2}),
        ({"reach": {"smile": 0.4}}, {"mouthSmileLeft": 0.3}, {"mouthSmileLeft": 0.6}),
        ({"weights": {"gazeX": 0.4}}, {"eyeLookOutLeft": 0.2, "eyeLookInRight": 0.2}, {"eyeLookOutLeft": 0}),
        ({"weights": {"gazeX": -0.4}}, {"eyeLookInLeft": 0.5}, {"eyeLookInLeft": 0.3}),
    ],
)
def test_a_profile_sets_rest_and_gains(
    changes: dict[str, dict[str, float]], channels: dict[str, float], expected: dict[str, float]
) -> None:
    text = "".join(f"[{name}]\nsum = {{ {name} = 1 }}\nin = [-50, 50]\n" for name in expected)
    told = retargeting(text).calibrated(profile(**changes)).apply(face(**channels))
    assert told == pytest.approx(expected, abs=1e-5)
