"""The program's start, for ``visavis`` and ``python -m visavis``."""

from __future__ import annotations

import atexit
import os
import signal

from visavis.base.signals import send_signals_to, status_after


def main() -> None:
    """Load the command line and run it; a signal before and after ends the program without a word."""
    send_signals_to(_leave)  # To the end: Ctrl-C while Python ends prints nothing either.
    # Then Python would give the signals back to the system: a late one would change the exit status.
    atexit.register(send_signals_to, signal.SIG_IGN)
    from visavis.cli import main as run

    run()


def _leave(number: int, frame: object) -> None:
    os._exit(status_after(number))


if __name__ == "__main__":
    main()
