from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from visavis.errors import InputError
from visavis_train.loop.log import RunLog, read_log


def row(epoch: int, loss: float = 1.0) -> dict[str, Any]:
    scores = {"validation_loss": 1.25, "accuracy": 0.5, "ferplus_accuracy": 0.75, "seconds": 12.3}
    return {"epoch": epoch, "side_px": 48, "loss": loss, **scores}


def test_rows_are_logged_drawn_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLog(tmp_path, 2, 0) as log:
        log.write(row(0, 2.0))
        log.write(row(1, 1.5))
    assert read_log(tmp_path) == [row(0, 2.0), row(1, 1.5)]
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[1] == (
        "epoch 2/2 at 48 px: loss 1.5000, validation 1.2500, accuracy 50.00%, FER+ 75.00%, 12 s"
    )
    curves = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in curves.Scalars("loss")] == [(0, 2.0), (1, 1.5)]
    assert set(curves.Tags()["scalars"]) == set(row(0)) - {"epoch"}


def test_where_nobody_voted_no_share_of_votes_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunLog(tmp_path, 1, 0) as log:
        log.write({**row(0), "ferplus_accuracy": None, "voted_faces": 0})
    assert "accuracy 50.00%, 12 s" in capsys.readouterr().err


def test_epochs_that_the_checkpoint_lacks_are_forgotten(tmp_path: Path) -> None:
    with RunLog(tmp_path, 3, 0) as log:
        log.write(row(0))
        log.write(row(1, 9.0))
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"epoch": 2, "lo')  # Killed in the middle of a row.
    time.sleep(1)  # TensorBoard reads the files of one second in the order of their text: 10 before 9.
    with RunLog(tmp_path, 3, 1) as log:
        log.write(row(1, 0.5))
    assert read_log(tmp_path) == [row(0), row(1, 0.5)]
    curves = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in curves.Scalars("loss")] == [(0, 1.0), (1, 0.5)]


def test_a_foreign_log_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("hello\n{}\n")
    with pytest.raises(InputError, match=r"log\.jsonl:1: no row of a run's log"):
        RunLog(tmp_path, 3, 0)
    assert (tmp_path / "log.jsonl").read_text() == "hello\n{}\n"
    assert read_log(tmp_path / "none") == []
