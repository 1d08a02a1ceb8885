"""Reader of TOML files, one of which may extend another."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visavis.base.reading import regular
from visavis.errors import InputError


def read_toml(path: Path) -> dict[str, Any]:
    """The values of a TOML file, with those of the file that its key ``extends`` names.

    Tables of the two files are joined key by key; a table with another ``kind`` replaces the first file's.

    Raises:
        InputError: unreadable, not TOML, or a file that extends itself.
    """
    return _read(path, ())


def _read(path: Path, below: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in below:
        raise InputError(f"{path}: extends itself; expected a file that stands alone")
    try:
        values = tomllib.loads(regular(path).read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; expected an experiment, a TOML file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file: {error}") from error
    if (first := values.pop("extends", None)) is None:
        return values
    if not isinstance(first, str):
        raise InputError(f"{path}: extends: found {first!r}; expected the name of a file in quotes")
    return _joined(_read(path.parent / first, (*below, path.resolve())), values)


def _joined(first: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    if then.get("kind", first.get("kind")) != first.get("kind"):
        return dict(then)
    both = {key: (first[key], value) for key, value in then.items() if key in first}
    tables = {key: pair for key, pair in both.items() if all(isinstance(value, Mapping) for value in pair)}
    return {**first, **then, **{key: _joined(*pair) for key, pair in tables.items()}}
