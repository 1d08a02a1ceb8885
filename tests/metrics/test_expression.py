"""Figures of an expression classifier: laws, then results computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from visavis.errors import InputError
from visavis.metrics.expression import (
    ClassScores,
    Reliability,
    accuracy_interval,
    calibration_error,
    confusion_matrix,
    fit_temperature,
    negative_log_likelihood,
    with_temperature,
)

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)
LOGITS = arrays(np.float64, (12, 4), elements=st.floats(-6, 6))
SCORES = ("precision", "recall", "f1")


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def scores(pairs: list[tuple[int, int]], classes: int = 4) -> ClassScores:
    truth, answers = np.asarray(pairs).T
    return ClassScores.of(confusion_matrix(truth, answers, classes))


@given(LABELS)
def test_a_confusion_matrix_counts_every_pair(pairs: list[tuple[int, int]]) -> None:
    truth, answers = np.asarray(pairs).T
    confusion = confusion_matrix(truth, answers, 4)
    assert all(
        confusion[row, column] == pairs.count((row, column)) for row in range(4) for column in range(4)
    )
    np.testing.assert_array_equal(confusion_matrix(answers, truth, 4), confusion.T)


@given(LABELS)
def test_scores_follow_their_definitions(pairs: list[tuple[int, int]]) -> None:
    found = scores(pairs)
    assert found.accuracy == pytest.approx(sum(t == a for t, a in pairs) / len(pairs))
    assert found.accuracy == pytest.approx(np.nansum(found.recall * found.support) / found.support.sum())
    recalls, f1s = [], []
    for label in range(4):
        hits = pairs.count((label, label))
        faces = sum(t == label for t, _ in pairs)
        answered = sum(a == label for _, a in pairs)
        assert found.support[label] == faces
        if not faces:
            assert all(math.isnan(getattr(found, name)[label]) for name in SCORES)
            continue
        precision, recall = hits / answered if answered else 0.0, hits / faces
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        expected = (precision, recall, f1)
        assert tuple(getattr(found, name)[label] for name in SCORES) == pytest.approx(expected)
        recalls.append(recall)
        f1s.append(f1)
    assert found.mean_accuracy == pytest.approx(np.mean(recalls))
    assert found.macro_f1 == pytest.approx(np.mean(f1s))


@given(LABELS, st.permutations(range(4)))
def test_names_of_the_classes_do_not_matter(pairs: list[tuple[int, int]], order: list[int]) -> None:
    one, other = scores(pairs), scores([(order[t], order[a]) for t, a in pairs])
    for name in ("accuracy", "mean_accuracy", "macro_f1"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))
    for name in (*SCORES, "support"):
        np.testing.assert_allclose(getattr(other, name)[order], getattr(one, name))


@given(LABELS, st.randoms())
def test_order_of_the_faces_does_not_matter(pairs: list[tuple[int, int]], random) -> None:
    shuffled = random.sample(pairs, len(pairs))
    np.testing.assert_array_equal(scores(pairs).f1, scores(shuffled).f1)


@given(st.lists(st.integers(0, 3), min_size=1))
def test_all_right_is_one_everywhere(labels: list[int]) -> None:
    found = scores([(label, label) for label in labels])
    assert (found.accuracy, found.mean_accuracy, found.macro_f1) == (1, 1, 1)
    assert set(found.f1[found.support > 0]) == {1}


def test_a_class_without_faces_is_left_out_of_the_means() -> None:
    found = scores([(0, 0), (0, 2), (1, 1)], classes=3)
    assert found.mean_accuracy == pytest.approx((1 / 2 + 1) / 2)
    assert math.isnan(found.recall[2])
    assert found.support.tolist() == [2, 1, 0]


@pytest.mark.parametrize("confusion", [np.zeros((2, 2)), np.ones((2, 3)), np.asarray([[1, -1], [0, 1]])])
def test_other_matrices_are_refused(confusion: np.ndarray) -> None:
    with pytest.raises(InputError, match="confusion matrix"):
        ClassScores.of(confusion)


@pytest.mark.parametrize(
    ("truth", "answers"), [([0, 1], [0]), ([0], [2]), ([-1], [0]), ([], []), ([[0]], [[0]])]
)
def test_other_labels_are_refused(truth: list[int], answers: list[int]) -> None:
    with pytest.raises(InputError, match="labels from 0 to 1"):
        confusion_matrix(np.asarray(truth, np.int64), np.asarray(answers, np.int64), 2)


# Calibration.


@given(LOGITS, arrays(np.int64, 12, elements=st.integers(0, 3)))
def test_calibration_error_follows_its_definition(logits: np.ndarray, truth: np.ndarray) -> None:
    shares = softmax(logits)
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    expected = 0.0
    for index in range(15):
        inside = (confidence > index / 15) & (confidence <= (index + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    found = calibration_error(shares, truth)
    assert found == pytest.approx(expected, abs=1e-9)
    assert 0 <= found <= 1


@given(LOGITS, arrays(np.int64, 12, elements=st.integers(0, 3)))
def test_a_reliability_diagram_holds_every_face_once(logits: np.ndarray, truth: np.ndarray) -> None:
    shares = softmax(logits)
    found = Reliability.of(shares, truth)
    there = found.faces > 0
    assert found.faces.sum() == 12
    np.testing.assert_array_equal(np.isnan(found.confidence), ~there)
    np.testing.assert_array_equal(np.isnan(found.accuracy), ~there)
    weights = found.faces[there] / 12
    assert weights @ found.accuracy[there] == pytest.approx((shares.argmax(axis=1) == truth).mean())
    assert weights @ found.confidence[there] == pytest.approx(shares.max(axis=1).mean())
    edges = np.arange(16) / 15
    assert (found.confidence[there] <= edges[1:][there] + 1e-9).all()
    assert (found.confidence[there] >= edges[:-1][there] - 1e-9).all()
    assert found.error == calibration_error(shares, truth)


def test_calibration_error_of_known_cases() -> None:
    sure = np.asarray([[1.0, 0.0], [1.0, 0.0]])
    assert calibration_error(sure, np.asarray([0, 0])) == 0
    assert calibration_error(sure, np.asarray([1, 1])) == 1
    # Four times 75%, three times right: as sure as it may be.
    assert calibration_error(np.tile([0.75, 0.25], (4, 1)), np.asarray([0, 0, 0, 1])) == pytest.approx(0)


def test_confidence_on_an_edge_counts_below_it() -> None:
    shares = np.asarray([[1 / 3, 1 / 3, 1 / 3], [0.4 - 1e-9, 0.3, 0.3 + 1e-9], [0.4 + 1e-9, 0.3, 0.3 - 1e-9]])
    truth = np.asarray([0, 1, 0])
    # Bins (4/15, 5/15], (5/15, 6/15], (6/15, 7/15]: one face each.
    assert calibration_error(shares, truth) == pytest.approx((2 / 3 + 0.4 + 0.6) / 3, abs=1e-6)


@given(LOGITS, st.floats(0.2, 10))
def test_temperature_keeps_the_order_and_one_changes_nothing(logits: np.ndarray, temperature: float) -> None:
    shares = softmax(logits)
    np.testing.assert_allclose(with_temperature(shares, 1.0), shares, atol=1e-9)
    scaled = with_temperature(shares, temperature)
    np.testing.assert_allclose(scaled, softmax(logits / temperature), atol=1e-9)
    np.testing.assert_allclose(with_temperature(scaled, 1 / temperature), shares, atol=1e-6)


@given(st.integers(0, 10**6), st.floats(0.3, 4))
@pytest.mark.slow
def test_the_temperature_that_spoiled_probabilities_is_found_again(seed: int, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((4000, 4))
    truth = (softmax(logits).cumsum(axis=1) < rng.random((4000, 1))).sum(axis=1)
    found = fit_temperature(softmax(logits * temperature), truth)
    assert found == pytest.approx(temperature, rel=0.15)


@given(LOGITS, arrays(np.int64, 12, elements=st.integers(0, 3)))
@pytest.mark.slow
def test_no_other_temperature_is_likelier(logits: np.ndarray, truth: np.ndarray) -> None:
    shares = softmax(logits)
    best = negative_log_likelihood(with_temperature(shares, fit_temperature(shares, truth)), truth)
    for temperature in np.geomspace(0.02, 50, 40):
        assert best <= negative_log_likelihood(with_temperature(shares, float(temperature)), truth) + 1e-6


def test_likelihood_of_known_cases() -> None:
    assert negative_log_likelihood(
        np.asarray([[0.5, 0.5], [0.25, 0.75]]), np.asarray([0, 1])
    ) == pytest.approx(-(math.log(0.5) + math.log(0.75)) / 2)
    assert math.isfinite(negative_log_likelihood(np.asarray([[0.0, 1.0]]), np.asarray([0])))


@pytest.mark.parametrize(
    ("shares", "truth"),
    [
        (np.full((2, 2), 0.5), [0]),
        (np.full((2, 2), 0.4), [0, 1]),
        (np.asarray([[-0.5, 1.5]]), [0]),
        (np.full((1, 2), 0.5), [2]),
        (np.full((1, 2), 0.5), [-1]),
        (np.zeros((0, 2)), []),
        (np.ones(2), [0, 0]),
    ],
)
def test_other_probabilities_are_refused(shares: np.ndarray, truth: list[int]) -> None:
    for figure in (calibration_error, negative_log_likelihood, fit_temperature):
        with pytest.raises(InputError):
            figure(shares, np.asarray(truth, np.int64))


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_other_temperatures_are_refused(temperature: float) -> None:
    with pytest.raises(InputError, match="temperature must be positive"):
        with_temperature(np.full((1, 2), 0.5), temperature)


# Intervals.


@given(st.lists(st.booleans(), min_size=1), st.integers(0, 99))
def test_an_interval_holds_the_accuracy_and_repeats_with_its_seed(right: list[bool], seed: int) -> None:
    answers = np.asarray(right)
    low, high = accuracy_interval(answers, seed=seed)
    assert 0 <= low <= answers.mean() <= high <= 1
    assert (low, high) == accuracy_interval(answers, seed=seed)
    inner_low, inner_high = accuracy_interval(answers, seed=seed, level=0.5)
    assert low <= inner_low <= inner_high <= high


def test_an_interval_is_that_of_resampled_faces() -> None:
    right = np.arange(400) % 10 < 7
    rng = np.random.default_rng(1)
    means = right[rng.integers(0, 400, (4000, 400))].mean(axis=1)
    np.testing.assert_allclose(accuracy_interval(right), np.quantile(means, (0.025, 0.975)), atol=0.006)


@pytest.mark.parametrize(("right", "level"), [([], 0.95), ([True], 0.0), ([True], 1.0)])
def test_other_intervals_are_refused(right: list[bool], level: float) -> None:
    with pytest.raises(InputError, match="an interval needs"):
        accuracy_interval(np.asarray(right, np.bool_), level=level)
