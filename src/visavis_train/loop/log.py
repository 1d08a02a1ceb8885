"""The training log: lines of ``log.jsonl``, TensorBoard's curves, and lines on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch.utils.tensorboard import SummaryWriter

from visavis.base.files import whole_file
from visavis.base.reading import regular
from visavis.errors import InputError

LOG, CURVES = "log.jsonl", "tensorboard"


class RunLog:
    """The log of one run; a context manager.

    Args:
        out: the run folder.
        epochs: the largest number of epochs.
        done: number of epochs in the checkpoint. Later rows of the log are removed, because their epochs
            will be trained again.

    Raises:
        InputError: the existing log was not written by visavis.
    """

    def __init__(self, out: Path, epochs: int, done: int) -> None:
        self._path = out / LOG
        self._epochs = epochs
        cut_log(out, done - 1)
        self._curves = SummaryWriter(str(out / CURVES), purge_step=done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._curves.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Log one epoch: its number from 0, side, losses, accuracies, seconds, and more."""
        with self._path.open("a", encoding="utf-8") as file:
            print(json.dumps(row), file=file)
        for name, value in row.items():
            if name != "epoch" and value is not None:
                self._curves.add_scalar(name, value, row["epoch"])
        self._curves.flush()
        votes = f", FER+ {row['ferplus_accuracy']:.2%}" if row.get("voted_faces", 1) else ""
        line = (
            f"epoch {row['epoch'] + 1}/{self._epochs} at {row['side_px']} px: loss {row['loss']:.4f}, "
            f"validation {row['validation_loss']:.4f}, accuracy {row['accuracy']:.2%}{votes}, "
            f"{row['seconds']:.0f} s"
        )
        print(line, file=sys.stderr, flush=True)


def cut_log(out: Path, last: int, key: str = "epoch") -> None:
    """Keep the rows up to number ``last`` of a run's log; an empty log is made if there is none.

    Raises:
        InputError: the existing log was not written by visavis.
    """
    rows = [row for row in read_log(out, key) if row[key] <= last]
    with whole_file(out / LOG) as partial:
        partial.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def read_log(out: Path, key: str = "epoch") -> list[dict[str, Any]]:
    """The rows of a run's log, oldest first, each with its number as ``key``; empty without a log.

    Raises:
        InputError: the log was not written by visavis.
    """
    path = out / LOG
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = []
    lines = regular(path).read_text("utf-8", "replace").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            rows.append({**row, key: int(row[key])})
        except (ValueError, TypeError, KeyError) as error:
            if number < len(lines):  # The last line may be incomplete, if the run was killed.
                raise InputError(f"{path}:{number}: no row of a run's log; move the file away") from error
    return rows
