"""Reading a rig file; docs/puppet.md describes the format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from visavis.avatar.puppet_path import controls, parse_knots, smooth_runs
from visavis.avatar.rig import PARAMETER_INDEX, Layer, Line, Paint, Rig, Spring
from visavis.avatar.rig_keys import Floats, Key, KeyTable
from visavis.base.reading import parse_json
from visavis.channels import AVATAR_PARAMETERS
from visavis.errors import InputError

Table = Mapping[str, Any]

LAYER_FIELDS = frozenset(
    ("name", "part", "path", "open", "fill", "line", "clip", "opacity", "fade", "keys", "mirror")
).union(("depth", "bulge", "follow", "sway"))
KEY_FIELDS = frozenset(("at", "path", "nudge", "move", "scale", "turn", "about"))


def load_rig(text: str, source: str = "rig") -> Rig:
    """Read a rig from JSON.

    Raises:
        InputError: bad JSON, an unknown field, parameter, layer or spring, or a malformed outline.
    """
    try:
        data = parse_json(text)
    except ValueError as error:
        raise InputError(f"{source}: not JSON: {error}") from error
    try:
        return _Loader(data).rig()
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{source}: not a rig: {type(error).__name__} {error}") from error


class _Loader:
    """Builds the layers one after the other; one array holds the points of all layers."""

    def __init__(self, data: Table) -> None:
        self.data = data
        expected = {name: list(bounds) for name, bounds in AVATAR_PARAMETERS.items()}
        if data["parameters"] != expected:
            raise InputError("its parameters differ from visavis.channels.AVATAR_PARAMETERS")
        self.springs = tuple(_spring(name, spec) for name, spec in data["springs"].items())
        self.layers: list[Layer] = []
        self.keys: list[tuple[int, Key]] = []
        self.columns: dict[str, list[Floats]] = {
            name: [] for name in ("points", "depth", "bulge", "follow", "carried", "sway")
        }
        self.count = 0

    def rig(self) -> Rig:
        for spec in expand(self.data):
            self.add(spec)
        joined = {name: np.concatenate(parts) for name, parts in self.columns.items()}
        head, body = (
            {k: tuple(v) if isinstance(v, list) else (v,) for k, v in self.data[part].items()}
            for part in ("head", "body")
        )
        return Rig(
            self.data["name"],
            float(self.data["size"]),
            head,
            body,
            tuple(self.layers),
            KeyTable(self.keys, self.count),
            self.springs,
            **joined,
        )

    def add(self, spec: Table) -> None:
        closed = not spec.get("open", False)
        knots, corners = parse_knots(spec["path"])
        outline = controls(knots, corners, closed)
        fill, anchors = _paint(spec["fill"]) if "fill" in spec else (None, np.empty((0, 2)))
        points = np.concatenate([outline, anchors])
        line = _line(spec["line"], corners, closed) if "line" in spec else None
        clip = self._index(spec["clip"]) if "clip" in spec else None
        start, self.count = self.count, self.count + len(points)
        self.layers.append(
            Layer(
                spec["name"],
                start,
                self.count,
                len(outline) // 3,
                fill,
                line,
                clip,
                float(spec.get("opacity", 1)),
                tuple(_fade(fade) for fade in spec.get("fade", ())),
                spec["part"] == "backdrop",
            )
        )
        keys = _keys(spec.get("keys", ()), knots, corners, closed, points)
        self.keys += [(start, key) for key in keys]
        self._place(spec, points)

    def _place(self, spec: Table, points: Floats) -> None:
        """All properties of the layer's points that do not depend on parameters."""
        rows, y = len(points), points[:, 1]
        low, high = self.data["body"]["from"], self.data["body"]["to"]
        carried = np.zeros(rows) if spec["part"] == "backdrop" else smoothstep((y - low) / (high - low))
        follow = spec.get("follow", 0)
        sway = np.zeros((rows, len(self.springs)))
        names = [spring.name for spring in self.springs]
        for name, root, tip, gain in spec.get("sway", ()):
            if name not in names:
                raise InputError(f"layer {spec['name']}: no spring is called {name!r}")
            sway[:, names.index(name)] += gain * np.clip((y - root) / (tip - root), 0, 1) ** 2
        placed = {
            "points": points,
            "depth": np.full(rows, float(spec.get("depth", 0))),
            "bulge": np.full(rows, float(spec.get("bulge", 0))),
            "follow": smoothstep((y - follow[1]) / (follow[0] - follow[1]))
            if isinstance(follow, list)
            else np.full(rows, float(follow)),
            "carried": carried,
            "sway": sway,
        }
        for name, value in placed.items():
            self.columns[name].append(value)

    def _index(self, name: str) -> int:
        for index, layer in enumerate(self.layers):
            if layer.name == name:
                return index
        raise InputError(f"no layer before it is called {name!r}")


def expand(data: Table) -> Iterable[dict[str, Any]]:
    """Layers with their part's defaults and shared keys written out; each mirrored layer occurs twice.

    A mirrored layer is the character's left side (names with ``_L``); its twin is mirrored at the drawing's
    middle, with left and right swapped in names and parameters, and with the opposite sign of lateral
    parameters (those that mean a screen direction).
    """
    for raw in data["layers"]:
        if unknown := raw.keys() - LAYER_FIELDS:
            raise InputError(f"layer {raw.get('name')}: unknown field {', '.join(sorted(unknown))}")
        keys: list[Table] = []
        for key in raw.get("keys", ()):
            keys += data["keysets"][key] if isinstance(key, str) else [key]
        spec = {**data["parts"][raw["part"]], **raw, "keys": keys}
        yield spec
        if spec.get("mirror"):
            yield _mirrored(spec, data["size"], frozenset(data["lateral"]))


