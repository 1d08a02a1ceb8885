"""Reader of run folders: settings, epochs and reports, checked; each run gets a unique name."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from visavis.base.reading import regular
from visavis.datasets.picture_table import TABLES
from visavis.errors import InputError
from visavis_train.expression.data.sources import DataSources
from visavis_train.loop.experiment import checked
from visavis_train.loop.log import LOG, read_log
from visavis_train.loop.toml_file import read_toml

CONFIG, REPORT, NETWORK = "config.json", "report.json", "expression.onnx"


class _Stored(BaseModel):
    """Base of stored records; other keys are ignored, because old runs may have other settings."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class StoredModel(_Stored):
    """The network of a run."""

    kind: str
    name: str = ""
    pretrained: bool = False


class StoredTraining(_Stored):
    """The planned length of a run."""

    epochs: int = Field(ge=1)


class Recipe(_Stored):
    """The part of ``config.json`` that a report needs."""

    task: Literal["expression"] = "expression"
    name: str
    data: DataSources
    seed: int
    init: Path | None = None
    model: StoredModel
    training: StoredTraining


class Epoch(_Stored):
    """A row of ``log.jsonl``.

    Attributes:
        epoch: from 0.
        loss: mean training loss, with the recipe's changes of the targets.
        seconds: training time.
        accuracy: on the validation faces, 0 to 1; ``fer2013_accuracy`` in old logs.
        validation_loss: cross-entropy there; None in old logs.
    """

    epoch: int = Field(ge=0)
    loss: float
    seconds: float = Field(ge=0)
    accuracy: float = Field(ge=0, le=1, validation_alias=AliasChoices("accuracy", "fer2013_accuracy"))
    validation_loss: float | None = None


class Release(_Stored):
    """The part of ``report.json`` that a report needs; a run writes this file at its end.

    Attributes:
        config: the experiment file's name.
        epochs: number of epochs.
        best_epoch: the chosen one, from 1.
        machine: the training machine.
        processes: number of training processes; None in old reports.
        parameters, macs: the network's parameters, and its multiply-accumulates for one face.
    """

    config: str
    epochs: int
    best_epoch: int
    machine: dict[str, str]
    processes: int | None = None
    parameters: int
    macs: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run, finished or unfinished.

    Attributes:
        folder: the given folder.
        name: a unique name in the report.
        recipe: its settings.
        epochs: its log, oldest first; at least one.
        release: its final report; None until it has ended.
    """

    folder: Path
    name: str
    recipe: Recipe
    epochs: tuple[Epoch, ...]
    release: Release | None

    @property
    def network(self) -> Path:
        """The run's ONNX file, which exists after its end."""
        return self.folder / NETWORK

    @property
    def data(self) -> Path:
        """The data set to measure the run on: its own table of splits if there is one, else its first one."""
        return self.folder if (self.folder / TABLES[0]).is_file() else self.recipe.data[0].path

    @property
    def kind(self) -> str:
        """The network that the run trains."""
        model = self.recipe.model
        return model.name or model.kind

    @property
    def start(self) -> str:
        """The start of its weights: a run, an ONNX file, ``a hub``, ``its streams`` (SAE), or ``nothing``."""
        init = self.recipe.init
        if init is not None:  # A checkpoint is named by its run folder.
            return "/".join(init.parts[-2:]) if init.suffix == ".onnx" else init.parent.name or init.name
        if self.recipe.model.kind == "sae":
            return "its streams"
        return "a hub" if self.recipe.model.pretrained else "nothing"

    @property
    def training_s(self) -> float:
        """The time of its epochs."""
        return sum(row.seconds for row in self.epochs)

    @property
    def status(self) -> str:
        """The state of the run, in words."""
        if self.release is not None:
            return "finished"
        planned = self.recipe.training.epochs
        if len(self.epochs) >= planned:
            return f"trained, all of {planned} epochs, but not exported: visavis train with --resume does it"
        return f"not finished: {len(self.epochs)} of {planned} epochs"


@dataclass(frozen=True, slots=True)
class NotRun:
    """An experiment file without a run in the report.

    Attributes:
        file: the experiment file.
        name: of the experiment.
        what: the first sentence of its comment.
        status: ``not run``, or a note that its run was not given.
    """

    file: Path
    name: str
    what: str
    status: str


def read_runs(folders: Sequence[Path]) -> tuple[Run, ...]:
    """Read run folders; runs with equal names get their folders added to the name.

    Raises:
        InputError: a folder is given twice, or is not a run of the expression task with at least one epoch.
    """
    seen: dict[Path, Path] = {}
    for folder in folders:
        if (place := folder.resolve()) in seen:
            raise InputError(f"{folder}: the same run as {seen[place]}: give each run once")
        seen[place] = folder
    recipes = [_recipe(folder) for folder in folders]
    times = Counter(recipe.name for recipe in recipes)
    names = [
        recipe.name if times[recipe.name] == 1 else f"{recipe.name} ({folder})"
        for folder, recipe in zip(folders, recipes, strict=True)
    ]
    return tuple(
        _run(folder, name, recipe) for folder, name, recipe in zip(folders, names, recipes, strict=True)
    )


def _recipe(folder: Path) -> Recipe:
    path = folder / CONFIG
    if not path.is_file():
        what = f"it has no {CONFIG}" if folder.is_dir() else "no such folder"
        raise InputError(f"{folder}: {what}; expected the run folder of an expression experiment")
    return checked(str(path), _json(path), Recipe)


def _run(folder: Path, name: str, recipe: Recipe) -> Run:
    rows = read_log(folder)
    if not rows:
        raise InputError(
            f"{folder}: no epoch stands in its {LOG}; leave the run out until its first epoch has ended"
        )
    epochs = tuple(
        checked(f"{folder / LOG}:{number}", row, Epoch) for number, row in enumerate(rows, start=1)
    )
    for number, row in enumerate(epochs):
        if row.epoch != number:
            raise InputError(f"{folder / LOG}:{number + 1}: epoch {row.epoch}; expected {number}")
    path = folder / REPORT
    release = checked(str(path), _json(path), Release) if path.is_file() else None
    # A run that continued after its report is unfinished: its network is an old one.
    if release is not None and release.epochs != len(epochs):
        release = None
    return Run(folder, name, recipe, epochs, release)


def _json(path: Path) -> Any:
    try:
        return json.loads(regular(path).read_text("utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}; expected what visavis train wrote") from error


def find_not_run(experiments: Path, runs: Sequence[Run]) -> tuple[NotRun, ...]:
    """The expression experiments of a folder of TOML files, without those of the given runs.

    Raises:
        InputError: the folder is missing, or a file is not TOML.
    """
    if not experiments.is_dir():
        raise InputError(f"{experiments}: no such folder; expected experiment files (*.toml)")
    known = {run.recipe.name for run in runs}
    found = []
    for path in sorted(experiments.glob("*.toml")):
        values = read_toml(path)
        name = str(values.get("name", path.stem))
        if values.get("task", "expression") != "expression" or name in known:
            continue
        has_log = "out" in values and (Path(str(values["out"])) / LOG).is_file()
        what = _first_sentence(regular(path).read_text("utf-8-sig"))
        found.append(NotRun(path, name, what, "run, but not given here" if has_log else "not run"))
    return tuple(found)


def _first_sentence(text: str) -> str:
    """The first sentence of the comment at the start of a TOML file; empty without a comment."""
    comment = takewhile(lambda line: line.startswith("#"), text.splitlines())
    whole = " ".join(line.removeprefix("#").strip() for line in comment)
    return re.split(r"(?<=\.) (?=[A-Z])", whole, maxsplit=1)[0]
