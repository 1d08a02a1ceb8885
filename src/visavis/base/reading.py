"""Safe reading of files from outside: no endless pipes, no unexpected Python errors."""

from __future__ import annotations

import json
import math
import stat
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from visavis.base.words import reason
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


def files_with_endings(folder: Path, endings: Iterable[str]) -> list[Path]:
    """The files of a folder and its subfolders with one of these endings, in the order of their names.

    Left out: folders, links to nothing, and hidden files (macOS puts one beside each file on a foreign disk).

    Args:
        folder: where to search.
        endings: such as ".mp4", in small letters.
    """
    wanted = frozenset(endings)
    found = (path for path in folder.rglob("*") if path.suffix.lower() in wanted)
    return sorted(path for path in found if not path.name.startswith(".") and path.is_file())


def require_distinct_names(clips: Iterable[Path]) -> None:
    """Refuse clips whose names differ only in folder or ending: results are named after clips.

    Raises:
        InputError: two clips have the same name.
    """
    if twice := [name for name, count in Counter(clip.stem for clip in clips).items() if count > 1]:
        raise InputError(f"more than one clip is called {twice[0]}; give clips of different names")


def read_bytes(path: Path, wanted: str) -> bytes:
    """A whole file.

    Args:
        path: the file.
        wanted: what it should be, for the message.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return regular(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {reason(error)}; expected {wanted}") from error


def read_start(path: Path, most_bytes: int, wanted: str) -> bytes:
    """A whole file, or its first ``most_bytes`` + 1 bytes: then it is larger than allowed.

    Args:
        path: the file.
        most_bytes: the largest allowed size.
        wanted: what to name in place of a missing file, for the message.

    Raises:
        InputError: it is missing, or cannot be read.
    """
    try:
        with regular(path).open("rb") as file:
            return file.read(most_bytes + 1)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; name {wanted}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def parse_json(data: str | bytes) -> Any:
    """The value of a JSON text from outside, with or without a byte order mark.

    Whole numbers with more than 30 digits become float, possibly infinite.

    Raises:
        ValueError: the text is empty or not JSON, or is nested too deeply.
    """
    if isinstance(data, str):
        data = data.removeprefix("\ufeff")
    if not data.strip():
        raise ValueError("it is empty")
    try:
        return json.loads(data, parse_int=_whole)
    except RecursionError as error:
        raise ValueError("lists or objects within one another, too deep to be read") from error


def _whole(text: str) -> int | float:
    return int(text) if len(text) <= MOST_DIGITS else float(text)


def read_json_object(path: Path, max_bytes: int) -> dict[str, Any]:
    """The object that a JSON file from outside holds.

    Raises:
        InputError: the file is missing, no regular file, too large or not JSON, or holds something else.
    """
    try:
        with regular(path).open("rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {reason(error)}") from error
    if len(data) > max_bytes:
        raise InputError(f"{path}: is larger than {max_bytes} bytes; no such file should be")
    try:
        found = parse_json(data)
    except ValueError as error:
        raise InputError(f"{path}: is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected an object; found {json_type(found)}")
    return found


def require_finite(values: Any, what: str = "") -> None:
    """Check that no number in the lists and tables of a TOML file is infinite or NaN.

    Args:
        values: the tables.
        what: where they stand, for the message.

    Raises:
        InputError: a number is; the message names its key.
    """
    if isinstance(values, float) and not math.isfinite(values):
        raise InputError(f"{what} is {values}; every number must be finite")
    if isinstance(values, dict):
        for key, value in values.items():
            require_finite(value, f"{what}.{key}" if what else str(key))
    if isinstance(values, list):
        for number, value in enumerate(values, start=1):
            require_finite(value, f"{what}, item {number},")


def finite_number(value: Any) -> float | None:
    """A finite number of a JSON text as float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def json_type(value: Any) -> str:
    """The JSON name of a value's type, for messages."""
    return _JSON_TYPES.get(type(value), "a number")
