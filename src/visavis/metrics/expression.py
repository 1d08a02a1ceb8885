"""Metrics of an expression classifier: accuracy, F1, calibration and intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.types import BoolArray

Float64Array = NDArray[np.float64]
IntArray = NDArray[np.integer]
CALIBRATION_BINS = 15
RESAMPLES = 10_000
# Temperatures are searched between this value and its inverse.
_COLDEST = 0.02
_GOLDEN = (math.sqrt(5) - 1) / 2
# A softmax in float32 gives 0 for smaller values; the logarithm must stay finite.
_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """Scores of each class and of all classes, from a confusion matrix.

    A class without faces has NaN for its three figures and is left out of both means. A class with faces that
    is never answered has a precision and F1 of 0.

    Attributes:
        precision: (C,) share of the answers of this class that are right.
        recall: (C,) share of the faces of this class that are found.
        f1: (C,) harmonic mean of both.
        support: (C,) int64, faces of this class.
        accuracy: share of all faces that are right.
        mean_accuracy: mean of ``recall`` with equal weights.
        macro_f1: mean of ``f1``.
    """

    precision: Float64Array
    recall: Float64Array
    f1: Float64Array
    support: NDArray[np.int64]
    accuracy: float
    mean_accuracy: float
    macro_f1: float

    @classmethod
    def of(cls, confusion: IntArray) -> ClassScores:
        """Scores of a confusion matrix (C, C); rows are the truth, columns the answers.

        Raises:
            InputError: the matrix is not square, or has negative counts or no faces.
        """
        counts = np.asarray(confusion)
        if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or (counts < 0).any() or not counts.sum():
            raise InputError(f"a confusion matrix must be (C, C) counts of some faces; found {counts.shape}")
        right, answered = np.diag(counts), counts.sum(axis=0)
        support = counts.sum(axis=1).astype(np.int64)
        there = np.where(support > 0, 1.0, np.nan)
        precision = there * right / np.maximum(answered, 1)
        recall = there * right / np.maximum(support, 1)
        f1 = there * 2 * right / np.maximum(answered + support, 1)
        accuracy = float(right.sum() / support.sum())
        return cls(precision, recall, f1, support, accuracy, float(np.nanmean(recall)), float(np.nanmean(f1)))


def confusion_matrix(truth: IntArray, answers: IntArray, classes: int) -> NDArray[np.int64]:
    """Count (C, C) how often a face of class i (row) was answered with class j (column).

    Args:
        truth: (N,) 0..C-1.
        answers: (N,) 0..C-1.
        classes: C.

    Raises:
        InputError: an array has another shape, or a label is out of range.
    """
    both = np.asarray([truth, answers]) if np.shape(truth) == np.shape(answers) else np.empty(0)
    if both.ndim != 2 or not both.shape[1] or both.min() < 0 or both.max() >= classes:
        raise InputError(
            f"truth and answers must be (N,) labels from 0 to {classes - 1}; "
            f"found shapes {np.shape(truth)} and {np.shape(answers)}"
        )
    return np.bincount(both[0] * classes + both[1], minlength=classes**2).reshape(classes, classes)


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Confidence compared with accuracy, in 15 bins of equal width of the largest probability.

    Guo et al. 2017, arXiv:1706.04599, section 2; each bin is closed on the right.

    Attributes:
        faces: (15,) int64, number of faces in each bin.
        confidence: (15,) their mean largest probability; NaN in an empty bin.
        accuracy: (15,) share of right answers; NaN in an empty bin.
    """

    faces: NDArray[np.int64]
    confidence: Float64Array
    accuracy: Float64Array

    @classmethod
    def of(cls, probabilities: NDArray[np.floating], truth: IntArray) -> Reliability:
        """Sort answers (N, C) with labels (N,) 0..C-1 into the bins.

        Raises:
            InputError: an array has another shape, or rows are not distributions.
        """
        values = _distributions(probabilities, truth)
        confidence = values.max(axis=1)
        right = (values.argmax(axis=1) == truth).astype(np.float64)
        bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
        faces = np.bincount(bins, minlength=CALIBRATION_BINS)
        counts = np.where(faces > 0, faces, np.nan)
        confidences, rights = (
            np.bincount(bins, weights=part, minlength=CALIBRATION_BINS) / counts
            for part in (confidence, right)
        )
        return cls(faces, confidences, rights)

    @property
    def error(self) -> float:
        """Expected calibration error (Eq. 3): mean gap over the faces, 0 (none) to 1."""
        gaps = np.abs(self.accuracy - self.confidence) * self.faces
        return float(np.nansum(gaps) / self.faces.sum())


