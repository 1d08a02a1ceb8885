"""Experiments: TOML files with overrides, checked against what a task expects."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Tag, ValidationError, model_validator

from visavis.base.reading import require_finite
from visavis.base.words import wrong_value
from visavis.errors import InputError
from visavis_train.loop.toml_file import read_toml

# The seed of an experiment, as NumPy and torch take it.
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _named(folder: Path) -> Path:
    if folder.name in ("", ".."):
        raise ValueError(f"{folder} has no name of its own; expected a folder such as runs/first")
    if folder.is_file():
        raise ValueError(f"{folder} is a file; expected a folder such as runs/first")
    return folder


# The folder of a run. Runs that differ in seed or method lie beside the folder and begin with its name.
RunFolder = Annotated[Path, AfterValidator(_named)]


class Settings(BaseModel):
    """Base of all experiment configurations: immutable, with an error for unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _no_flag_is_a_number(cls, values: Any) -> Any:
        """pydantic takes ``true`` for 1; as a text, it is refused."""
        if not isinstance(values, Mapping):
            return values
        numbers = {
            name
            for name, field in cls.model_fields.items()
            if {int, float} & (kinds := {field.annotation, *get_args(field.annotation)}) and bool not in kinds
        }
        return {
            name: str(value).lower() if isinstance(value, bool) and name in numbers else value
            for name, value in values.items()
        }


_Kind = TypeVar("_Kind", bound=Settings)
_Model = TypeVar("_Model", bound=BaseModel)


def load_experiment(path: Path, kind: type[_Kind], overrides: Sequence[str] = ()) -> _Kind:
    """Read and check an experiment file; see :func:`checked_experiment`.

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
    return checked(str(path), values, kind)


def checked(place: str, values: Any, kind: type[_Model]) -> _Model:
    """A table as settings or another record; ``place`` is the file, or the option, that messages name.

    Raises:
        InputError: not what ``kind`` expects; see :func:`checked_experiment`.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = error.errors()
        where = _key(problems[0], values)
        said = wrong_value([each for each in problems if _key(each, values) == where])
        if problems[0]["type"] == "extra_forbidden":
            said = f"no such key{_nearest(kind, problems[0]['loc'])}"
        raise InputError(": ".join(part for part in (place, where, said) if part)) from error


def _key(problem: Mapping[str, Any], values: Any) -> str:
    """The key of a wrong value, with dots, without the kinds and types that pydantic names in between."""
    keys: list[str] = []
    for part in problem["loc"]:
        is_item = isinstance(values, list | tuple) and isinstance(part, int) and part < len(values)
        if is_item or (isinstance(values, Mapping) and part in values):
            values = values[part]
            keys.append(str(part))
    if problem["type"] == "missing":
        keys.append(str(problem["loc"][-1]))
    if problem["type"] == "union_tag_invalid":
        keys.append("kind")
    return ".".join(keys)


def _nearest(kind: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """A hint: ``; did you mean training.epochs?``, or the list of keys."""
    *tables, last = (str(part) for part in place)
    kinds, table = [("", kind)], ""
    for part in tables:
        if fields := [each.model_fields[part] for _, each in kinds if part in each.model_fields]:
            kinds = [inside for field in fields for inside in _tables(field.annotation)]
            table += f"{part}."
        else:  # A number in a list; or, with alternatives such as model kinds, the name of the kind.
            kinds = [(tag, each) for tag, each in kinds if tag == part] or kinds
    beside = list(dict.fromkeys(table + name for _, each in kinds for name in each.model_fields))
    for pool, cutoff in ((beside, 0.6), (_keys(kind), 0.8)):
        # A key of another kind has the same name: it would be no help.
        names = {key.rpartition(".")[2]: key for key in pool if key != table + last}
        if near := get_close_matches(last, names, 1, cutoff):
            return f"; did you mean {names[near[0]]}?"
    return f"; expected one of {', '.join(beside)}"


def _tables(annotation: Any, tag: str = "") -> list[tuple[str, type[BaseModel]]]:
    """The settings that a key may hold, with the tag of each of several kinds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        kind = annotation.model_fields.get("kind")
        return [(tag or (str(kind.default) if kind else ""), annotation)]
    tag = next((each.tag for each in getattr(annotation, "__metadata__", ()) if isinstance(each, Tag)), tag)
    return [found for part in get_args(annotation) for found in _tables(part, tag)]


def _keys(kind: type[BaseModel], above: str = "") -> list[str]:
    """Every key of a kind of experiment, with dots for tables."""
    found = []
    for name, field in kind.model_fields.items():
        found.append(above + name)
        for _, part in _tables(field.annotation):
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
