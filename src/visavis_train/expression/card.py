"""The card of a trained expression network: what it learned from, how well it does, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from visavis.base.files import whole_file
from visavis.base.words import counted
from visavis.channels import EXPRESSIONS
from visavis.datasets.faces import LabeledFaces
from visavis.expression.labels import expression_of
from visavis.metrics.expression import ClassScores, accuracy_interval, confusion_matrix
from visavis_train.expression.config import Experiment
from visavis_train.expression.data.sources import Splits
from visavis_train.expression.distillation import Teacher
from visavis_train.expression.imbalance import told
from visavis_train.expression.release import read_faces
from visavis_train.expression.report.tables import NONE, Table

CARD = "card.md"
_LIMITS = (
    "An expression is what a face shows, and not what a person feels. People disagree about labels, and so "
    "do data sets. Accuracy differs between groups of people and between cameras: measure it on faces of "
    "your own use. The network reads grey, upright faces, framed as the pictures above; do not use it for "
    "decisions about people."
)


def write_card(
    experiment: Experiment,
    splits: Splits,
    answers: tuple[Teacher, Teacher | None],
    report: Mapping[str, Any],
) -> None:
    """Write ``card.md`` into the run folder.

    ``answers`` are of the trained network, and of the one that it started from if that can be measured.
    """
    judged = splits.judged
    lines = [
        f"# {experiment.name}",
        "",
        f"A network that reads 8 expressions from a face of {experiment.reading.face_px} px: "
        f"{report['kind']}, {report['parameters'] / 1e6:.2f} M parameters, {report['macs'] / 1e6:.1f} M "
        f"multiply-accumulates a face, {report['bytes'] / 1e6:.2f} MB. Trained by `visavis train` from "
        f"{_start(experiment)}.",
        "",
        "## Data",
        "",
        *(f"- {source.path}" for source in experiment.data),
        *(f"- {note}" for note in splits.notes),
        f"- {told(splits.training, experiment.training.imbalance)}",
        *(
            f"- left out: {counted(count, 'face')} ({reason})"
            for reason, count in splits.training.left_out.items()
        ),
        "",
        _counts(splits).markdown(),
        f"Terms: {experiment.also_trained_on or 'those of the data above'}. Weights inherit the terms of the "
        "faces that they and their initial weights were trained on.",
        "",
        "## Results",
        "",
        f"Epoch {report['best_epoch']} of {report['epochs']}, seed {experiment.seed}, was the best on the "
        "validation faces. " + _judged(splits),
        "",
        _scores(splits, *answers).markdown(),
        f"{judged.split}, class by class:",
        "",
        _classes(judged, read_faces(answers[0], judged)[1].argmax(axis=1)).markdown(),
        "## Limits",
        "",
        _LIMITS,
        "",
    ]
    if experiment.differences:
        lines += [
            "## Differences from the publication",
            "",
            *(f"- {each}" for each in experiment.differences),
            "",
        ]
    with whole_file(experiment.out / CARD) as partial:
        partial.write_text("\n".join(lines), "utf-8")


def _start(experiment: Experiment) -> str:
    if experiment.init is not None:
        return f"the weights of {experiment.init}"
    stem = experiment.init_stem
    return "random weights" if stem is None else f"random weights, its stem from those of {stem}"


def _judged(splits: Splits) -> str:
    if splits.test is None:
        return "There is no test split: these faces chose the epoch, so the figures are a little too good."
    return "The test faces were measured once, at the end."


def _counts(splits: Splits) -> Table:
    """Faces of each expression in each split."""
    parts = {"training": splits.training, "validation": splits.validation, "test": splits.test}
    columns: list[dict[str, int]] = []
    for faces in parts.values():
        counts = {} if faces is None else faces.counts
        columns.append({expression_of(name) or name: count for name, count in counts.items()})
    rows = [(word, *(str(each.get(word, 0)) for each in columns)) for word in EXPRESSIONS]
    rows.append(("all", *(str(sum(each.values())) for each in columns)))
    return Table(("expression", *parts), tuple(rows))


def _scores(splits: Splits, answer: Teacher, before: Teacher | None) -> Table:
    parts: list[tuple[str, LabeledFaces | None, Teacher | None]] = [
        ("validation", splits.validation, answer),
        ("test", splits.test, answer),
        ("the same faces before training", splits.judged, before),
    ]
    rows = []
    for what, faces, network in parts:
        if faces is None or network is None:
            continue
        said = read_faces(network, faces)[1].argmax(axis=1)
        low, high = accuracy_interval(right := said == faces.labels)
        mean = ClassScores.of(confusion_matrix(faces.labels, said, len(faces.names))).mean_accuracy
        often = np.bincount(faces.labels).max() / len(faces)
        accuracy = f"{right.mean():.1%} ({low:.1%} to {high:.1%})"
        rows.append((what, str(len(faces)), accuracy, f"{mean:.1%}", f"{often:.1%}"))
    columns = ("split", "faces", "accuracy (95%)", "mean recall", "always the most frequent label")
    return Table(columns, tuple(rows))


def _classes(faces: LabeledFaces, answers: np.ndarray[Any, np.dtype[np.int64]]) -> Table:
    """Precision and recall of each label, and the most frequent error."""
    confusion = confusion_matrix(faces.labels, answers, len(faces.names))
    scores = ClassScores.of(confusion)
    rows = []
    for row, name in enumerate(faces.names):
        if not (count := int(confusion[row].sum())):
            continue
        wrong = np.where(np.arange(len(faces.names)) == row, 0, confusion[row])
        error = f"{faces.names[wrong.argmax()]} ({wrong.max()})" if wrong.any() else NONE
        figures = [NONE if v[row] != v[row] else f"{v[row]:.1%}" for v in (scores.precision, scores.recall)]
        rows.append((name, str(count), *figures, error))
    return Table(("expression", "faces", "precision", "recall", "most frequent error"), tuple(rows))
