"""A temperature is fitted on one split and scored on another."""

from __future__ import annotations

import numpy as np
import pytest

from support.gray_faces import GrayReader, faces
from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError
from visavis.evaluate.calibration import Calibration, Temperature, calibrate, fit_steps
from visavis.evaluate.expressions import predict_labels
from visavis.expression.labels import FER2013_LABELS
from visavis.metrics.expression import Reliability, fit_temperature, negative_log_likelihood


def half_right(split: str, first_level: int) -> LabeledFaces:
    """20 different faces, of which the network, 90% sure, reads half rightly."""
    levels = [10 * (row % 2) + first_level + row // 2 % 5 for row in range(20)]
    return faces("FER-2013", FER2013_LABELS, [0] * 20, levels, split)


def fitted(fitting: LabeledFaces, scored: LabeledFaces) -> Temperature:
    return calibrate(fitting, scored, GrayReader())  # type: ignore[arg-type]


def test_it_is_the_likeliest_on_the_split_that_it_is_fitted_on_and_helps_on_another() -> None:
    validation, test = half_right("validation", 0), half_right("test", 5)
    found = fitted(validation, test)
    answers = predict_labels(validation, GrayReader())  # type: ignore[arg-type]
    assert found == Temperature("validation", 20, 0, fit_temperature(answers, validation.labels))
    assert found.value > 1
    calibration = Calibration.of(found, predict_labels(test, GrayReader()), test.labels)  # type: ignore[arg-type]
    assert calibration.before.error == pytest.approx(0.4, abs=1e-6)
    assert calibration.after.error < 0.1
    assert calibration.nll_after < calibration.nll_before


def test_a_temperature_of_1_changes_nothing() -> None:
    data = half_right("test", 0)
    answers = predict_labels(data, GrayReader())  # type: ignore[arg-type]
    found = Calibration.of(Temperature("validation", 1, 0, 1.0), answers, data.labels)
    assert found.nll_before == negative_log_likelihood(answers, data.labels) == pytest.approx(found.nll_after)
    assert found.before.error == pytest.approx(found.after.error)
    np.testing.assert_array_equal(found.before.faces, Reliability.of(answers, data.labels).faces)


def test_the_scored_split_is_refused() -> None:
    data = half_right("test", 0)
    with pytest.raises(InputError, match="must not be fitted on the split that is scored; found 'test'"):
        fitted(data, data)


def test_faces_that_the_scored_split_shows_too_are_left_out() -> None:
    levels, labels = [0, 1, 12, 13], [0, 0, 0, 0]
    validation = faces("FER-2013", FER2013_LABELS, labels, levels, "validation")
    test = faces("FER-2013", FER2013_LABELS, [0, 0], [0, 13])
    found = fitted(validation, test)
    assert (found.n, found.left_out) == (2, 2)
    own = faces("FER-2013", FER2013_LABELS, [0, 0], [1, 12], "validation")
    assert found.value == fitted(own, test).value


def test_a_copy_of_the_scored_split_under_another_name_is_refused() -> None:
    with pytest.raises(InputError, match="every face of validation stands in test too"):
        fitted(half_right("validation", 0), half_right("test", 0))


def test_progress_is_told_as_announced() -> None:
    told: list[None] = []
    validation, test = half_right("validation", 0), half_right("test", 5)
    calibrate(validation, test, GrayReader(), lambda: told.append(None))  # type: ignore[arg-type]
    assert len(told) == fit_steps(validation, test)
