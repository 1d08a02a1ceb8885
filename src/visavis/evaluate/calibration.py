"""Temperature scaling: calibration before and after, with a temperature fitted on another split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from visavis.datasets.duplicates import seen_in
from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError
from visavis.evaluate.expressions import predict_labels
from visavis.expression.classifier import ExpressionClassifier
from visavis.metrics.expression import (
    IntArray,
    Reliability,
    fit_temperature,
    negative_log_likelihood,
    with_temperature,
)
from visavis.types import FloatArray


@dataclass(frozen=True, slots=True)
class Temperature:
    """A temperature and the faces that it was fitted on.

    Attributes:
        split: split of these faces.
        n: number of faces.
        left_out: number of faces in that split that are also in the scored split; they were not used.
        value: T of ``softmax(log p / T)``; above 1, the network was overconfident.
    """

    split: str
    n: int
    left_out: int
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """The effect of a temperature on the answers for a split.

    Attributes:
        temperature: fitted on another split.
        nll_before, nll_after: mean of -log p(truth), nats.
        before, after: confidence compared with accuracy.
    """

    temperature: Temperature
    nll_before: float
    nll_after: float
    before: Reliability
    after: Reliability

    @classmethod
    def of(cls, temperature: Temperature, probabilities: FloatArray, truth: IntArray) -> Calibration:
        """From the answers (N, C) and labels (N,) of the scored split."""
        cooled = with_temperature(probabilities, temperature.value)
        return cls(
            temperature,
            negative_log_likelihood(probabilities, truth),
            negative_log_likelihood(cooled, truth),
            Reliability.of(probabilities, truth),
            Reliability.of(cooled, truth),
        )


def require_other_split(name: str, scored: LabeledFaces) -> None:
    """Refuse to fit a temperature on the scored split, because any network would then look calibrated.

    Raises:
        InputError: both are the same split.
    """
    if name == scored.split:
        raise InputError(
            f"a temperature must not be fitted on the split that is scored; found {name!r} for both: "
            "name another one, held out from training"
        )


def calibrate(
    fitting: LabeledFaces,
    scored: LabeledFaces,
    classifier: ExpressionClassifier,
    on_step: Callable[[], None] = lambda: None,
) -> Temperature:
    """Fit a temperature on one split for another.

    Args:
        fitting: the split to fit on. Faces with identical pixels in ``scored`` are left out.
        scored: the split that will be reported.
        classifier: the network.
        on_step: called :func:`fit_steps` times.

    Raises:
        InputError: both are the same split, ``fitting`` has no face of its own, or a picture cannot be read.
    """
    require_other_split(fitting.split, scored)
    shared = seen_in(fitting, scored, on_step)
    if shared.all():
        raise InputError(
            f"{fitting.name}: every face of {fitting.split} stands in {scored.split} too; "
            "fit the temperature on other faces"
        )
    answers = predict_labels(fitting, classifier, on_step)[~shared]
    value = fit_temperature(answers, fitting.labels[~shared])
    return Temperature(fitting.split, len(answers), int(np.count_nonzero(shared)), value)


def fit_steps(fitting: LabeledFaces, scored: LabeledFaces) -> int:
    """How many times :func:`calibrate` will call ``on_step``."""
    return 2 * len(fitting) + len(scored)
