"""exp3.json files: a round trip, real files, what each blend does, and refusal of broken files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from visavis.errors import InputError
from visavis.motion.exp3 import BlendMode, Change, Exp3, read_exp3, write_exp3


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    changes = (Change("a", 0.5), Change("b", 2.0, BlendMode.MULTIPLY), Change("c", -1.0, BlendMode.OVERWRITE))
    path = tmp_path / "x.exp3.json"
    write_exp3(path, Exp3(changes, 0.25, 0.0))
    assert read_exp3(path) == Exp3(changes, 0.25, 0.0)


def test_each_blend_changes_only_what_the_model_has() -> None:
    changes = (
        Change("a", 0.5),
        Change("b", 2.0, BlendMode.MULTIPLY),
        Change("c", -1.0, BlendMode.OVERWRITE),
        Change("none", 1.0),
    )
    assert Exp3(changes).apply({"a": 1.0, "b": 3.0, "c": 0.5, "d": 7.0}) == {
        "a": 1.5,
        "b": 6.0,
        "c": -1.0,
        "d": 7.0,
    }


def file(path: Path, **changes: Any) -> Path:
    data = {"Type": "Live2D Expression", "Parameters": [{"Id": "a", "Value": 1}]} | changes
    path.write_text(json.dumps(data))
    return path


def test_what_is_left_out_is_added_within_a_second(tmp_path: Path) -> None:
    assert read_exp3(file(tmp_path / "x.exp3.json")) == Exp3((Change("a", 1.0, BlendMode.ADD),), 1.0, 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Type": "Live2D Pose"}, "has Type 'Live2D Expression'; found 'Live2D Pose'"),
        ({"Parameters": None}, "the list Parameters"),
        ({"Parameters": [3]}, "parameter 0: expected an object; found int"),
        ({"Parameters": [{"Id": "a"}]}, "parameter 0 needs an Id"),
        ({"Parameters": [{"Id": "a", "Value": float("nan")}]}, "finite Value"),
        ({"Parameters": [{"Id": "a", "Value": 1, "Blend": "Screen"}]}, "Add, Multiply, Overwrite"),
        ({"Parameters": [{"Id": "a", "Value": 1, "Blend": ["Add"]}]}, "Add, Multiply, Overwrite"),
        ({"FadeInTime": -1}, "FadeInTime must be seconds from 0 on; found -1"),
        ({"FadeOutTime": "1"}, "FadeOutTime must be seconds"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_exp3(file(tmp_path / "x.exp3.json", **changes))


@pytest.mark.shared
def test_real_expressions_are_read(shared: Path) -> None:
    paths = sorted((shared / "avatars" / "Haru" / "expressions").glob("*.exp3.json"))
    assert len(paths) == 8
    read = [read_exp3(path) for path in paths]
    assert any(change.name == "ParamMouthOpenY" for expression in read for change in expression.changes)
