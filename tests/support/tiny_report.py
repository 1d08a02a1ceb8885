"""Run folders for tests of the report: one from the trainer, and handmade ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support import tiny_fer
from visavis.base import networks
from visavis_train.expression.config import Experiment
from visavis_train.expression.task import release_expression, train_expression
from visavis_train.loop.experiment import load_experiment
from visavis_train.loop.log import RunLog

RELEASE = {
    "name": "tiny",
    "config": "tiny.toml",
    "epochs": 2,
    "best_epoch": 1,
    "machine": {"processor": "Abacus", "threads": "3"},
    "parameters": 1_140_000,
    "macs": 59_200_000,
}


def row(epoch: int, accuracy: float) -> dict[str, Any]:
    scores = {"validation_loss": 1.25, "accuracy": accuracy, "ferplus_accuracy": 0.75, "seconds": 45.0}
    return {"epoch": epoch, "side_px": 48, "loss": 1.5 - epoch / 4, **scores}


def train_one(data: Path, folder: Path) -> Path:
    """A run that the trainer made."""
    toml = folder / "tiny.toml"
    toml.write_text(tiny_fer.CONFIG.format(data=data, out=folder / "run"))
    experiment = load_experiment(
        toml, Experiment, ["training.epochs=1", "training.image_px_schedule=[]", "name=trained"]
    )
    train_expression(experiment)
    release_expression(experiment, toml)
    return experiment.out


def write_run(out: Path, name: str, faces: Path, *, finished: bool) -> Path:
    """A run folder of two epochs: finished, with the embedded network, or not."""
    out.mkdir()
    experiment = Experiment(name=name, data=faces, out=out, seed=7)
    (out / "config.json").write_text(experiment.model_dump_json())
    with RunLog(out, 40, 0) as log:
        for number, accuracy in enumerate((0.25, 0.5)):
            log.write(row(number, accuracy))
    if finished:
        (out / "report.json").write_text(json.dumps(RELEASE))
        (out / "expression.onnx").write_bytes(networks.read("expression"))
    return out
