"""Reading a retarget file: TOML with one table for each parameter; docs/how-to/retarget.md describes it."""

from __future__ import annotations

import codecs
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

from visavis.base.reading import read_start
from visavis.base.words import counted
from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.errors import InputError

MAX_BYTES = 1 << 16
MAX_PARAMETERS = 1000
MAX_NAME = 100
MAX_POINTS = 8
LARGEST = 1e6
# tomllib takes time with the square of a dotted key's length. No line of a real file has so many dots.
MAX_DOTS = 200
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Stands for the side in the name of a table, and for Left or Right in the name of a channel.
SIDE = "*"
SIDES = ("Left", "Right")
MIRROR = "mirror"
KEYS = ("sum", "dead_zone", "gain", "offset", "in", "out", "curve", "sides")
GAMMA = (0.05, 20.0)
STRAIGHT = ((0.0, 0.0), (1.0, 1.0))


@dataclass(frozen=True, slots=True)
class Rule:
    """How one parameter follows the face.

    Attributes:
        sum: channel -> weight.
        dead_zone: movements of the sum up to this size count as none; larger ones lose as much.
        gain: factor of the sum, after the dead zone.
        offset: added to the sum.
        inputs: the range of the sum with its offset; values beyond it are clipped.
        outputs: the range of the parameter; it may fall.
        gamma: exponent of the way from rest to each end of the range.
        points: the curve as points (share of the input, share of the output) with straight lines between.
    """

    sum: Mapping[str, float] = field(default_factory=dict)
    dead_zone: float = 0.0
    gain: float = 1.0
    offset: float = 0.0
    inputs: tuple[float, float] = (0.0, 1.0)
    outputs: tuple[float, float] = (0.0, 1.0)
    gamma: float = 1.0
    points: tuple[tuple[float, float], ...] = STRAIGHT


@dataclass(frozen=True, slots=True)
class Rules:
    """The content of a retarget file.

    Attributes:
        by_parameter: parameter -> rule, in the order of the file.
        mirror: whether the face is flipped first, as in a mirror: left and right change places.
    """

    by_parameter: Mapping[str, Rule]
    mirror: bool = False


def read_text(path: Path) -> str:
    """The text of a retarget file.

    Raises:
        InputError: it is missing, unreadable, too large, or no text.
    """
    return decode(read_start(path, MAX_BYTES, "a retarget file, TOML"), str(path))


