"""The shape of a model's JSON files: what Live2D's native code may read, and nothing else.

Native code trusts the counts and indices in these files, so that a wrong one reads or writes outside its
memory. Here the files are read in full, checked, and written anew with counts of our own.

Format: Live2D Inc., CubismSpecs, ``physics3.json`` and ``pose3.json``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from visavis.base.reading import finite_number, json_type
from visavis.errors import InputError

PHYSICS_VERSION = 3
POSE_TYPE = "Live2D Pose"
# No id or file name is longer.
MAX_TEXT = 256
# Live2D's native reader refuses a file with a number such as 6e-05 or 1e+16.
DECIMALS = 4
MAX_NUMBER = 1e9


@dataclass(frozen=True, slots=True)
class Maybe:
    """A key that may be left out; it then has this value."""

    shape: Any
    value: Any


_VECTOR = {"X": float, "Y": float}
_RANGE = {"Minimum": float, "Default": float, "Maximum": float}
_TARGET = {"Target": ("Parameter",), "Id": str}
_AXIS = ("X", "Y", "Angle")
_SETTING = {
    "Id": str,
    "Input": [{"Source": _TARGET, "Weight": float, "Type": _AXIS, "Reflect": bool}],
    "Output": [
        {
            "Destination": _TARGET,
            "VertexIndex": float,
            "Scale": float,
            "Weight": float,
            "Type": _AXIS,
            "Reflect": bool,
        }
    ],
    "Vertices": [
        {"Position": _VECTOR, "Mobility": float, "Delay": float, "Acceleration": float, "Radius": float}
    ],
    "Normalization": {"Position": _RANGE, "Angle": _RANGE},
}
_PHYSICS = {
    "Version": (PHYSICS_VERSION,),
    "Meta": {"Fps": Maybe(float, 0.0), "EffectiveForces": {"Gravity": _VECTOR, "Wind": _VECTOR}},
    "PhysicsSettings": [_SETTING],
}
_POSE = {
    "Type": (POSE_TYPE,),
    "FadeInTime": Maybe(float, 0.5),
    "Groups": [[{"Id": str, "Link": Maybe([str], [])}]],
}


def physics(data: Any, where: str) -> dict[str, Any]:
    """The checked content of a physics3.json, with counts that are right.

    Raises:
        InputError: a value is missing or of another kind, or an output follows a vertex that is not there.
    """
    found: dict[str, Any] = shaped(data, _PHYSICS, where)
    settings = found["PhysicsSettings"]
    for number, setting in enumerate(settings):
        vertices = len(setting["Vertices"])
        if not vertices:
            raise InputError(f"{where}: PhysicsSettings[{number}] has no Vertices")
        for output in setting["Output"]:
            index = output["VertexIndex"]
            if not (index.is_integer() and 1 <= index < vertices):
                last = vertices - 1
                raise InputError(
                    f"{where}: PhysicsSettings[{number}] follows vertex {index:g}; expected 1 to {last}"
                )
            output["VertexIndex"] = int(index)
    found["Meta"] |= {
        "PhysicsSettingCount": len(settings),
        "TotalInputCount": sum(len(setting["Input"]) for setting in settings),
        "TotalOutputCount": sum(len(setting["Output"]) for setting in settings),
        "VertexCount": sum(len(setting["Vertices"]) for setting in settings),
    }
    return found


def pose(data: Any, where: str) -> dict[str, Any]:
    """The checked content of a pose3.json: which parts of the model replace each other.

    Raises:
        InputError: a value is missing or of another kind.
    """
    found: dict[str, Any] = shaped(data, _POSE, where)
    return found


def shaped(value: Any, shape: Any, where: str) -> Any:
    """The parts of a JSON value that a shape names.

    Args:
        value: what was read.
        shape: ``float``, ``str`` or ``bool``; a tuple of the allowed values; a list with the shape of each
            element; or a mapping from keys to shapes.
        where: place of the value in messages.

    Raises:
        InputError: the value has another shape.
    """
    if shape is float:
        number = finite_number(value)
        if number is not None and abs(number) <= MAX_NUMBER:
            return round(number, DECIMALS)
    elif isinstance(shape, type):
        plain = not isinstance(value, str) or (len(value) <= MAX_TEXT and value.isprintable())
        if isinstance(value, shape) and plain:
            return value
    elif isinstance(shape, tuple):
        if value in shape and not isinstance(value, bool):
            return value
    elif isinstance(shape, list):
        if isinstance(value, list):
            return [shaped(item, shape[0], f"{where}[{i}]") for i, item in enumerate(value)]
    elif isinstance(value, dict):
        return {key: _member(value, key, inner, where) for key, inner in shape.items()}
    found = repr(value) if isinstance(shape, tuple) and finite_number(value) is not None else json_type(value)
    raise InputError(f"{where}: expected {_named(shape)}; found {found}")


def _member(found: dict[str, Any], key: str, shape: Any, where: str) -> Any:
    if isinstance(shape, Maybe):
        if found.get(key) is None:
            return shape.value
        shape = shape.shape
    elif key not in found:
        raise InputError(f"{where}: the key {key} is missing")
    return shaped(found[key], shape, f"{where}: {key}")


def _named(shape: Any) -> str:
    if isinstance(shape, tuple):
        return " or ".join(map(repr, shape))
    if isinstance(shape, type):
        text = f"a printable text of at most {MAX_TEXT} characters"
        return {float: f"a number within {MAX_NUMBER:g}", str: text, bool: "true or false"}[shape]
    return "a list" if isinstance(shape, list) else "an object"
