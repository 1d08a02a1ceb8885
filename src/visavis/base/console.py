"""Terminal output: progress and errors on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from visavis.errors import InputError, VisavisError

# Maximum width of a table in characters.
WIDEST = 1000


def print_error(text: str) -> None:
    """One red line on standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("Error: " + " ".join(text.split()), style="red", markup=False)


def print_note(text: str) -> None:
    """One line on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def raise_problems(problems: Sequence[tuple[Path, VisavisError]], *, told: bool) -> None:
    """End a command with several inputs after the good ones were read.

    Args:
        problems: inputs and their errors; if there are none, nothing happens.
        told: whether the printed output already contains each problem.

    Raises:
        VisavisError: the only problem; if there are several, their number, after a line for each.
    """
    if len(problems) == 1:
        raise problems[0][1]
    if problems:
        for _, problem in () if told else problems:
            print_note(str(problem))
        raise InputError(f"{len(problems)} inputs could not be read whole")


def print_line(text: str) -> None:
    """One line on standard output."""
    sys.stdout.write(text + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on standard output: the first column is left-aligned, the others (numbers) right-aligned."""
    table = Table(box=SIMPLE)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(markup=False, highlight=False)
    # Numbers are never cut; a narrow terminal wraps the lines instead.
    wanted = console.measure(table, options=console.options.update(width=WIDEST)).maximum
    console.width = max(console.width, wanted)
    console.print(table)


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output; ``--json`` may print nothing else there."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def progress(what: str, total: int | None, unit: str = "frames") -> Iterator[Callable[[], None]]:
    """A progress bar on standard error, if that is a terminal.

    Args:
        what: description of the work.
        total: number of steps; None if not known.
        unit: name of a step.

    Yields:
        A function to call after each step.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # Text printed while the bar runs belongs on standard output, even if that is a file.
        redirect_stdout=sys.stdout.isatty(),
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
