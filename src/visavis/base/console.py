"""Terminal output: progress and errors on standard error, results on standard output.

Rich is imported when something is printed with it: every command imports this module.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis.base.files import json_text
from visavis.base.words import one_line, reason
from visavis.errors import InputError, VisavisError

if TYPE_CHECKING:
    from rich.console import Console

# Maximum width of a table in characters.
WIDEST = 1000
# Exit status of programs that SIGPIPE ends.
CLOSED_PIPE = 141
# Without a terminal, lines say how far long work is: time of the first one, and the longest time between two.
FIRST_LINE_S, RAREST_LINE_S = 60.0, 600.0
# Takes errors (True) and notes in place of standard error; a server's log in another format sets it.
_teller: Callable[[bool, str], None] | None = None


class _Forgiving(io.FileIO):
    """A file that drops what cannot be written."""

    def write(self, data: Any) -> int:
        """Write, or drop, all or a part of the bytes; returns how many."""
        try:
            written = super().write(data)
        except OSError:
            written = None
        return len(data) if written is None else written


def forgive_stderr() -> None:
    """From now on, notes, errors and progress bars are dropped if standard error cannot be written.

    A terminal that was closed, a full disk or a pipe without a reader must not end the work.
    """
    before = sys.stderr
    if isinstance(before, io.TextIOWrapper) and before is sys.__stderr__:
        file = io.BufferedWriter(_Forgiving(before.fileno(), "w", closefd=False))
        sys.stderr = io.TextIOWrapper(file, before.encoding, before.errors, line_buffering=True)


def tell_through(teller: Callable[[bool, str], None] | None) -> None:
    """Pass errors (True) and notes (False) on from now on, in place of printing them; None prints them."""
    global _teller
    _teller = teller


def print_error(text: str) -> None:
    """One red line on standard error."""
    line = one_line(" ".join(text.split()))
    if _teller is not None:
        _teller(True, line)
    else:
        _plain(stderr=True).print("Error: " + line, style="red")


def print_note(text: str) -> None:
    """One line on standard error."""
    line = one_line(text)
    if _teller is not None:
        _teller(False, line)
    else:
        _plain(stderr=True).print(line)


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
    write_out(one_line(text) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on standard output: the first column is left-aligned, the others (numbers) right-aligned."""
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(one_line, row))
    console = _plain(stderr=False)
    # Numbers are never cut; a narrow terminal wraps the lines instead.
    wanted = console.measure(table, options=console.options.update(width=WIDEST)).maximum
    console.width = max(console.width, wanted)
    with console.capture() as drawn:
        console.print(table)
    write_out(drawn.get())


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output; ``--json`` may print nothing else there."""
    write_out(json_text(value))
    write_out("\n", flush=True)  # With PYTHONUNBUFFERED, only the next write says that the reader has gone.


def print_json_line(value: Mapping[str, Any]) -> None:
    """One JSON object on one line of standard output, at once."""
    write_out(json.dumps(value, allow_nan=False) + "\n", flush=True)


def write_out(text: str = "", *, flush: bool = False) -> None:
    """Write on standard output.

    Args:
        text: the text.
        flush: write it at once, with all that was written before.

    Raises:
        InputError: it cannot be written, for example since a disk is full.
        SystemExit: whoever read it, such as ``head``, has closed it: the program ends without a word.
    """
    try:
        sys.stdout.write(text)
        if flush:
            sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = io.StringIO()
        raise SystemExit(CLOSED_PIPE) from None
    except OSError as error:
        sys.stdout = io.StringIO()  # Python would write the rest again at the end.
        raise InputError(f"standard output cannot be written: {reason(error)}") from error


@contextmanager
def progress(what: str, total: int | None, unit: str = "frames") -> Iterator[Callable[[], None]]:
    """Progress on standard error: a bar if that is a terminal, else now and then a line.

    Args:
        what: description of the work.
        total: number of steps; None if not known.
        unit: name of a step.

    Yields:
        A function to call after each step.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield _Lines(what, total, unit).step
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = _plain(stderr=True, wraps=False)
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


class _Lines:
    """Progress in lines: after 1, 2, 4 and 8 minutes, and so on, later each ten minutes."""

    def __init__(self, what: str, total: int | None, unit: str) -> None:
        self._what, self._unit = what, unit
        self._of = f" of {total}" if total else ""
        self._done = 0
        self._begin_s = time.monotonic()
        self._next_s = FIRST_LINE_S

    def step(self) -> None:
        """Count a step."""
        self._done += 1
        passed_s = time.monotonic() - self._begin_s
        if passed_s >= self._next_s:
            self._next_s = passed_s + min(passed_s, RAREST_LINE_S)
            print_note(f"{self._what}: {self._done}{self._of} {self._unit} after {passed_s / 60:.0f} min")


def _plain(*, stderr: bool, wraps: bool = True) -> Console:
    """A console that prints texts as they are: paths may contain ``:on:`` or ``[bold]``.

    Args:
        stderr: whether it prints on standard error.
        wraps: whether the terminal wraps long lines; else they are cut.
    """
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=wraps)