def _mirrored(spec: Table, size: float, lateral: frozenset[str]) -> dict[str, Any]:
    def point(pair: Sequence[float]) -> list[float]:
        return [size - pair[0], pair[1]]

    def path(text: str) -> str:
        return re.sub(r"(\S+),", lambda found: f"{size - float(found[1])!r},", text)

    def key(raw: Table) -> dict[str, Any]:
        out = dict(raw)
        out["at"] = {swap(name): -v if name in lateral else v for name, v in raw["at"].items()}
        out |= {"path": path(raw["path"])} if "path" in raw else {}
        out |= {"about": point(raw["about"])} if "about" in raw else {}
        out |= {"move": [-raw["move"][0], raw["move"][1]]} if "move" in raw else {}
        out |= {"turn": -raw["turn"]} if "turn" in raw else {}
        out |= {"nudge": {k: [-v[0], v[1]] for k, v in raw["nudge"].items()}} if "nudge" in raw else {}
        return out

    out = {**spec, "name": swap(spec["name"]), "path": path(spec["path"])}
    out["keys"] = [key(raw) for raw in spec["keys"]]
    if isinstance(fill := spec.get("fill"), dict):
        out["fill"] = {k: v if k == "stops" else [point(pair) for pair in v] for k, v in fill.items()}
    out |= {"clip": swap(spec["clip"])} if "clip" in spec else {}
    out |= {"fade": [[swap(name), *steps] for name, *steps in spec["fade"]]} if "fade" in spec else {}
    return out


def swap(name: str) -> str:
    """Left and right swapped in a layer's name or a parameter's id."""
    return re.sub(r"(?<=_)L$|(?<=ParamEye)L|(?<=ParamBrow)L|(?<=ParamMouth)L(?=Form)", "R", name)


def smoothstep(t: Floats) -> Floats:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float64)


def _color(text: str) -> Floats:
    """``#rrggbb`` or ``#rrggbbaa`` as red, green, blue 0..255 and alpha 0..1."""
    if not re.fullmatch(r"#([0-9a-f]{6}|[0-9a-f]{8})", text):
        raise InputError(f"found the colour {text!r}; expected '#rrggbb' or '#rrggbbaa'")
    parts = [int(text[i : i + 2], 16) for i in range(1, len(text), 2)]
    return np.array([*parts[:3], parts[3] / 255 if len(parts) == 4 else 1.0])


def _paint(spec: str | Table) -> tuple[Paint, Floats]:
    """A paint and its anchor points (0, 2 or 3, 2)."""
    if isinstance(spec, str):
        return Paint("solid", np.concatenate([[0.0], _color(spec)])[None]), np.empty((0, 2))
    kind = "linear" if "linear" in spec else "radial"
    anchors = np.array(spec[kind], np.float64)
    stops = np.array([[position, *_color(color)] for position, color in spec["stops"]])
    return Paint(kind, stops), anchors


def _line(spec: Table, corners: list[bool], closed: bool) -> Line:
    start, end = spec.get("taper", (1, 1))
    return Line(
        _color(spec["color"]), float(spec["width"]), (start, end), tuple(smooth_runs(corners, closed))
    )


def _fade(spec: Sequence[Any]) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    name, *steps = spec
    return _parameter(name), tuple(step[0] for step in steps), tuple(step[1] for step in steps)


def _spring(name: str, spec: Table) -> Spring:
    follow, hang = (
        tuple((_parameter(parameter), float(gain)) for parameter, gain in spec.get(field, {}).items())
        for field in ("follow", "hang")
    )
    return Spring(name, "xy".index(spec["axis"]), spec["frequency_hz"], spec["damping"], follow, hang)


def _parameter(name: str) -> int:
    if name not in PARAMETER_INDEX:
        raise InputError(f"no parameter of the avatar: {name}")
    return PARAMETER_INDEX[name]


def _keys(
    specs: Sequence[Table], knots: Floats, corners: list[bool], closed: bool, points: Floats
) -> tuple[Key, ...]:
    """Keys of one layer; keys with the same parameters form a grid, with interpolation between its lines."""
    keys = []
    for spec in specs:
        if unknown := spec.keys() - KEY_FIELDS:
            raise InputError(f"key at {spec.get('at')}: unknown field {', '.join(sorted(unknown))}")
        group = [other["at"] for other in specs if other["at"].keys() == spec["at"].keys()]
        hats = []
        for name, peak in spec["at"].items():
            lines = sorted({AVATAR_PARAMETERS[name][2], *(at[name] for at in group)})
            place = lines.index(peak)
            left, right = lines[max(place - 1, 0)], lines[min(place + 1, len(lines) - 1)]
            hats.append((_parameter(name), float(left), float(peak), float(right)))
        keys.append(Key(tuple(hats), _posed(spec, knots, corners, closed, points) - points))
    return tuple(keys)


def _posed(spec: Table, knots: Floats, corners: list[bool], closed: bool, points: Floats) -> Floats:
    """A layer's points (n, 2) as one key defines them."""
    out, moved = points.copy(), knots.copy()
    if "path" in spec:
        moved, _ = parse_knots(spec["path"])
        if len(moved) != len(knots):
            raise InputError(f"key at {spec['at']}: found {len(moved)} knots; expected {len(knots)}")
    for index, offset in spec.get("nudge", {}).items():
        moved[int(index)] += offset
    outline = controls(moved, corners, closed)
    out[: len(outline)] = outline
    about = np.array(spec.get("about", (knots.min(axis=0) + knots.max(axis=0)) / 2))
    angle = np.radians(spec.get("turn", 0))
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    out = (out - about) * spec.get("scale", (1, 1)) @ matrix + about
    return np.asarray(out + spec.get("move", (0, 0)), np.float64)
