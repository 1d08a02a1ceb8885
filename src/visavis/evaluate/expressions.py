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
from visavis.base.reading import regular
from visavis.datasets import fer2013
from visavis.datasets.duplicates import Repeats, fingerprints
from visavis.datasets.faces import LabelledFaces
from visavis.emotion.classifier import ExpressionClassifier
from visavis.emotion.labels import given
from visavis.emotion.opening import DEFAULT, classifier_of, network_of
from visavis.emotion.sparse import Keeping, SparseClassifier
from visavis.errors import InputError, WeightsError
from visavis.metrics.emotion import ClassScores, Reliability, accuracy_interval, confusion_matrix
from visavis.types import BoolArray, FloatArray, ImageArray

BATCH = 64
# Single faces that are read before and while the clock runs.
WARM_UP_CALLS, TIMED_CALLS = 20, 100


@dataclass(frozen=True, slots=True)
class Model:
    """An expression network and the file that it comes from.

    Attributes:
        classifier: the network, opened on one thread.
        name: that of an embedded one in the manifest, else the file's name.
        size_bytes: of the file.
        parameters: how many numbers it learned; None where the file does not say.
        sha256: hexadecimal digest of the file.
    """

    classifier: ExpressionClassifier
    name: str
    size_bytes: int
    parameters: int | None
    sha256: str

    @classmethod
    def embedded(
        cls, recognizer: str = DEFAULT, *, mirror: bool = False, keep: Keeping | None = None
    ) -> Self:
        """A network that the package brings.

        Args:
            recognizer: ``dense``, or ``sparse``, which drops tokens.
            mirror: also read each face mirrored, and average.
            keep: how many tokens ``sparse`` keeps; None as its weights say.

        Raises:
            InputError: there is no such recogniser, or it takes no ``keep``.
            WeightsError: it is missing or was changed.
        """
        name = network_of(recognizer)
        return cls._of(networks.read(name), name, name, mirror, keep)

    @classmethod
    def load(cls, path: PathText, *, mirror: bool = False, keep: Keeping | None = None) -> Self:
        """An ONNX file with the inputs, outputs and metadata of one of the embedded networks.

        Args:
            path: the file.
            mirror: also read each face mirrored, and average.
            keep: how many tokens a network that drops some keeps; None as its metadata say.

        Raises:
            InputError: the file cannot be read, or its network takes no ``keep``.
            WeightsError: it is no network, or one of another kind.
        """
        path = as_path(path)
        try:
            data = regular(path).read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}; expected an ONNX file") from error
        return cls._of(data, path.name, str(path), mirror, keep)

    @classmethod
    def _of(cls, data: bytes, name: str, place: str, mirror: bool, keep: Keeping | None) -> Self:
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
    """What becomes of the accuracy without the faces that training shows too.

    Attributes:
        in_training: faces whose very pixels occur in the training split.
        n: the other faces.
        accuracy: on those; None where there are none.
    """

    in_training: int
    n: int
    accuracy: float | None

    @classmethod
    def of(cls, seen: BoolArray, right: BoolArray) -> Self:
        """From (N,) whether training shows a face too, and (N,) whether its answer was right."""
        unseen = right[~seen]
        return cls(int(seen.sum()), len(unseen), float(unseen.mean()) if len(unseen) else None)


@dataclass(frozen=True, slots=True)
class Tokens:
    """How many tokens of the faces a network that drops some kept.

    Attributes:
        kept: share of a face's tokens that the last look at it kept, mean over the faces.
        second_looks: share of the faces that were looked at twice.
    """

    kept: float
    second_looks: float


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How well a network reads a split.

    Attributes:
        dataset, split: what it was measured on.
        names: the C labels.
        n: number of faces.
        left_out: why rows of the split were not used -> how many.
        confusion: (C, C) int64, rows the truth, columns the answers.
        scores: of each class, and their means.
        interval_95: of the accuracy, by bootstrap.
        calibration_error: expected calibration error, 0..1.
        duplicates: without what training shows too; None where training was not at hand.
        ms_per_face: median milliseconds for one face at a time, on one thread.
        probabilities: (N, C) the answer to every face, in the split's order.
        reliability: confidence against accuracy.
        repeats: pictures that stand in the split more than once.
        tokens: what was kept of the faces; None for a network that drops no tokens.
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
    tokens: Tokens | None


def evaluate(
    faces: LabelledFaces,
    classifier: ExpressionClassifier,
    *,
    training: LabelledFaces | None = None,
    clock: Clock | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Let a network read every face of a split, and compare with the labels.

    FER-2013's own labels are read from the output that is trained for them. For other labels, the
    probabilities of the 8 expressions are taken on the condition that the data set's classes set: where it
    has no contempt, that none is contempt.

    Args:
        faces: the split.
        classifier: the network.
        training: the split that the network was trained on, to find faces that occur in both.
        clock: measures.
        on_step: called :func:`steps` times.

    Raises:
        InputError: a picture cannot be read, or the labels name no expressions.
        WeightsError: the network's answers have another shape.
    """
    looks = _Looks(classifier)
    probabilities = predict(faces, classifier, on_step, looks.note)
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
        looks.tokens(),
    )


class _Looks:
    """What a classifier kept of batch after batch."""

    def __init__(self, classifier: ExpressionClassifier) -> None:
        self._classifier = classifier
        self._kept: list[BoolArray] = []
        self._twice: list[BoolArray] = []

    def note(self) -> None:
        """Remember the last batch."""
        read = self._classifier
        if isinstance(read, SparseClassifier) and read.kept is not None and read.twice is not None:
            self._kept.append(read.kept)
            self._twice.append(read.twice)

    def tokens(self) -> Tokens | None:
        if not self._kept:
            return None
        return Tokens(float(np.concatenate(self._kept).mean()), float(np.concatenate(self._twice).mean()))


def steps(faces: LabelledFaces, training: LabelledFaces | None = None) -> int:
    """How many times :func:`evaluate` will call ``on_step``."""
    return 2 * len(faces) + (0 if training is None else len(training))


def predict(
    faces: LabelledFaces,
    classifier: ExpressionClassifier,
    on_face: Callable[[], None] = lambda: None,
    on_batch: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Probabilities (N, C) of the faces' own labels; see :func:`evaluate`.

    Args:
        faces: N of them.
        classifier: the network.
        on_face: called after each.
        on_batch: called after each batch.

    Raises:
        InputError: a picture cannot be read, or the labels name no expressions.
        WeightsError: the network's answers have another shape.
    """
    read = reader(faces, classifier)
    parts: list[FloatArray] = []
    for batch in faces.batches(BATCH, classifier.side_px):
        parts.append(read(batch))
        on_batch()
        for _ in batch:
            on_face()
    return np.concatenate(parts)


def reader(faces: LabelledFaces, classifier: ExpressionClassifier) -> Callable[[ImageArray], FloatArray]:
    """What turns crops (B, S, S[, 3]) into probabilities (B, C) of the faces' own labels.

    Raises:
        InputError: a label names no expression, or two name the same.
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
