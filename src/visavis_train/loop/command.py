"""What a research command has to do in; its exit status, with errors told in one line, out."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from visavis.base.console import print_error, print_note
from visavis.datasets import fer2013
from visavis.errors import VisavisError
from visavis_train.loop.experiment import Settings, load_experiment

INTERRUPTED = 130
_Kind = TypeVar("_Kind", bound=Settings)
_Result = TypeVar("_Result")


class Command(NamedTuple):
    """What a task's command line was asked for, beside its training.

    Attributes:
        config: the experiment's file.
        install: put the networks into the package's assets.
    """

    config: Path
    install: bool


def command_line(
    description: str,
    kind: type[_Kind],
    train: Callable[..., _Result],
    finish: Callable[[_Kind, _Result, Command], Path | None] | None = None,
) -> int:
    """Read an experiment file and train; returns the exit status.

    Args:
        description: of the task, for its help.
        kind: what the file holds.
        train: takes the configuration and ``resume``.
        finish: takes the configuration, what ``train`` returned and the command; releases the result and
            returns the report that is to be printed. Without it there is no ``--install``.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("experiment", type=Path, help="TOML file")
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's last checkpoint")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a value")
    if finish is not None:
        parser.add_argument("--install", action="store_true", help="put the result into the package's assets")
    args = parser.parse_args()

    def work() -> None:
        experiment = load_experiment(args.experiment, kind, args.set)
        result = train(experiment, resume=args.resume)
        report = finish(experiment, result, Command(args.experiment, args.install)) if finish else None
        if report is not None:
            print(report.read_text("utf-8"), end="")

    return status_of(work, "interrupted: --resume goes on after what was last written")


def run_parser(description: str, results: Path, page: Path) -> argparse.ArgumentParser:
    """Options of a command that measures a sparse network's run and writes a file and a page's tables.

    Args:
        description: for its help.
        results: the JSON file it writes by default.
        page: the page it writes into by default.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("run", type=Path, help="run folder of kind sparse")
    parser.add_argument("--data", type=Path, required=True, help="the data set")
    parser.add_argument("--split", default=fer2013.PUBLIC_TEST, help="part of the data set")
    parser.add_argument("--results", type=Path, default=results, help="the JSON file to write")
    parser.add_argument("--page", type=Path, default=page, help="the page whose tables are replaced")
    return parser


def status_of(work: Callable[[], None], when_interrupted: str) -> int:
    """Do the work of a command; returns its exit status, and tells errors in one line.

    Args:
        work: what to do.
        when_interrupted: how to go on after Ctrl-C.
    """
    try:
        work()
    except VisavisError as error:
        print_error(str(error))
        return 2
    except KeyboardInterrupt:
        print_note(when_interrupted)
        return INTERRUPTED
    return 0