def decode(data: bytes, source: str) -> str:
    """The text in the bytes of a retarget file.

    Raises:
        InputError: it is too large, or no text.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{source}: no retarget file has more than {MAX_BYTES} bytes; name another")
    try:
        # PowerShell's > writes UTF-16, and some editors begin a file with a byte order mark.
        return data.decode("utf-16" if data.startswith(UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: is no text in UTF-8; name a retarget file, TOML") from error


def parse(text: str, source: str) -> Rules:
    """The rules of a retarget file.

    Args:
        text: the TOML text.
        source: name of the file in messages.

    Raises:
        InputError: the text is no retarget file; the message names file, table and key.
    """
    try:
        tables = _tables(text)
        mirror = tables.pop(MIRROR) if isinstance(tables.get(MIRROR), bool) else False
        rules: dict[str, Rule] = {}
        for name, table in tables.items():
            for parameter, rule in _sided(name, table):
                if parameter in rules:
                    raise InputError(f"[{name}]: two tables make {parameter}; leave one of them out")
                rules[parameter] = rule
        if not 0 < len(rules) <= MAX_PARAMETERS:
            raise InputError(f"has {counted(len(rules), 'parameter')}; expected 1 to {MAX_PARAMETERS}")
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    return Rules(rules, mirror)


def _tables(text: str) -> dict[str, Any]:
    if any(line.count(".") > MAX_DOTS for line in text.splitlines()):
        raise InputError(f"a line has more than {MAX_DOTS} dots; no retarget file has")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise InputError("is no TOML: lists or tables are nested too deep") from error
    except ValueError as error:  # TOMLDecodeError, and whole numbers of too many digits.
        raise InputError(f"is no TOML: {' '.join(str(error).split())[:200]}") from error


def _sided(name: str, table: Any) -> list[tuple[str, Rule]]:
    """The rules of one table by parameter: two if its name holds the side."""
    if name == MIRROR and not isinstance(table, dict):
        raise InputError(f"{MIRROR}: found {_kind(table)}; expected true or false")
    if not isinstance(table, dict):
        raise InputError(
            f"{name[:MAX_NAME]!r} stands in no table; expected [NameOfParameter] above it, or {MIRROR} = true"
        )
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise InputError(
            f"[{name[:MAX_NAME]!r}]: a name has 1 to {MAX_NAME} characters, and all can be printed"
        )
    for key in table:
        if key not in KEYS:
            raise InputError(f"[{name}] {key[:MAX_NAME]!r}: no such key{_near(key, KEYS)}")
    if SIDE not in name:
        if "sides" in table:
            raise InputError(f"[{name}] sides: the name of the table holds no {SIDE} for the side")
        return [(name, _Reader(name, table, None).rule())]
    sides = table.get("sides", list(SIDES))
    two = isinstance(sides, list) and len(sides) == 2 and all(isinstance(side, str) for side in sides)
    if not two or sides[0] == sides[1]:
        raise InputError(f'[{name}] sides: expected two different texts, such as ["L", "R"]')
    return [
        (name.replace(SIDE, part), _Reader(name, table, side).rule())
        for part, side in zip(sides, SIDES, strict=True)
    ]


class _Reader:
    """Checks the values of one table for one side."""

    def __init__(self, name: str, table: Mapping[str, Any], side: str | None) -> None:
        self.name, self.table, self.side = name, table, side

    def rule(self) -> Rule:
        inputs = self._range("in", (0.0, 1.0))
        outputs = self._range("out", inputs)
        if inputs[0] >= inputs[1]:
            raise self._wrong("in", f"{list(inputs)}", "the lower end first; turn out around to reverse")
        gamma, points = self._curve()
        dead_zone = self._number("dead_zone", 0.0)
        if dead_zone < 0:
            raise self._wrong("dead_zone", f"{dead_zone:g}", "0 or more")
        offset = self._number("offset", 0.0)
        gain = self._number("gain", 1.0)
        return Rule(self._sum(), dead_zone, gain, offset, inputs, outputs, gamma, points)

    def _sum(self) -> dict[str, float]:
        weights = self.table.get("sum", {})
        if not isinstance(weights, dict):
            raise self._wrong("sum", _kind(weights), "a table, such as {jawOpen = 1, mouthClose = -1}")
        terms: dict[str, float] = {}
        for written, weight in weights.items():
            if SIDE in written and self.side is None:
                raise InputError(
                    f"[{self.name}] sum.{written}: {SIDE} needs a {SIDE} in the name of the table"
                )
            channel = written.replace(SIDE, self.side or "")
            if channel not in FACE_INDEX:
                shown = channel[:MAX_NAME]
                near = _near(channel, FACE_CHANNELS)
                raise InputError(f"[{self.name}] sum: no channel is called {shown!r}{near}")
            if channel in terms:
                raise InputError(f"[{self.name}] sum: {channel} is named twice")
            terms[channel] = self._checked(f"sum.{written}", weight)
        return terms

    def _curve(self) -> tuple[float, tuple[tuple[float, float], ...]]:
        """Exponent and points."""
        value = self.table.get("curve", 1.0)
        if not isinstance(value, list):
            gamma = self._checked("curve", value)
            if not GAMMA[0] <= gamma <= GAMMA[1]:
                raise self._wrong("curve", f"{gamma:g}", f"a gamma from {GAMMA[0]:g} to {GAMMA[1]:g}")
            return gamma, STRAIGHT
        pairs = [pair for pair in value if isinstance(pair, list) and len(pair) == 2]
        if len(pairs) < len(value) or not 2 <= len(pairs) <= MAX_POINTS:
            raise self._wrong("curve", "other lists", f"2 to {MAX_POINTS} points, such as [[0, 0], [1, 1]]")
        points = tuple((self._checked("curve", x), self._checked("curve", y)) for x, y in pairs)
        rising = all(x0 < x1 and y0 <= y1 for (x0, y0), (x1, y1) in pairwise(points))
        if not rising or (points[0][0], points[-1][0]) != (0, 1) or points[0][1] < 0 or points[-1][1] > 1:
            raise self._wrong(
                "curve",
                f"{[list(point) for point in points]}",
                "x rising from 0 to 1, y within 0..1, not falling",
            )
        return 1.0, points

    def _range(self, key: str, default: tuple[float, float]) -> tuple[float, float]:
        if key not in self.table:
            return default
        value = self.table[key]
        if not isinstance(value, list) or len(value) != 2:
            raise self._wrong(key, _kind(value), "two numbers, such as [-30, 30]")
        low, high = (self._checked(key, number) for number in value)
        if low == high:
            raise self._wrong(key, f"{value}", "two different numbers")
        return low, high

    def _number(self, key: str, default: float) -> float:
        return self._checked(key, self.table.get(key, default))

    def _checked(self, key: str, value: Any) -> float:
        """A finite number of usual size."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, _kind(value), "a number")
        # Python compares a whole number of any size, but cannot turn every one into a float.
        if not (-LARGEST <= value <= LARGEST and math.isfinite(value)):
            raise self._wrong(key, "nan" if value != value else "more", f"at most {LARGEST:g}, finite")
        return float(value)

    def _wrong(self, key: str, found: str, expected: str) -> InputError:
        return InputError(f"[{self.name}] {key}: found {found}; expected {expected}")


def _near(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name[:MAX_NAME], known, 1)
    return (
        f"; did you mean {near[0]!r}?"
        if near
        else f"; there are {', '.join(known[:12])}" + (", ..." if len(known) > 12 else "")
    )


def _kind(value: Any) -> str:
    kinds = {
        dict: "a table",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return kinds.get(type(value), f"a {type(value).__name__}")
