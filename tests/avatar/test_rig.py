from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.avatar.puppet_path import controls, parse_knots, smooth_runs
from visavis.avatar.rig import PARAMETER_INDEX, Floats, Posed, Rig, Spring, Springs, pose_rig, swing
from visavis.avatar.rig_load import load_rig, swap
from visavis.channels import AVATAR_PARAMETERS
from visavis.errors import InputError

TEXT = (resources.files("visavis") / "assets" / "puppet.json").read_text("utf-8")
RIG = load_rig(TEXT)
STILL = np.zeros(len(RIG.springs))
SPRING = Spring("hair", 0, 1.5, 0.2, ((PARAMETER_INDEX["ParamAngleX"], 1.0),), ())

random_values = st.tuples(*(st.floats(low, high) for low, high, _ in AVATAR_PARAMETERS.values()))


def values(**parameters: float) -> Floats:
    """Parameters by id without ``Param``; the others at rest."""
    out = np.array([rest for _, _, rest in AVATAR_PARAMETERS.values()])
    for name, value in parameters.items():
        out[PARAMETER_INDEX[f"Param{name}"]] = value
    return out


def outline(posed: Posed, name: str, rig: Rig = RIG) -> Floats:
    layer = next(layer for layer in rig.layers if layer.name == name)
    return posed.points[layer.start : layer.outline_stop]


def pose(name: str, **parameters: float) -> Floats:
    return outline(pose_rig(RIG, values(**parameters), STILL), name)


def area(points: Floats) -> float:
    x, y = points[::3].T
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2


def height(points: Floats) -> float:
    return float(np.ptp(points[::3, 1]))


def middle(points: Floats) -> Floats:
    return points[::3].mean(axis=0)


