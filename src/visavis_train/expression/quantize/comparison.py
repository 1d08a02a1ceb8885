"""Comparison of networks on labelled faces: size, accuracy and speed of each, relative to the first."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from visavis.base.clock import Clock, SystemClock
from visavis.datasets.faces import LabeledFaces
from visavis.evaluate.bench import Timing
from visavis.evaluate.expressions import predict_labels
from visavis.expression.classifier import ExpressionClassifier
from visavis.types import BoolArray
from visavis_train.expression.quantize.methods import Candidate
from visavis_train.loop.paired import Paired

Key = TypeVar("Key", bound=Hashable)
THREADS = (1, 2)
WARM_UP_CALLS, TIMED_CALLS = 20, 200


@dataclass(frozen=True, slots=True)
class ComparedNetwork:
    """Cost and accuracy of a network.

    Attributes:
        name: ``fp32`` or the name of the method.
        size_bytes: size of its file.
        accuracy: accuracy on the split, 0..1.
        paired: comparison with fp32 on the same faces; ``first`` is this network.
        latency: number of threads -> time of one face.
    """

    name: str
    size_bytes: int
    accuracy: float
    paired: Paired
    latency: dict[int, Timing]


def right_answers(faces: LabeledFaces, candidate: Candidate, on_face: Callable[[], None]) -> BoolArray:
    """(N,) whether the network reads each face rightly."""
    answers = predict_labels(faces, candidate.open(1), on_face).argmax(axis=1)
    right: BoolArray = answers == faces.labels
    return right


def compare_candidates(
    faces: LabeledFaces,
    candidates: Sequence[Candidate],
    *,
    calls: int = TIMED_CALLS,
    clock: Clock | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> list[ComparedNetwork]:
    """Measure networks, the first in 32 bits, and compare the others with it; 20 faces warm up."""
    right = [right_answers(faces, candidate, on_step) for candidate in candidates]
    latency = interleaved(faces, candidates, calls, clock or SystemClock(), on_step)
    return [
        ComparedNetwork(
            candidate.name,
            len(candidate.data),
            float(found.mean()),
            Paired.of(candidate.name, candidates[0].name, found, right[0]),
            latency[candidate.name],
        )
        for candidate, found in zip(candidates, right, strict=True)
    ]


def compare_steps(faces: int, candidates: int, calls: int = TIMED_CALLS) -> int:
    """Number of times that :func:`compare_candidates` calls ``on_step``."""
    return faces * candidates + WARM_UP_CALLS + calls


def interleaved(
    faces: LabeledFaces,
    candidates: Sequence[Candidate],
    calls: int,
    clock: Clock,
    on_step: Callable[[], None],
) -> dict[str, dict[int, Timing]]:
    """Time one face at a time, all networks in turn, so that other load affects all networks equally."""
    readers = {(each.name, threads): each.open(threads) for each in candidates for threads in THREADS}
    latency = time_in_turn(faces, readers, calls, clock, on_step)
    return {each.name: {threads: latency[each.name, threads] for threads in THREADS} for each in candidates}


def time_in_turn(
    faces: LabeledFaces,
    readers: Mapping[Key, ExpressionClassifier],
    calls: int,
    clock: Clock,
    on_call: Callable[[], None],
) -> dict[Key, Timing]:
    """The time of one face for each classifier; all classifiers read a face before the next face."""
    times_ms: dict[Key, list[float]] = {key: [] for key in readers}
    side_px = next(iter(readers.values())).side_px
    crops = next(faces.batches(min(64, len(faces)), side_px))
    for call in range(WARM_UP_CALLS + calls):
        face = crops[call % len(crops)][None]
        for key, classifier in readers.items():
            start_s = clock.now_s()
            classifier.predict_labels(face)
            times_ms[key].append(1e3 * (clock.now_s() - start_s))
        on_call()
    return {key: Timing.of(times[WARM_UP_CALLS:]) for key, times in times_ms.items()}
