"""Measuring an expression network on labelled faces."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from visavis.base import networks
from visavis.base.clock import Clock, SystemClock
from visavis.base.files import PathText, as_path
from visavis.base.reading import read_bytes
from visavis.datasets import fer2013
from visavis.datasets.duplicates import Repeats, fingerprints
from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError, WeightsError
from visavis.expression.classifier import ExpressionClassifier
from visavis.expression.labels import given
from visavis.expression.registry import DEFAULT, classifier_of, network_file, network_of
from visavis.expression.sparse import SparseClassifier
from visavis.metrics.expression import ClassScores, Reliability, accuracy_interval, confusion_matrix
from visavis.types import BoolArray, FloatArray, ImageArray

BATCH = 64
# Number of single faces that are read before and during the time measurement.
WARM_UP_CALLS, TIMED_CALLS = 20, 100


@dataclass(frozen=True, slots=True)
class Model:
    """An expression network and the file that it comes from.

    Attributes:
        classifier: the network, opened on one thread.
        name: name of an embedded network in the manifest, else the file's name.
        size_bytes: size of the file.
        parameters: number of trained parameters; None if the file does not say.
        sha256: hexadecimal digest of the file.
    """

    classifier: ExpressionClassifier
    name: str
    size_bytes: int
    parameters: int | None
    sha256: str

    @classmethod
    def embedded(cls, recognizer: str = DEFAULT, *, mirror: bool = False, keep: float | None = None) -> Self:
        """A network of the package.

        Args:
            recognizer: ``dense``, or ``sparse``, which drops tokens.
            mirror: also read each face mirrored, and average.
            keep: how many tokens ``sparse`` keeps; None uses the value in its weights.

        Raises:
            InputError: the recogniser is unknown, or takes no ``keep``.
            WeightsError: the network is missing or was changed.
        """
        name = network_of(recognizer)
        return cls._of(networks.read(name), name, name, mirror, keep)

    @classmethod
    def load(cls, path: PathText, *, mirror: bool = False, keep: float | None = None) -> Self:
        """An ONNX file with the inputs, outputs and metadata of one of the embedded networks.

        Args:
            path: the file, or the folder that ``visavis train`` made.
            mirror: also read each face mirrored, and average.
            keep: how many tokens a sparse network keeps; None uses the value in its metadata.

        Raises:
            InputError: the file cannot be read, or its network takes no ``keep``.
            WeightsError: the file is not a network, or the network is of another kind.
        """
        path = network_file(as_path(path))
        data = read_bytes(path, networks.ONNX_FILE)
        return cls._of(data, path.name, str(path), mirror, keep)

    @classmethod
    def _of(cls, data: bytes, name: str, place: str, mirror: bool, keep: float | None) -> Self:
        session = networks.session_of(data, place)
        try:
            classifier = classifier_of(session, keep, mirror=mirror)
            count = networks.metadata(session).get("parameters")
        except (InputError, WeightsError) as error:
            raise type(error)(f"{place}: {error}") from error
        parameters = count if isinstance(count, int) else None
        return cls(classifier, name, len(data), parameters, hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The accuracy without faces that also occur in training.

    Attributes:
        in_training: number of faces with identical pixels in the training split.
        n: number of the other faces.
        accuracy: accuracy on the other faces; None if there are none.
    """

    in_training: int
    n: int
    accuracy: float | None

    @classmethod
    def of(cls, seen: BoolArray, right: BoolArray) -> Self:
        """The result from (N,) whether training has the face too, and (N,) whether its answer was right."""
        unseen = right[~seen]
        return cls(int(seen.sum()), len(unseen), float(unseen.mean()) if len(unseen) else None)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How well a network reads a split.

    Attributes:
        dataset, split: data of the measurement.
        names: the C labels.
        n: number of faces.
        left_out: reason why rows of the split were not used -> number of rows.
        confusion: (C, C) int64, rows the truth, columns the answers.
        scores: scores of each class, and their means.
        interval_95: 95% interval of the accuracy, by bootstrap.
        calibration_error: expected calibration error, 0..1.
        duplicates: accuracy without the faces of training; None if the training split was not available.
        ms_per_face: median milliseconds for one face at a time, on one thread.
        probabilities: (N, C) probabilities of every face, in the split's order.
        reliability: confidence compared with accuracy.
        repeats: pictures that occur more than once in the split.
        tokens_kept: share of the tokens that the network keeps; None if it drops none.
    """

    dataset: str
    split: str
    names: tuple[str, ...]
    n: int
    left_out: Mapping[str, int]
    confusion: NDArray[np.int64]
    scores: ClassScores
    interval_95: tuple[float, float]
    calibration_error: float
    duplicates: Duplicates | None
    ms_per_face: float
    probabilities: FloatArray
    reliability: Reliability
    repeats: Repeats
    tokens_kept: float | None


def evaluate(
    faces: LabeledFaces,
    classifier: ExpressionClassifier,
    *,
    training: LabeledFaces | None = None,
    clock: Clock | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Let a network read every face of a split, and compare with the labels.

    FER-2013's own labels are read from the output that is trained for them. For other labels, the
    probabilities of the 8 expressions are conditioned on the data set's classes: if it has no contempt, then
    on no face showing contempt.

    Args:
        faces: the split.
        classifier: the network.
        training: the split that the network was trained on, to find faces that occur in both.
        clock: measures.
        on_step: called :func:`evaluate_steps` times.

    Raises:
        InputError: a picture cannot be read, or the labels name no expressions.
        WeightsError: the network's answers have another shape.
    """
    probabilities = predict_labels(faces, classifier, on_step)
    answers = probabilities.argmax(axis=1)
    right = answers == faces.labels
    confusion = confusion_matrix(faces.labels, answers, len(faces.names))
    reliability = Reliability.of(probabilities, faces.labels)
    prints, duplicates = fingerprints(faces, on_step), None
    if training is not None:
        known = set(fingerprints(training, on_step))
        duplicates = Duplicates.of(np.asarray([picture in known for picture in prints], np.bool_), right)
    first = next(faces.batches(BATCH, classifier.side_px))
    return Evaluation(
        faces.name,
        faces.split,
        faces.names,
        len(faces),
        faces.left_out,
        confusion,
        ClassScores.of(confusion),
        accuracy_interval(right),
        reliability.error,
        duplicates,
        ms_per_face(reader(faces, classifier), first, clock or SystemClock()),
        probabilities,
        reliability,
        Repeats.of(prints, faces.labels),
        classifier.count(classifier.keep) / classifier.grid**2
        if isinstance(classifier, SparseClassifier)
        else None,
    )