def calibration_error(probabilities: NDArray[np.floating], truth: IntArray) -> float:
    """Expected calibration error: mean difference of confidence and accuracy, 0 (none) to 1.

    Args:
        probabilities: (N, C).
        truth: (N,) 0..C-1.

    Raises:
        InputError: an array has another shape, or rows are not distributions.
    """
    return Reliability.of(probabilities, truth).error


def negative_log_likelihood(probabilities: NDArray[np.floating], truth: IntArray) -> float:
    """Mean of -log p(truth) in nats, for (N, C) and (N,).

    Raises:
        InputError: an array has another shape, or rows are not distributions.
    """
    values = _distributions(probabilities, truth)
    return float(-np.log(np.maximum(values[np.arange(len(values)), truth], _TINY)).mean())


def with_temperature(probabilities: NDArray[np.floating], temperature: float) -> Float64Array:
    """softmax(log p / T): softer for T above 1, sharper below; the order of classes does not change.

    Guo et al. 2017, section 4.2. A softmax does not change if all logits of a face change by the same amount,
    so logarithms of probabilities can replace the network's own logits.

    Args:
        probabilities: (N, C).
        temperature: T, above 0.

    Raises:
        InputError: T is not positive.
    """
    if not (temperature > 0 and math.isfinite(temperature)):
        raise InputError(f"a temperature must be positive; found {temperature}")
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY)) / temperature
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float64)


def fit_temperature(probabilities: NDArray[np.floating], truth: IntArray) -> float:
    """The temperature from 0.02 to 50 that makes the truth most likely.

    The loss is convex in 1/T (a log-sum-exp minus a linear term), so it has one minimum in log T too, and a
    golden-section search finds it. Fit on validation data, never on the reported data.

    Args:
        probabilities: (N, C).
        truth: (N,) 0..C-1.

    Raises:
        InputError: an array has another shape, or rows are not distributions.
    """
    values = _distributions(probabilities, truth)

    def loss(log_t: float) -> float:
        return negative_log_likelihood(with_temperature(values, math.exp(log_t)), truth)

    low, high = math.log(_COLDEST), -math.log(_COLDEST)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    loss_left, loss_right = loss(left), loss(right)
    while high - low > 1e-5:
        if loss_left <= loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - _GOLDEN * (high - low)
            loss_left = loss(left)
        else:
            low, left, loss_left = left, right, loss_right
            right = low + _GOLDEN * (high - low)
            loss_right = loss(right)
    return math.exp((low + high) / 2)


def accuracy_interval(right: BoolArray, *, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of an accuracy (Efron and Tibshirani 1993, section 13.3).

    Drawing N faces with replacement and counting the right ones equals drawing from a binomial distribution,
    so that is drawn 10,000 times.

    Args:
        right: (N,) whether each answer was right.
        level: share of the resamples inside the interval.
        seed: random seed of the draws.

    Raises:
        InputError: there are no answers, or the level is outside 0..1.
    """
    if np.ndim(right) != 1 or not len(right) or not 0 < level < 1:
        raise InputError(
            f"an interval needs (N,) answers and a level between 0 and 1; found {np.shape(right)}, {level}"
        )
    draws = np.random.default_rng(seed).binomial(len(right), float(np.mean(right)), RESAMPLES) / len(right)
    low, high = np.quantile(draws, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def _distributions(probabilities: NDArray[np.floating], truth: IntArray) -> Float64Array:
    values = np.asarray(probabilities, np.float64)
    if values.ndim != 2 or not values.size or np.shape(truth) != values.shape[:1]:
        raise InputError(
            f"probabilities (N, C) need a label each; found {values.shape} and {np.shape(truth)}"
        )
    if not np.allclose(values.sum(axis=1), 1, atol=1e-3) or (values < 0).any():
        raise InputError("probabilities must not be negative and must sum to 1 in each row")
    if np.min(truth) < 0 or np.max(truth) >= values.shape[1]:
        raise InputError(f"labels must be 0 to {values.shape[1] - 1}")
    return values
