"""A progress display for a known number of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TypeAlias

from visavis.base.console import progress

Watch: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[], None]]]


@contextmanager
def no_progress(_what: str, _steps: int) -> Iterator[Callable[[], None]]:
    """Show nothing."""
    yield lambda: None


# A progress bar on standard error, if that is a terminal.
progress_bar: Watch = partial(progress, unit="steps")
