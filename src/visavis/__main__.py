"""The program's start, for ``visavis`` and ``python -m visavis``."""

from __future__ import annotations

import os
from contextlib import ExitStack

from visavis.base.signals import signals_go_to, status_after

_until_the_end = ExitStack()  # Nothing closes it, so that Ctrl-C while Python ends prints nothing either.


def main() -> None:
    """Load the command line and run it; a signal before and after ends the program without a word."""
    _until_the_end.enter_context(signals_go_to(_leave))
    from visavis.cli import main as run

    run()


def _leave(number: int, frame: object) -> None:
    os._exit(status_after(number))


if __name__ == "__main__":
    main()
