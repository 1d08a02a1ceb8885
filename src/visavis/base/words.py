"""Words for messages: counts, reasons of errors, and wrong values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# What was expected, by pydantic's type of an error; the names are those of its context.
_EXPECTED = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    **dict.fromkeys(("dict_type", "model_type", "union_tag_not_found"), "a table"),
    **dict.fromkeys(("literal_error", "enum"), "{expected}"),
    "finite_number": "a finite number",
    "string_type": "a text",
    "path_type": "the path of a file or folder",
    "union_tag_invalid": "one of {expected_tags}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "{min_length} or more of them",
    "too_long": "at most {max_length} of them",
}
_MOST_SHOWN = 60
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def counted(count: int, noun: str) -> str:
    """``1 frame``, ``2 frames``: a number with its noun, whose plural ends in s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def rounded(value: float | None, digits: int = 4) -> float | None:
    """A figure for JSON, without a minus before zero; None if there is none."""
    return None if value is None or value != value else round(float(value), digits) + 0.0


def shown(value: float | None, digits: int = 3, factor: float = 1) -> str:
    """A figure times a factor, for people, without a minus before zero; a dash if there is none."""
    return "-" if value is None or value != value else f"{factor * value:z.{digits}f}"


def writable_text(text: str) -> str:
    """Text of a file's name that can be written as UTF-8: bytes that are no UTF-8 become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def one_line(text: str) -> str:
    """Text with escapes for line breaks and other control characters, which names of files may have."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def reason(error: BaseException) -> str:
    """Why a file or a connection failed, on one line and without the number of the system's error."""
    words = getattr(error, "strerror", None) or (
        f"{error} is missing" if isinstance(error, KeyError) else str(error)
    )
    return " ".join(words.split()) or type(error).__name__


def wrong_value(problems: Sequence[Mapping[str, Any]]) -> str:
    """What was found and what was expected, of entries of pydantic's ``errors()`` about one value."""
    first = problems[0]
    if first["type"] == "missing":
        return "is missing"
    if first["type"] not in _EXPECTED:
        return str(first["msg"]).removeprefix("Value error, ")
    wanted = [
        _EXPECTED.get(each["type"], "").format(**each.get("ctx", {})).removesuffix(".0")
        for each in problems
        if each["input"] is first["input"]  # Alternatives, not the list around the value.
    ]
    found = repr(first.get("ctx", {}).get("tag", first["input"]))
    shown = found if len(found) <= _MOST_SHOWN else f"{found[:_MOST_SHOWN]}..."
    return f"found {shown}; expected {' or '.join(filter(None, dict.fromkeys(wanted)))}"