def test_at_rest_the_drawing_is_the_file() -> None:
    assert np.allclose(pose_rig(RIG, values(), STILL).points, RIG.points, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(random_values)
def test_mirrored_parameters_give_the_mirrored_face(drawn: tuple[float, ...]) -> None:
    named = dict(zip(AVATAR_PARAMETERS, drawn, strict=True))
    lateral = json.loads(TEXT)["lateral"]
    twin = {swap_both(name): -value if name in lateral else value for name, value in named.items()}
    here, there = (
        pose_rig(RIG, np.array([d[name] for name in AVATAR_PARAMETERS]), STILL) for d in (named, twin)
    )
    for name in ("eyewhite", "iris", "pupil", "lash", "brow", "collar", "lock"):
        left, right = outline(here, f"{name}_L"), outline(there, f"{name}_R")
        assert np.allclose(left * (-1, 1) + (RIG.size, 0), right, atol=1e-6)


def swap_both(name: str) -> str:
    for a, b in (("EyeL", "EyeR"), ("EyeR", "EyeL"), ("BrowL", "BrowR"), ("BrowR", "BrowL")):
        if a in name:
            return name.replace(a, b)
    return name


@settings(max_examples=60, deadline=None)
@given(random_values)
def test_every_pose_is_finite_and_near_the_picture(drawn: tuple[float, ...]) -> None:
    posed = pose_rig(RIG, np.array(drawn), STILL)
    assert np.isfinite(posed.points).all()
    assert np.abs(posed.points - RIG.size / 2).max() < RIG.size
    assert all(0 <= opacity <= 1 for opacity in posed.opacities)


@pytest.mark.parametrize(
    ("layer", "parameters", "axis", "sign"),
    [
        ("nose", {"AngleX": 30}, 0, 1),
        ("nose", {"AngleY": 30}, 1, -1),
        ("pin_ring", {"AngleZ": 30}, 0, 1),
        ("pupil_L", {"EyeBallX": 1}, 0, 1),
        ("pupil_R", {"EyeBallX": 1}, 0, 1),
        ("pupil_L", {"EyeBallY": 1}, 1, -1),
        ("brow_L", {"BrowLY": 1}, 1, -1),
        ("brow_R", {"BrowRY": -1}, 1, 1),
        ("brow_L", {"BrowLX": -1}, 0, -1),
        ("brow_R", {"BrowRX": -1}, 0, 1),
        ("brooch", {"BodyAngleX": 10}, 0, 1),
        ("brooch", {"BodyAngleZ": 10}, 0, 1),
        ("body", {"Breath": 1}, 1, -1),
    ],
)
def test_parameters_move_what_they_say(
    layer: str, parameters: dict[str, float], axis: int, sign: int
) -> None:
    moved = (middle(pose(layer, **parameters)) - middle(pose(layer)))[axis]
    assert moved * sign > 2


def test_nearer_features_move_more_and_the_far_side_shortens() -> None:
    def shift(layer: str) -> float:
        return float((middle(pose(layer, AngleX=30)) - middle(pose(layer)))[0])

    assert shift("nose") > shift("mouth") > shift("face") > shift("hair_back")
    near, far = (float(np.ptp(pose(f"eyewhite_{side}", AngleX=30)[:, 0])) for side in "RL")
    assert near > 1.3 * far


def test_eyes_close_and_smile() -> None:
    assert area(pose("eyewhite_L", EyeLOpen=0)) < 0.05 * area(pose("eyewhite_L"))
    asleep, happy = (pose("lash_L", EyeLOpen=0, EyeLSmile=smile) for smile in (0, 1))
    assert asleep[6, 1] > asleep[0, 1] + 10  # the middle of the lid hangs below its inner corner
    assert happy[6, 1] < happy[0, 1] - 30  # an arc
    assert np.array_equal(pose("eyewhite_R", EyeLOpen=0), pose("eyewhite_R"))


def test_brows_lead_the_eyes() -> None:
    assert area(pose("eyewhite_L", BrowLY=1)) > 1.05 * area(pose("eyewhite_L"))
    assert area(pose("eyewhite_L", BrowLAngle=-1)) < 0.97 * area(pose("eyewhite_L"))
    closed = values(EyeLOpen=0), values(EyeLOpen=0, BrowLY=1, BrowLAngle=-1)
    assert np.allclose(*(outline(pose_rig(RIG, v, STILL), "eyewhite_L") for v in closed))


def test_mouth_shapes() -> None:
    for form, sign in ((1, -1), (-1, 1)):
        line = pose("mouth_line", MouthForm=form)
        assert (line[0, 1] - line[6, 1]) * sign > 8  # corners above the middle in a smile, below in a frown
    for form in (-1, 0, 1):
        heights = [height(pose("mouth", MouthForm=form, MouthOpenY=a)) for a in (0.5, 0.75, 1)]
        assert heights == sorted(heights)
        assert area(pose("mouth", MouthForm=form, MouthOpenY=1)) > 2500
    smirk = pose("mouth_line", MouthLForm=1) - pose("mouth_line")
    assert smirk[12, 1] < -10  # her left corner
    assert abs(smirk[0, 1]) < 1
    assert np.ptp(pose("mouth", MouthPuckerWiden=-1)[:, 0]) < 0.6 * np.ptp(pose("mouth")[:, 0])
    assert height(pose("mouth", MouthPressLipOpen=1)) > 20
    # Pursed lips stay shut; the corners stand a little below the middle.
    pursed = pose("mouth", MouthPuckerWiden=-1)
    assert abs(pursed[18, 1] - pursed[6, 1]) < 2
    for screen, near, far in ((1, 12, 0), (-1, 0, 12)):
        rest, aside = pose("mouth"), pose("mouth", MouthX=screen)
        moved = screen * (aside - rest)[:, 0]
        assert moved.min() > 0.3 * np.ptp(rest[:, 0])
        assert 15 < aside[far, 1] - aside[near, 1] < 30  # it slants up to its side
        assert 0.8 < np.ptp(aside[:, 0]) / np.ptp(rest[:, 0]) < 1
        for name in ("teeth", "teeth_low", "tongue", "tongue_out", "lip_shadow"):
            carried = screen * (pose(name, MouthX=screen) - pose(name))[:, 0]
            assert np.allclose(carried, moved.mean(), atol=12), name


def test_a_grid_interpolates_between_its_keys() -> None:
    corners = [pose("mouth", MouthForm=f, MouthOpenY=o) for f in (0, 1) for o in (0, 1)]
    between = pose("mouth", MouthForm=0.25, MouthOpenY=0.5)
    weights = (0.75 * 0.5, 0.75 * 0.5, 0.25 * 0.5, 0.25 * 0.5)
    # Turning and perspective are nil at rest angles, so that the points themselves interpolate.
    assert np.allclose(between, sum(w * c for w, c in zip(weights, corners, strict=True)), atol=1e-6)


@given(st.floats(-40, 40), st.floats(-200, 200), st.integers(1, 12))
def test_swinging_does_not_depend_on_the_frame_rate(lag: float, speed: float, parts: int) -> None:
    whole = swing(SPRING, lag, speed, 0.3)
    state = lag, speed
    for _ in range(parts):
        state = swing(SPRING, *state, 0.3 / parts)
    assert np.allclose(whole, state, atol=1e-6)


def test_hair_lags_behind_and_comes_to_rest() -> None:
    springs = Springs((SPRING,))
    assert springs.advance(values(), 0.0)[0] == 0
    assert springs.advance(values(AngleX=30), 0.01)[0] < -25
    path = [springs.advance(values(AngleX=30), 0.01 + i / 60)[0] for i in range(1, 600)]
    assert max(path) > 5  # it overshoots
    assert abs(path[-1]) < 0.01


def test_springs_are_deterministic_and_reset() -> None:
    springs = Springs(RIG.springs)
    poses = [values(AngleX=30 * np.sin(i), AngleZ=20 * np.cos(i)) for i in range(20)]
    first = [springs.advance(v, i / 25) for i, v in enumerate(poses)]
    springs.reset()
    again = [springs.advance(v, i / 25) for i, v in enumerate(poses)]
    assert np.array_equal(first, again)


@pytest.mark.parametrize("later_s", [0.5, 3.0])
def test_after_a_jump_in_time_everything_hangs_still(later_s: float) -> None:
    springs = Springs((SPRING,))
    springs.advance(values(), 1.0)
    springs.advance(values(AngleX=30), 1.1)
    assert springs.advance(values(AngleX=-30), later_s)[0] == 0


def test_a_circle_is_round() -> None:
    angles = np.linspace(0, 2 * np.pi, 4, endpoint=False)
    knots = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = controls(knots, [False] * 4, True)
    halfway = points[:-1:3] + 3 * (points[1::3] + points[2::3]) + points[3::3]
    assert np.allclose(np.hypot(*halfway.T) / 8, 1, atol=1e-3)


def test_runs_end_at_corners() -> None:
    assert smooth_runs([False] * 5, True) == [(0, 5)]
    assert smooth_runs([False, True, False, True, False], True) == [(1, 2), (3, 3)]
    assert smooth_runs([True, False, False], True) == [(0, 3)]
    assert smooth_runs([False, True, False], False) == [(0, 1), (1, 1)]


def test_left_and_right() -> None:
    left = "lash_L ParamEyeLOpen ParamBrowLY ParamMouthForm lid_Light"
    assert " ".join(map(swap, left.split())) == "lash_R ParamEyeROpen ParamBrowRY ParamMouthForm lid_Light"


@pytest.mark.parametrize("text", ["10,20", "10,20 x,3", "10 20", "1,2 3,4,5", ""])
def test_malformed_outlines_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_knots(text)


def edited(change: Callable[[dict[str, Any]], object]) -> str:
    data = json.loads(TEXT)
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a rig"),
        (edited(lambda d: d.pop("head")), "not a rig: KeyError 'head'"),
        (edited(lambda d: d["parameters"].pop("ParamCheek")), "differ"),
        (edited(lambda d: d["layers"][0].update(color="#fff")), "unknown field color"),
        (edited(lambda d: d["layers"][0].update(clip="nothing")), "no layer before it"),
        (edited(lambda d: d["layers"][0].update(fill="red")), "found the colour 'red'"),
        (edited(lambda d: d["layers"][0].update(sway=[["x", 0, 1, 1]])), "no spring is called 'x'"),
        (edited(lambda d: d["layers"][0].update(keys=[{"at": {"ParamTail": 1}}])), "ParamTail"),
        (edited(lambda d: d["layers"][0].update(keys=[{"at": {}, "warp": 1}])), "unknown field warp"),
        (edited(lambda d: d["layers"][0].update(keys=[{"at": {}, "path": "0,0 1,1"}])), "found 2 knots"),
    ],
)
def test_broken_rigs_are_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_rig(text, "some.json")
    assert message in str(caught.value)
    assert "some.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_nod_sinks_the_whole_head_and_a_look_up_raises_it() -> None:
    rest, down, up = (pose_rig(RIG, values(AngleY=angle), STILL) for angle in (0.0, -15.0, 15.0))
    for name in ("eyewhite_L", "brow_R", "face"):
        heights = [middle(outline(posed, name))[1] for posed in (up, rest, down)]
        # About the head's own centre the chin would rise as the brow sinks.
        assert heights[0] + 5 < heights[1] < heights[2] - 5, name
    assert np.allclose(outline(down, "collar_L"), outline(rest, "collar_L"), atol=3)
