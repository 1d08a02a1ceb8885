"""Robustness with a network that reads the answer from a picture's grey level."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from support.gray_faces import GrayReader, faces
from visavis.base.clock import ManualClock
from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError
from visavis.evaluate.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from visavis.evaluate.expressions import evaluate
from visavis.evaluate.robustness import Robustness, measure_robustness, robustness_steps, sample
from visavis.expression.labels import FER2013_LABELS
from visavis.types import ImageArray


def brighten(image: ImageArray, level: float, rng: np.random.Generator) -> ImageArray:
    return image + np.uint8(10 * level)


def flip_a_coin(image: ImageArray, level: float, rng: np.random.Generator) -> ImageArray:
    return image + np.uint8(10 * (rng.random() < 0.5))


KINDS = {"bright": Corruption("steps", (0, 1, 2), brighten), "coin": Corruption("", (1, 2, 3), flip_a_coin)}


def fer2013(count: int = 70) -> LabeledFaces:
    """Label k at level 10 k, but for the last seven, which are one step too dark."""
    labels = [row % 5 for row in range(count)]
    levels = [10 * label if row < count - 7 else 10 * max(label - 1, 0) for row, label in enumerate(labels)]
    return faces("FER-2013", FER2013_LABELS, labels, levels)


def run(data: LabeledFaces, kinds: Mapping[str, Corruption] = KINDS, seed: int = 0) -> Robustness:
    return measure_robustness(data, GrayReader(), seed=seed, corruptions=kinds)  # type: ignore[arg-type]


def test_the_faces_as_they_are_score_as_in_an_evaluation() -> None:
    data = fer2013()
    found, expected = run(data), evaluate(data, GrayReader(), clock=ManualClock())  # type: ignore[arg-type]
    assert found.clean.accuracy == expected.scores.accuracy < 1
    assert found.clean.mean_accuracy == expected.scores.mean_accuracy
    assert found.clean.interval_95 == expected.interval_95
    assert (found.clean.severity, found.clean.level, found.clean.kept) == (0, None, 1.0)
    assert (found.dataset, found.split, found.n, found.seed) == ("FER-2013", "test", 70, 0)


def test_a_corruption_that_does_nothing_scores_as_the_faces_as_they_are() -> None:
    found = run(fer2013())
    same = found.corrupted["bright"][0]
    assert (same.accuracy, same.interval_95, same.kept) == (
        found.clean.accuracy,
        found.clean.interval_95,
        1.0,
    )
    assert [score.severity for score in found.corrupted["bright"]] == list(SEVERITIES)
    assert [score.level for score in found.corrupted["bright"]] == [0, 1, 2]


def test_answers_are_those_for_the_corrupted_faces() -> None:
    one_step = run(fer2013()).corrupted["bright"][1]
    # One step up, the faces that were one too dark are right, but for the darkest, which cannot be darker.
    right = sum(label > 0 for label in fer2013().labels[-7:])
    assert one_step.accuracy == pytest.approx(right / 70)
    assert one_step.kept == 0


def test_the_mean_counts_every_severity_alike() -> None:
    found = run(fer2013())
    accuracies = [score.accuracy for scores in found.corrupted.values() for score in scores]
    assert found.mean_accuracy == pytest.approx(np.mean(accuracies))
    assert len(accuracies) == 6


def test_chance_is_the_same_for_every_severity_and_repeats_with_its_seed() -> None:
    found = run(fer2013())
    first, *others = (score.accuracy for score in found.corrupted["coin"])
    assert others == [first, first]
    assert 0 < first < found.clean.accuracy
    assert run(fer2013()).corrupted == found.corrupted
    assert run(fer2013(), seed=1).corrupted["coin"] != found.corrupted["coin"]


def test_chance_does_not_depend_on_the_other_corruptions() -> None:
    alone = run(fer2013(), {"coin": KINDS["coin"]})
    assert alone.corrupted["coin"] == run(fer2013()).corrupted["coin"]


def test_progress_is_told_as_announced() -> None:
    told: list[None] = []
    data = fer2013()
    measure_robustness(data, GrayReader(), corruptions=KINDS, on_step=lambda: told.append(None))  # type: ignore[arg-type]
    assert len(told) == robustness_steps(data, KINDS) == 2 * 7
    assert robustness_steps(data) == 2 * (1 + 3 * len(CORRUPTIONS))


def test_a_sample_is_drawn_without_repeats_in_order_and_again_the_same() -> None:
    data = fer2013()
    part = sample(data, 20, seed=3)
    assert len(part) == 20
    rows = [
        [np.array_equal(part.images.read(at), data.images.read(row)) for row in range(70)] for at in (0, 19)
    ]
    assert any(rows[0])
    assert any(rows[1])
    assert part.labels.tolist() == sample(data, 20, seed=3).labels.tolist()
    assert part.labels.tolist() != sample(data, 20, seed=4).labels.tolist()
    assert sample(data, 70) is data
    assert sample(data, 71) is data
    with pytest.raises(InputError, match="at least one face"):
        sample(data, 0)


def test_a_sample_keeps_every_row_once_and_in_order() -> None:
    data = faces("FER-2013", FER2013_LABELS, [0] * 25, [10 * row for row in range(25)])
    part = sample(data, 10)
    levels = [int(part.images.read(at)[0, 0]) for at in range(10)]
    assert levels == sorted(set(levels))