def evaluate_steps(faces: LabeledFaces, training: LabeledFaces | None = None) -> int:
    """How many times :func:`evaluate` will call ``on_step``."""
    return 2 * len(faces) + (0 if training is None else len(training))


def predict_labels(
    faces: LabeledFaces,
    classifier: ExpressionClassifier,
    on_face: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Probabilities (N, C) of the faces' own labels; see :func:`evaluate`.

    Args:
        faces: N of them.
        classifier: the network.
        on_face: called after each.

    Raises:
        InputError: a picture cannot be read, or the labels name no expressions.
        WeightsError: the network's answers have another shape.
    """
    read = reader(faces, classifier)
    parts: list[FloatArray] = []
    for batch in faces.batches(BATCH, classifier.side_px):
        parts.append(read(batch))
        for _ in batch:
            on_face()
    return np.concatenate(parts)


def reader(faces: LabeledFaces, classifier: ExpressionClassifier) -> Callable[[ImageArray], FloatArray]:
    """A function that turns crops (B, S, S[, 3]) into probabilities (B, C) of the faces' own labels.

    Raises:
        InputError: a label is not an expression, or two labels are the same one.
    """
    if faces.name == fer2013.NAME:
        return classifier.predict_labels
    return lambda crops: given(classifier.predict(crops), faces.names)


def ms_per_face(read: Callable[[ImageArray], FloatArray], crops: ImageArray, clock: Clock) -> float:
    """Median milliseconds of 100 calls, each with one of ``crops`` (B, S, S[, 3]), after 20 to warm up."""
    times_ms = []
    for call in range(WARM_UP_CALLS + TIMED_CALLS):
        face = crops[call % len(crops)][None]
        start_s = clock.now_s()
        read(face)
        times_ms.append(1e3 * (clock.now_s() - start_s))
    return float(np.median(times_ms[WARM_UP_CALLS:]))
