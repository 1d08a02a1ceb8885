"""Safe reading of files from outside: no endless pipes, no unexpected Python errors."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from visavis.errors import InputError

# More digits than any whole number in our files.
MOST_DIGITS = 30
_OTHERS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_JSON_TYPES = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def regular(path: Path) -> Path:
    """The path, if it is safe to open. A missing file passes, because opening it raises an error.

    Raises:
        InputError: the path is a folder, a named pipe, a socket or a device; reading might never end.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return path
    for is_kind, kind in _OTHERS:
        if is_kind(mode):
            raise InputError(f"{path}: is {kind}, not a file; name a regular file")
    return path


def parse_json(data: str | bytes) -> Any:
    """The value of a JSON text from outside.

    Whole numbers with more than 30 digits become float, possibly infinite.

    Raises:
        ValueError: the text is not JSON, or is nested too deeply.
    """
    try:
        return json.loads(data, parse_int=_whole)
    except RecursionError as error:
        raise ValueError("lists or objects within one another, too deep to be read") from error


def _whole(text: str) -> int | float:
    return int(text) if len(text) <= MOST_DIGITS else float(text)


def json_type(value: Any) -> str:
    """The JSON name of a value's type, for messages."""
    return _JSON_TYPES.get(type(value), "a number")
