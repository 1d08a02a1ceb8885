"""Writing and reading Live2D expression files (exp3.json).

Format: Live2D Inc., CubismSpecs, ``FileFormats/exp3.json.md``. A missing ``Blend`` means Add, and a missing
fade 1 s, as in Live2D's Cubism Native Framework (``CubismExpressionMotion.cpp``).
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from visavis.base.files import PathText, as_path, whole_file
from visavis.base.reading import finite_number, read_json_object
from visavis.errors import InputError

TYPE = "Live2D Expression"
USUAL_FADE_S = 1.0
MAX_BYTES = 1 << 20
# More would give numbers such as 6e-05, for which Live2D's native reader refuses the whole file.
DECIMALS = 4


class BlendMode(StrEnum):
    """How an expression changes a parameter."""

    ADD = "Add"
    MULTIPLY = "Multiply"
    OVERWRITE = "Overwrite"


@dataclass(frozen=True, slots=True)
class Change:
    """What an expression does to one parameter.

    Attributes:
        name: the parameter's id.
        value: the number to add, to multiply by or to set.
        blend: which of these.
    """

    name: str
    value: float
    blend: BlendMode = BlendMode.ADD

    def apply(self, before: float) -> float:
        """The parameter's value under the full expression."""
        match self.blend:
            case BlendMode.ADD:
                return before + self.value
            case BlendMode.MULTIPLY:
                return before * self.value
            case BlendMode.OVERWRITE:
                return self.value


@dataclass(frozen=True, slots=True)
class Exp3:
    """An expression file.

    Attributes:
        changes: in the file's order.
        fade_in_s: seconds until the expression is full.
        fade_out_s: seconds until it has gone.
    """

    changes: tuple[Change, ...]
    fade_in_s: float = USUAL_FADE_S
    fade_out_s: float = USUAL_FADE_S

    def apply(self, values: Mapping[str, float]) -> dict[str, float]:
        """Parameters by id under the full expression; parameters that are not there are left out."""
        result = dict(values)
        for change in self.changes:
            if change.name in result:
                result[change.name] = change.apply(result[change.name])
        return result


def write_exp3(path: PathText, expression: Exp3) -> None:
    """Write an expression file; it appears complete or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    data = {
        "Type": TYPE,
        "FadeInTime": round(expression.fade_in_s, DECIMALS),
        "FadeOutTime": round(expression.fade_out_s, DECIMALS),
        "Parameters": [
            {"Id": change.name, "Value": round(change.value, DECIMALS), "Blend": change.blend.value}
            for change in expression.changes
        ],
    }
    with whole_file(as_path(path)) as partial:
        partial.write_text(json.dumps(data, indent=1) + "\n", "utf-8")


def read_exp3(path: PathText) -> Exp3:
    """Read an expression file.

    Raises:
        InputError: the file is missing, too large, not JSON or no expression, or has a malformed parameter.
    """
    path = as_path(path)
    data = read_json_object(path, MAX_BYTES)
    if data.get("Type") != TYPE:
        raise InputError(f"{path}: an exp3.json has Type {TYPE!r}; found {reprlib.repr(data.get('Type'))}")
    parameters = data.get("Parameters")
    if not isinstance(parameters, list):
        raise InputError(f"{path}: an exp3.json has the list Parameters")
    fades = []
    for key in ("FadeInTime", "FadeOutTime"):
        fade_s = finite_number(data.get(key, USUAL_FADE_S))
        if fade_s is None or fade_s < 0:
            raise InputError(f"{path}: {key} must be seconds from 0 on; found {reprlib.repr(data[key])}")
        fades.append(fade_s)
    changes = tuple(_change(f"{path}: parameter {i}", entry) for i, entry in enumerate(parameters))
    return Exp3(changes, *fades)


def _change(where: str, data: Any) -> Change:
    if not isinstance(data, dict):
        raise InputError(f"{where}: expected an object; found {type(data).__name__}")
    name, value, blend = data.get("Id"), finite_number(data.get("Value")), data.get("Blend", BlendMode.ADD)
    if not isinstance(name, str) or value is None or blend not in tuple(BlendMode):
        raise InputError(f"{where} needs an Id, a finite Value, and as Blend {', '.join(BlendMode)}")
    return Change(name, value, BlendMode(blend))
