"""The command line; bad input ends a command with status 2 and one clear line."""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from visavis import __version__
from visavis.base.console import CLOSED_PIPE, forgive_stderr, print_error, print_line, write_out
from visavis.base.signals import INTERRUPTED, is_put_off, is_within, signals_go_to, status_after
from visavis.base.words import reason, wrong_value
from visavis.errors import MissingExtraError, VisavisError

USE, MEASURE, TRAIN = "Use", "Measure", "Train"
# A module of each name imports only typer, and is imported when its command or a list is wanted.
COMMANDS = {
    **dict.fromkeys(("demo", "run", "react", "recognize", "serve", "retarget", "avatar"), USE),
    **dict.fromkeys(("evaluate", "bench", "doctor", "codebook"), MEASURE),
    "corpus": TRAIN,
}


class _Commands(TyperGroup):
    """The commands; making all of them takes longer than the start of one."""

    def list_commands(self, ctx: Any) -> list[str]:
        self.commands = _made(COMMANDS, research=True)
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands:
            known = cmd_name in COMMANDS
            self.commands.update(_made([cmd_name] if known else COMMANDS, research=not known))
        return super().get_command(ctx, cmd_name)


def _made(names: Iterable[str], *, research: bool) -> dict[str, Any]:
    """Some commands by name, and on request those of research; torch is imported when one of these runs."""
    made = typer.Typer(rich_markup_mode="markdown")
    for name in names:
        command = getattr(import_module(f"visavis.cli.{name}"), name)
        if isinstance(command, typer.Typer):
            made.add_typer(command, rich_help_panel=COMMANDS[name])
        else:
            made.command(rich_help_panel=COMMANDS[name])(command)
    if research:
        import_module("visavis_train.commands").mount(made)
    return dict(typer.main.get_group(made).commands)


app = typer.Typer(
    name="visavis",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

BAD_INPUT = 2
# Packages of the extra `train`.
TRAIN_PACKAGES = frozenset(
    """accelerate matplotlib onnx onnx_ir onnxscript pydantic safetensors tensorboard timm torch
    vector_quantize_pytorch""".split()
)


def main() -> None:
    """Run the command line and exit. Results so far are kept, whichever signal ends the program."""
    # Imports make very many objects that stay. The usual searches for garbage, one for 700 new objects and
    # some of all when Python ends, took 0.06 and 0.11 s.
    gc.set_threshold(5000)
    atexit.register(gc.freeze)
    if set(sys.argv[1:2]) <= COMMANDS.keys():
        # Work on one picture is small: threads that wait for it would use a core that another stage needs.
        for variable in ("OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
            os.environ.setdefault(variable, "1")  # Read when numpy and OpenCV are imported.
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not is_put_off(number, frame):
            received.append(number)
            if is_within(run_plainly, frame):  # After the work, nothing is left to interrupt.
                raise KeyboardInterrupt

    _prepare_streams()
    status: object = INTERRUPTED
    # A second signal may come while an error, or the first signal, is told.
    with signals_go_to(interrupt), suppress(KeyboardInterrupt):
        status = run_plainly(lambda: app(standalone_mode=False))
    if status == INTERRUPTED and received:
        status = status_after(received[0])
    sys.exit(status if isinstance(status, int) else 0)


def run_plainly(program: Callable[[], object]) -> object:
    """Run a program; returns what it gives. Errors are one line and a status, and a closed pipe is silent."""
    try:
        status = program()
        write_out(flush=True)
    except KeyboardInterrupt:
        status = INTERRUPTED
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
        if message := _wrong_option(error):
            print_error(f"{message} (--help explains)")
        status = BAD_INPUT
    except BrokenPipeError:  # Of a plain print; visavis itself writes with ``write_out``.
        sys.stdout = io.StringIO()
        status = CLOSED_PIPE
    except SystemExit as end:
        if end.code != 1:
            raise
        status = CLOSED_PIPE  # Rich prints the help, and ends the program if nobody reads it.
    except OSError as error:
        print_error((f"{error.filename}: " if error.filename else "") + reason(error))
        status = BAD_INPUT
    return status


def _wrong_option(error: typer.TyperException) -> str:
    """The message of a wrong option or value, which names the value that was found."""
    message = error.format_message()
    problems: Any = getattr(error.__cause__, "errors", list)()  # Of pydantic, which checks for typer.
    if not problems:
        return message
    message = message.replace(problems[0]["msg"], wrong_value(problems))
    found = problems[0]["input"]
    return message if not found or repr(found) in message else f"{message}; found {found!r}"


def _prepare_streams() -> None:
    """Make every name printable, and print nothing if standard output is closed."""
    if sys.stdout is None:
        sys.stdout = io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    forgive_stderr()


def _show_version(wanted: bool) -> None:
    if wanted:
        print_line(f"visavis {__version__}")
        raise typer.Exit


@app.callback()
def _visavis(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Watches a person, understands the face, and answers with its own face, live, on a normal computer."""
