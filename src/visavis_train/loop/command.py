"""Training tasks: the settings of an experiment file, the training, and the release of the result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from visavis_train.loop.experiment import Settings


class Command(NamedTuple):
    """Options of ``visavis train`` besides the training.

    Attributes:
        config: the experiment's file.
        install: put the networks into the package's assets.
    """

    config: Path
    install: bool


class Task(NamedTuple):
    """One of the tasks of :data:`visavis_train.commands.training.TASKS`.

    Attributes:
        kind: the settings of the task's experiment files.
        train: takes the experiment and ``resume``.
        finish: takes the experiment, what ``train`` returned and the command; releases the result and
            returns the report that is printed. None where another command releases the result.
    """

    kind: type[Settings]
    train: Callable[..., Any]
    finish: Callable[[Any, Any, Command], Path | None] | None = None
