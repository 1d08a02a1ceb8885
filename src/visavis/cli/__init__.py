"""The command line; bad input ends a command with status 2 and one clear line."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated

import typer

from visavis import __version__
from visavis.base.console import print_error
from visavis.cli.bench import bench
from visavis.cli.corpus import corpus
from visavis.cli.demo import demo
from visavis.cli.dictionary import dictionary
from visavis.cli.doctor import doctor
from visavis.cli.evaluate import evaluate
from visavis.cli.react import react
from visavis.cli.recognize import recognize
from visavis.cli.run import run
from visavis.cli.serve import serve
from visavis.errors import MissingExtraError, VisavisError

# The commands' modules import only typer; everything else is imported when a command runs.
app = typer.Typer(
    name="visavis",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
USE, MEASURE, TRAIN = "Use", "Measure", "Train"
app.command(rich_help_panel=USE)(demo)
app.command(rich_help_panel=USE)(run)
app.command(rich_help_panel=USE)(react)
app.command(rich_help_panel=USE)(recognize)
app.command(rich_help_panel=USE)(serve)
app.add_typer(evaluate, rich_help_panel=MEASURE)
app.command(rich_help_panel=MEASURE)(bench)
app.command(rich_help_panel=MEASURE)(doctor)
app.command(rich_help_panel=MEASURE)(dictionary)
app.add_typer(corpus, rich_help_panel=TRAIN)
# The research commands; torch is imported when one of them runs.
import_module("visavis_train.commands").mount(app)

BAD_INPUT = 2
# Packages of the extra `train`.
TRAIN_PACKAGES = frozenset(
    """accelerate bitsandbytes matplotlib onnx onnx_ir onnxscript pydantic safetensors tensorboard timm torch
    vector_quantize_pytorch""".split()
)


def main() -> None:
    """Run the command line and exit."""
    _prepare_streams()
    with _ended_as_by_ctrl_c():
        status = _run()
    sys.exit(status if isinstance(status, int) else 0)


def _run() -> object:
    """Run the command; returns what it gives, or the status of bad input."""
    try:
        status: object = app(standalone_mode=False)
        sys.stdout.flush()
    except VisavisError as error:
        print_error(str(error))
        status = BAD_INPUT
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in TRAIN_PACKAGES:
            raise
        print_error(str(MissingExtraError(package, "train", "this command")))
        status = BAD_INPUT
    except typer.TyperException as error:  # Wrong options; without arguments the help was printed.
        if message := error.format_message():
            print_error(f"{message} (--help explains)")
        status = BAD_INPUT
    except OSError as error:
        print_error(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        status = BAD_INPUT
        # Output that could not be written must not be written again when Python ends.
        sys.stdout = io.StringIO()
    return status


def _prepare_streams() -> None:
    """Make every name printable, and print nothing if standard output is closed."""
    if sys.stdout is None:
        sys.stdout = io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Keep the results so far also if the system, a timeout or a closed terminal ends the program."""
    changed = []
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
            changed.append(number)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"visavis {__version__}")
        raise typer.Exit


@app.callback()
def _visavis(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Watches a person, understands the face, and answers with its own face, live, on a normal computer."""
