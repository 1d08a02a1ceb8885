"""An experiment's TOML file and overrides in, a checked configuration out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from visavis.base.reading import regular
from visavis.errors import InputError


class Settings(BaseModel):
    """Base of all experiment configurations: immutable, and unknown keys fail."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_Kind = TypeVar("_Kind", bound=Settings)


def read_toml(path: Path) -> dict[str, Any]:
    """The values of a TOML file.

    Raises:
        InputError: unreadable, or not TOML.
    """
    try:
        return tomllib.loads(regular(path).read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file: {error}") from error


def load_experiment(path: Path, kind: type[_Kind], overrides: Sequence[str] = ()) -> _Kind:
    """Read and check an experiment.

    Args:
        path: the TOML file.
        kind: what it must be.
        overrides: ``key=value`` with dots for tables (``training.epochs=3``); values as in TOML, or text.

    Raises:
        InputError: unreadable, not TOML, or not what ``kind`` expects.
    """
    values = read_toml(path)
    for override in overrides:
        _override(values, override)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "tuple_type":
            said = f"found {first['input']!r}; expected a list"
        raise InputError(": ".join(part for part in (str(path), where, said) if part)) from error


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Tables within tables as one, with keys such as ``training.rounds``."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        result |= flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {above + key: value}
    return result


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    *tables, last = key.strip().split(".")
    if not equals or not last:
        raise InputError(f"--set {override}: expected key=value, such as training.epochs=3")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise InputError(f"--set {override}: {table} is a value, not a table")
    try:
        values[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        values[last] = text.strip()
