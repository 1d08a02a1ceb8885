"""Findings: everything that the report says about its runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from visavis.base import console
from visavis.datasets.data_set import DataSet
from visavis.datasets.duplicates import fingerprints
from visavis.datasets.faces import LabeledFaces
from visavis.datasets.registry import find_dataset
from visavis.errors import InputError
from visavis.evaluate.expressions import Evaluation, Model, evaluate, evaluate_steps
from visavis.metrics.expression import negative_log_likelihood
from visavis.types import BoolArray
from visavis_train.expression.report.runs import NotRun, Run
from visavis_train.loop.paired import Paired


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Results of a finished run's network on a split.

    Attributes:
        model: its ONNX file.
        evaluation: as ``visavis evaluate expressions`` gives it.
        loss: mean of -log p(truth), in nats: cross-entropy on the data set's own labels.
        right: (N,) whether the answer for each face is right.
        faces_sha256: hash of the measured labels and pixels.
    """

    model: Model
    evaluation: Evaluation
    loss: float
    right: BoolArray
    faces_sha256: str

    @property
    def split(self) -> str:
        """Names of the data set and its split."""
        return f"{self.evaluation.dataset} {self.evaluation.split}"


@dataclass(frozen=True, slots=True, eq=False)
class Reviewed:
    """A run and its results; None until the run has a network."""

    run: Run
    measured: Measured | None


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """The content of the report.

    Attributes:
        runs: the runs in the given order.
        not_run: experiments without a run here.
        pairs: comparisons of every two finished runs on the same faces.
        unpaired: why some are not compared; empty if all are.
        counts: data set -> split -> label -> faces.
    """

    runs: tuple[Reviewed, ...]
    not_run: tuple[NotRun, ...]
    pairs: tuple[Paired, ...]
    unpaired: str
    counts: Mapping[str, Mapping[str, Mapping[str, int]]]


@dataclass(slots=True)
class _Shelf:
    """Opened data sets, so that each is read only once."""

    opened: dict[Path, DataSet] = field(default_factory=dict)
    digests: dict[Path, str] = field(default_factory=dict)

    def open(self, path: Path, run: Run) -> DataSet:
        place = path.resolve()
        if place not in self.opened:
            if not path.exists():
                raise InputError(f"{run.folder}: its data set {path} is not here; say where by --data")
            self.opened[place] = find_dataset(path)
        return self.opened[place]

    def digest(self, path: Path, faces: LabeledFaces) -> str:
        place = path.resolve()
        if place not in self.digests:
            content = faces.labels.tobytes() + b"".join(fingerprints(faces))
            self.digests[place] = hashlib.sha256(content).hexdigest()
        return self.digests[place]


def measure_runs(
    runs: Sequence[Run], not_run: Sequence[NotRun], *, data: Path | None = None, split: str | None = None
) -> Findings:
    """Measure every finished run, and compare all pairs of runs.

    By default, each run's own data set and its default split are used.

    Raises:
        InputError: a data set, split or picture cannot be read.
        WeightsError: a run's ONNX file is not an expression network.
    """
    shelf = _Shelf()
    reviewed = tuple(Reviewed(run, _measure(run, data or run.data, split, shelf)) for run in runs)
    pairs, unpaired = _pair(reviewed)
    counts = {
        _label(found, shelf.opened.values()): {name: found.read(name).counts for name in found.splits}
        for found in shelf.opened.values()
    }
    return Findings(reviewed, tuple(not_run), pairs, unpaired, counts)


def _measure(run: Run, data: Path, split: str | None, shelf: _Shelf) -> Measured | None:
    found = shelf.open(data, run)
    faces = found.read(split)
    if run.release is None:
        return None
    model = Model.load(run.network)
    training = None
    if found.training_split not in (None, faces.split):
        training = found.read(found.training_split)
    with console.progress(run.name, evaluate_steps(faces, training), "faces") as advance:
        result = evaluate(faces, model.classifier, training=training, on_step=advance)
    right = result.probabilities.argmax(axis=1) == faces.labels
    loss = negative_log_likelihood(result.probabilities, faces.labels)
    return Measured(model, result, loss, right, shelf.digest(data, faces))


def _pair(reviewed: Sequence[Reviewed]) -> tuple[tuple[Paired, ...], str]:
    """All pairs of runs on the same faces, and the reasons for pairs that are left out."""
    finished = [(each.run.name, each.measured) for each in reviewed if each.measured is not None]
    if len(finished) < 2:
        return (), "Two finished runs are needed to compare them face by face."
    pairs = tuple(
        Paired.of(first, second, one.right, other.right)
        for (first, one), (second, other) in combinations(finished, 2)
        if one.faces_sha256 == other.faces_sha256
    )
    if len({one.faces_sha256 for _, one in finished}) == 1:
        return pairs, ""
    where = "; ".join(f"{name}: {one.evaluation.n} faces of {one.split}" for name, one in finished)
    return pairs, (
        "Runs that were measured on different faces are not compared face by face "
        f"({where}): --data measures all of them on one data set."
    )


def _label(found: DataSet, others: Iterable[DataSet]) -> str:
    """A data set's name, with its path if another one has the same name."""
    alike = [other for other in others if other.name == found.name]
    return found.name if len(alike) == 1 else f"{found.name} ({found.path})"
