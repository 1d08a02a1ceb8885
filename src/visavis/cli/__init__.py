"""Command-line arguments in, an exit status out: 0, or 2 with one clear line for bad input."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from visavis import __version__
from visavis.cli.bench import bench
from visavis.cli.demo import demo
from visavis.cli.doctor import doctor
from visavis.cli.output import print_error
from visavis.cli.recognize import recognize
from visavis.cli.run import run
from visavis.cli.serve import serve
from visavis.errors import VisavisError

# The commands' modules import typer alone; what does the work is imported when a command runs.
app = typer.Typer(name="visavis", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(demo)
app.command()(run)
app.command()(recognize)
app.command()(serve)
app.command()(bench)
app.command()(doctor)


def main() -> None:
    """Run the command line and exit."""
    try:
        app()
    except VisavisError as error:
        print_error(str(error))
        sys.exit(2)


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
    """Watches a person, understands the face, and answers with one, live, on an ordinary computer."""
