"""An experiment file in; the training of the task that it names out: ``visavis train`` runs this.

``python -m visavis_train experiments/fer_first.toml [--resume] [--set key=value] [--install]``
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from visavis.base.console import print_error
from visavis.errors import InputError, VisavisError
from visavis_train.loop.experiment import read_toml

# Each task's module.
TASKS = {
    "emotion": "expression.task",
    "pretraining": "expression.pretraining",
    "face": "face.face_task",
    "detector": "face.detector_task",
    "tokenizer": "tokenizer.task",
    "calls": "listener.calls",
    "listener": "listener.task",
}
# Those whose own command line knows --install.
INSTALLING = ("emotion", "tokenizer", "calls", "listener")
_EXPORT = "install its result by  python -m visavis_train.face."
# What to do with the results of the others.
_ELSEWHERE = {
    "face": _EXPORT + "release",
    "detector": _EXPORT + "detector_release",
    "pretraining": "an emotion run's init takes its result",
}


def task_of(path: Path) -> str:
    """The task that an experiment file names; emotion where it names none.

    Raises:
        InputError: the file cannot be read, or names another task.
    """
    task = read_toml(path).get("task", "emotion")
    if task not in TASKS:
        raise InputError(f"{path}: task is {task!r}; expected one of {', '.join(TASKS)}")
    return str(task)


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="visavis_train", add_help=False)
    parser.add_argument("experiment", type=Path)
    args, _ = parser.parse_known_args()
    try:
        task = task_of(args.experiment)
        if task not in INSTALLING and "--install" in sys.argv:
            raise InputError(
                f"--install is for the tasks {', '.join(INSTALLING)}; {args.experiment} is of the {task} "
                f"task: {_ELSEWHERE[task]}"
            )
    except VisavisError as error:
        print_error(str(error))
        return 2
    # Only the wanted task is imported; its own parser reads the whole command line.
    status: int = import_module(f"visavis_train.{TASKS[task]}").main()
    return status


if __name__ == "__main__":
    sys.exit(main())
