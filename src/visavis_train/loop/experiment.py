"""Experiments: TOML files with overrides, checked against what a task expects."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from visavis.base.reading import require_finite
from visavis.errors import InputError
from visavis_train.loop.toml_file import read_toml

# The seed of an experiment, as NumPy and torch take it.
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _named(folder: Path) -> Path:
    if folder.name in ("", ".."):
        raise ValueError(f"{folder} has no name of its own; expected a folder such as runs/first")
    return folder


# The folder of a run. Runs that differ in seed or method lie beside the folder and begin with its name.
RunFolder = Annotated[Path, AfterValidator(_named)]


class Settings(BaseModel):
    """Base of all experiment configurations: immutable, with an error for unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_Kind = TypeVar("_Kind", bound=Settings)


def load_experiment(path: Path, kind: type[_Kind], overrides: Sequence[str] = ()) -> _Kind:
    """Read and check an experiment file.

    Args:
        path: the TOML file.
        kind: the expected settings.
        overrides: see :func:`checked_experiment`.

    Raises:
        InputError: unreadable, not TOML, or not what ``kind`` expects.
    """
    return checked_experiment(path, read_toml(path), kind, overrides)


def checked_experiment(
    path: Path | str, values: dict[str, Any], kind: type[_Kind], overrides: Sequence[str] = ()
) -> _Kind:
    """The experiment with a file's values.

    Args:
        path: the file, or the option, that messages name.
        values: the values of the file.
        kind: the expected settings.
        overrides: ``key=value`` with dots for tables (``training.epochs=3``); values as in TOML, or text.

    Raises:
        InputError: not what ``kind`` expects. The message names an unknown key and the nearest valid one.
    """
    for override in overrides:
        _override(values, override)
    try:
        require_finite(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where, said = first_problem(error)
        if first["type"] == "tuple_type":
            said = f"found {first['input']!r}; expected a list"
        if first["type"] == "extra_forbidden":
            said = f"no such key{_nearest(kind, first['loc'])}"
        raise InputError(": ".join(part for part in (str(path), where, said) if part)) from error


def first_problem(error: ValidationError) -> tuple[str, str]:
    """Where the first problem is, with dots for tables, and what it is; without pydantic's own prefix."""
    first = error.errors()[0]
    return ".".join(str(part) for part in first["loc"]), first["msg"].removeprefix("Value error, ")


def _nearest(kind: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """A hint: ``; did you mean training.epochs?``, or the list of keys."""
    keys = _keys(kind)
    *tables, last = (str(part) for part in place)
    # With alternatives such as model kinds, the place also names the kind.
    table = ".".join(part for part in tables if any(part in key.split(".")[:-1] for key in keys))
    beside = [key for key in keys if key.rpartition(".")[0] == table]
    for pool, cutoff in ((beside, 0.6), (keys, 0.8)):
        names = {key.rpartition(".")[2]: key for key in pool}
        if near := get_close_matches(last, names, 1, cutoff):
            return f"; did you mean {names[near[0]]}?"
    return f"; expected one of {', '.join(beside or keys)}"


def _keys(kind: type[BaseModel], above: str = "") -> list[str]:
    """Every key of a kind of experiment, with dots for tables."""
    found = []
    for name, field in kind.model_fields.items():
        found.append(above + name)
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found += _keys(part, f"{above}{name}.")
    return list(dict.fromkeys(found))


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested tables as one flat table, with keys such as ``training.rounds``."""
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
