"""Rows of CSV files, each with its file and line; cells are separated by commas, semicolons or tabs."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from visavis.base.reading import regular
from visavis.base.words import counted
from visavis.errors import InputError

# With or without a byte order mark.
_ENCODING = "utf-8-sig"
_SEPARATORS = ",;\t"


def separator(first_line: str) -> str:
    """What separates the cells of a table with this first line: its most frequent separator."""
    return max(_SEPARATORS, key=first_line.count)


def _separator(file: TextIO) -> str:
    first_line = file.readline()
    file.seek(0)
    return separator(first_line)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with regular(path).open(newline="", encoding=_ENCODING) as file:
            yield file
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a CSV table: it is no text in UTF-8") from error
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV table: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def header(path: Path) -> tuple[str, ...]:
    """The column names of a CSV file, stripped of blanks; none for an empty file.

    Raises:
        InputError: the file cannot be read, or is not text.
    """
    with _opened(path) as file:
        return tuple(name.strip() for name in next(csv.reader(file, delimiter=_separator(file)), []))


def rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (``file:line``, row) of a CSV file.

    Args:
        path: the file.
        columns: columns that the header must have.

    Raises:
        InputError: the file cannot be read, is not a table, lacks a column or names one twice, or has a row
            with more or fewer cells than the header.
    """
    names = header(path)
    if twice := [name for name in dict.fromkeys(names) if name and names.count(name) > 1]:
        raise InputError(f"{path}: the header names the column {twice[0]!r} twice; rename or remove one")
    if missing := set(columns) - set(names):
        raise InputError(f"{path}: the header lacks {', '.join(sorted(missing))}")
    with _opened(path) as file:
        reader = csv.reader(file, delimiter=_separator(file), skipinitialspace=True)
        next(reader)
        for cells in reader:
            where = f"{path}:{reader.line_num}"
            if not cells:  # A blank line.
                continue
            if len(cells) != len(names):
                raise InputError(
                    f"{where}: {counted(len(cells), 'cell')}; the header has {counted(len(names), 'column')}"
                )
            yield where, dict(zip(names, cells, strict=True))


def require_new(places: dict[frozenset[str], str], where: str, *names: str) -> None:
    """Check that no row before has these names, in whatever order, and note where they stand.

    Raises:
        InputError: another row has; the message names both.
    """
    if (before := places.setdefault(frozenset(names), where)) != where:
        raise InputError(f"{where}: {' and '.join(names)} stand in {before} already; delete one of the rows")


def whole_number(where: str, row: dict[str, str], column: str, low: int, high: int) -> int:
    """A cell as a whole number from ``low`` to ``high``.

    Raises:
        InputError: the cell is not a whole number, or is out of range.
    """
    text = row[column]
    try:
        value = int(text)
    except ValueError as error:
        raise InputError(f"{where}: {column} is {text!r}; expected a whole number") from error
    if not low <= value <= high:
        raise InputError(f"{where}: {column} is {value}; expected {low} to {high}")
    return value
