"""The run folder of an expression experiment: its files, and the description of the machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch

from visavis.base.files import write_json
from visavis.base.machine import machine
from visavis.base.reading import regular
from visavis.errors import InputError
from visavis_train.expression.config import Experiment
from visavis_train.loop.checkpoint import BEST, LAST
from visavis_train.loop.experiment import flat
from visavis_train.loop.log import read_log

CONFIG, MACHINE = "config.json", "machine.json"


# The state of a run folder: empty, an unfinished run, or a run with all epochs trained.
Standing = Literal["new", "begun", "trained"]


def standing(experiment: Experiment, *, resume: bool) -> Standing:
    """The state of the experiment's run.

    A run whose log is complete needs no ``last.safetensors``: it may come from another machine.

    Raises:
        InputError: there is a run and ``resume`` is off, or its checkpoint is missing.
    """
    out, rows = experiment.out, read_log(experiment.out)
    begun = bool(rows) or any((out / name).exists() for name in (LAST, BEST))
    if begun and not resume:
        raise InputError(f"{out} already holds a run: add --resume, or choose another folder")
    if (out / BEST).exists() and len(rows) >= experiment.training.epochs:
        return "trained"
    if begun and not (out / LAST).exists():
        raise InputError(f"{out}: holds a run but no {LAST} to go on from; choose another folder")
    return "begun" if begun else "new"


def write_description(experiment: Experiment, device: torch.device) -> list[str]:
    """Write ``config.json`` and ``machine.json``; returns the settings that changed since the last write."""
    out, settings = experiment.out, experiment.model_dump(mode="json")
    out.mkdir(parents=True, exist_ok=True)
    before = flat(_read(out / CONFIG)) if (out / CONFIG).exists() else {}
    changes = [
        f"{key} {before[key]} -> {value}"
        for key, value in flat(settings).items()
        if key in before and before[key] != value
    ]
    gpu = {"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    write_json(out / CONFIG, settings)
    write_json(out / MACHINE, machine() | gpu)
    return changes


def trained_on(out: Path) -> dict[str, str]:
    """The machine that a run was last trained on; this machine if an old run does not name one.

    Raises:
        InputError: its file is damaged.
    """
    return _read(out / MACHINE) if (out / MACHINE).exists() else machine()


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(regular(path).read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds no object; expected what  visavis train  wrote")
    return found
