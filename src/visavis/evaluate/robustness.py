"""Measuring an expression network on corrupted faces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError
from visavis.evaluate.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from visavis.evaluate.expressions import BATCH, reader
from visavis.expression.classifier import ExpressionClassifier
from visavis.metrics.expression import ClassScores, IntArray, accuracy_interval, confusion_matrix

# Name of the unchanged faces, at severity 0.
CLEAN = "clean"


@dataclass(frozen=True, slots=True)
class Score:
    """How well a network reads the faces at one severity.

    Attributes:
        severity: 0 for unchanged faces, else 1 to 3.
        level: level of the corruption, in its unit; None at severity 0.
        accuracy: share of faces with the right answer.
        interval_95: 95% interval of the accuracy, by bootstrap.
        mean_accuracy: mean over the classes.
        kept: share of faces with the same answer as for the unchanged face.
    """

    severity: int
    level: float | None
    accuracy: float
    interval_95: tuple[float, float]
    mean_accuracy: float
    kept: float


@dataclass(frozen=True, slots=True)
class Robustness:
    """How well a network reads a split under every corruption.

    Attributes:
        dataset, split: data of the measurement.
        n: number of faces.
        seed: random seed of the corruptions.
        clean: score on unchanged faces.
        corrupted: name of a corruption -> its scores, mild to severe.
    """

    dataset: str
    split: str
    n: int
    seed: int
    clean: Score
    corrupted: Mapping[str, tuple[Score, ...]]

    @property
    def mean_accuracy(self) -> float:
        """Mean of the accuracies over all corruptions and severities, with equal weights."""
        return float(np.mean([score.accuracy for scores in self.corrupted.values() for score in scores]))


def measure_robustness(
    faces: LabeledFaces,
    classifier: ExpressionClassifier,
    *,
    seed: int = 0,
    corruptions: Mapping[str, Corruption] = CORRUPTIONS,
    on_step: Callable[[], None] = lambda: None,
) -> Robustness:
    """Let a network read every face unchanged and with every corruption, and compare with the labels.

    Faces are first scaled to the network's side, and then corrupted. A face gets the same random numbers for
    every severity, so it is turned to the same side, and the light falls on the same place.

    Args:
        faces: the split.
        classifier: the network.
        seed: random seed of places, directions and noise.
        corruptions: corruptions by name.
        on_step: called :func:`robustness_steps` times.

    Raises:
        InputError: a picture cannot be read, or the labels name no expressions.
        WeightsError: the network's answers have another shape.
    """
    answers = _read(faces, classifier, seed, corruptions, on_step)
    classes = len(faces.names)

    def score(name: str, severity: int, level: float | None) -> Score:
        given = answers[name, severity]
        found = ClassScores.of(confusion_matrix(faces.labels, given, classes))
        kept = float(np.mean(given == answers[CLEAN, 0]))
        interval = accuracy_interval(given == faces.labels)
        return Score(severity, level, found.accuracy, interval, found.mean_accuracy, kept)

    corrupted = {
        name: tuple(score(name, *pair) for pair in zip(SEVERITIES, corruption.levels, strict=True))
        for name, corruption in corruptions.items()
    }
    return Robustness(faces.name, faces.split, len(faces), seed, score(CLEAN, 0, None), corrupted)


def _read(
    faces: LabeledFaces,
    classifier: ExpressionClassifier,
    seed: int,
    corruptions: Mapping[str, Corruption],
    on_step: Callable[[], None],
) -> dict[tuple[str, int], IntArray]:
    """Answers (N,) for each corruption and severity, and for unchanged faces."""
    read = reader(faces, classifier)
    parts: dict[tuple[str, int], list[IntArray]] = {(CLEAN, 0): []}
    parts |= {(name, severity): [] for name in corruptions for severity in SEVERITIES}
    first = 0
    for batch in faces.batches(BATCH, classifier.side_px):
        for (name, severity), answers in parts.items():
            seen = batch
            if severity:
                rngs = (np.random.default_rng((seed, first + row)) for row in range(len(batch)))
                pairs = zip(batch, rngs, strict=True)
                seen = np.stack([corruptions[name].apply(image, severity, rng) for image, rng in pairs])
            answers.append(read(seen).argmax(axis=1))
            on_step()
        first += len(batch)
    return {setting: np.concatenate(answers) for setting, answers in parts.items()}


def robustness_steps(faces: LabeledFaces, corruptions: Mapping[str, Corruption] = CORRUPTIONS) -> int:
    """How many times :func:`measure_robustness` will call ``on_step``: once for each batch and setting."""
    return -(-len(faces) // BATCH) * (1 + len(SEVERITIES) * len(corruptions))


def sample(faces: LabeledFaces, limit: int, seed: int = 0) -> LabeledFaces:
    """At most ``limit`` faces, drawn at random, in their original order.

    Raises:
        InputError: the limit is below 1.
    """
    if limit < 1:
        raise InputError(f"at least one face must be read; found a limit of {limit}")
    if limit >= len(faces):
        return faces
    chosen = np.zeros(len(faces), np.bool_)
    chosen[np.random.default_rng(seed).choice(len(faces), limit, replace=False)] = True
    return faces[chosen]
