"""A model's JSON: native code gets right counts, and only values of the kinds that it expects."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from support.live2d_folder import physics3
from visavis.cubism.shapes import physics, pose
from visavis.errors import InputError


def test_counts_are_counted_and_unknown_keys_left_out() -> None:
    data = physics3() | {"Extra": 1}
    found = physics(data, "p")
    counts = ("PhysicsSettingCount", "TotalInputCount", "TotalOutputCount", "VertexCount")
    assert [found["Meta"][key] for key in counts] == [1, 1, 1, 2]
    assert "Extra" not in found
    assert found["PhysicsSettings"][0]["Normalization"] == data["PhysicsSettings"][0]["Normalization"]


def test_no_number_is_written_with_an_exponent() -> None:
    data = physics3()
    put(data, "PhysicsSettings", 0, "Output", 0, "Scale", 0.00006)
    assert "e-" not in json.dumps(physics(data, "p"))


def put(data: Any, *place: Any) -> None:
    *way, key, value = place
    for step in way:
        data = data[step]
    data[key] = value


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (("Output", 0, "VertexIndex", 2), "follows vertex 2; expected 1 to 1"),
        (("Output", 0, "VertexIndex", 0), "follows vertex 0"),
        (("Output", 0, "VertexIndex", -1), "follows vertex -1"),
        (("Output", 0, "VertexIndex", 0.5), "follows vertex 0.5"),
        (("Vertices", []), "has no Vertices"),
        (("Input", 0, "Type", "Z"), "Type: expected 'X' or 'Y' or 'Angle'; found a text"),
        (("Input", 0, "Weight", math.inf), "Weight: expected a number within"),
        (("Input", 0, "Weight", 1e10), "Weight: expected a number within"),
        (("Input", 0, "Weight", True), "Weight: expected a number within .*; found true or false"),
        (("Input", 0, "Reflect", 1), "Reflect: expected true or false; found a number"),
        (("Input", 0, "Source", None), "Source: expected an object; found null"),
        (("Normalization", {}), "the key Position is missing"),
    ],
)
def test_wrong_physics_are_refused_by_place(place: tuple[Any, ...], message: str) -> None:
    data = physics3()
    put(data, "PhysicsSettings", 0, *place)
    with pytest.raises(InputError, match=message):
        physics(data, "p")


def test_a_pose_may_leave_links_and_fade_out() -> None:
    found = pose({"Type": "Live2D Pose", "Groups": [[{"Id": "a"}, {"Id": "b", "Link": ["c"]}]]}, "p")
    assert found["Groups"] == [[{"Id": "a", "Link": []}, {"Id": "b", "Link": ["c"]}]]
    assert found["FadeInTime"] == 0.5


@pytest.mark.parametrize(
    "data", [{"Type": "Live2D Pose", "Groups": [{}]}, {"Type": "Pose", "Groups": []}, {"Groups": []}, 3]
)
def test_a_wrong_pose_is_refused(data: Any) -> None:
    check: Callable[[Any, str], Any] = pose
    with pytest.raises(InputError, match="p: "):
        check(data, "p")
