"""Messages and results in; progress and errors on standard error, results on standard output, out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def print_error(text: str) -> None:
    """One red line on standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("Error: " + " ".join(text.split()), style="red", markup=False)


def print_note(text: str) -> None:
    """One line on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def print_line(text: str) -> None:
    """One line on standard output."""
    sys.stdout.write(text + "\n")


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output: all that ``--json`` may print there."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def progress(what: str, total: int | None, unit: str = "frames") -> Iterator[Callable[[], None]]:
    """A progress bar on standard error, where that is a terminal.

    Args:
        what: is being worked on.
        total: how many steps; None where nobody knows.
        unit: what a step is.

    Yields:
        What to call after each step.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
