"""What outputs get of a moment: the face with the person's profile and the chosen expression."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from support.people import PROFILE
from visavis.avatar.expressions import SHAPES
from visavis.avatar.retarget import calibrated_face
from visavis.channels import EXPRESSIONS
from visavis.outputs.sample import Sample
from visavis.pipeline import Pipeline
from visavis.testing import scripted_pipeline
from visavis.types import Frame


def stream(pipeline: Pipeline) -> Iterator[Sample]:
    image = np.full((48, 64, 3), 90, np.uint8)
    for index in range(1000):
        yield Sample.of(pipeline.step(Frame(image, index / 25, index)))


def after(samples: Iterator[Sample], frames: int) -> Sample:
    """The last of the next samples."""
    return [next(samples) for _ in range(frames)][-1]


def own(sample: Sample) -> np.ndarray:
    """The weights of the scripted face at this time."""
    return np.full(52, 0.5 + 0.4 * np.sin(sample.time_s * 3), np.float32)


@pytest.mark.parametrize("label", EXPRESSIONS[1:])
def test_a_chosen_expression_comes_smoothly_and_goes(label: str) -> None:
    pipeline = scripted_pipeline()
    samples = stream(pipeline)
    before = after(samples, 10)
    np.testing.assert_allclose(before.state.weights, own(before), atol=1e-6)
    assert before.label == "happy"
    pipeline.express(label)
    first, full = after(samples, 2), after(samples, 30)
    assert (first.label, full.label, full.expression.label) == (label, label, label)
    for name, weight in SHAPES[label].items():
        assert full.state[name] == pytest.approx(max(weight, own(full)[0]), abs=1e-6)
        assert first.state[name] <= max(0.5 * weight, own(first)[0]) + 1e-6
    assert full.state["mouthPucker"] == pytest.approx(own(full)[0], abs=1e-6)
    pipeline.express(None)
    again = after(samples, 60)
    assert again.label == "happy"
    np.testing.assert_allclose(again.state.weights, own(again), atol=1e-6)


def test_a_neutral_expression_leaves_the_face_as_it_is() -> None:
    pipeline = scripted_pipeline()
    pipeline.express("neutral")
    neutral = after(stream(pipeline), 20)
    assert (neutral.label, neutral.expression.label) == ("neutral", "neutral")
    np.testing.assert_allclose(neutral.state.weights, own(neutral), atol=1e-6)


def test_a_profile_is_worked_in() -> None:
    pipeline, plain = scripted_pipeline(), scripted_pipeline()
    pipeline.wear(PROFILE)
    worn, raw = after(stream(pipeline), 9), after(stream(plain), 9)
    np.testing.assert_array_equal(worn.state.values, calibrated_face(raw.state, PROFILE).values)
    assert worn.state["eyeBlinkLeft"] > raw.state["eyeBlinkLeft"] + 0.1
    assert worn.state.head_rad[0] == pytest.approx(-np.deg2rad(1.5), abs=1e-6)
    pipeline.wear(None)
    pipeline.reset()
    np.testing.assert_array_equal(after(stream(pipeline), 9).state.values, raw.state.values)


def test_nobody_shows_no_expression() -> None:
    pipeline = scripted_pipeline()
    pipeline.wear(PROFILE)
    pipeline.express("happy")
    pipeline._tracker.blind = True
    lost = after(stream(pipeline), 5)
    assert (lost.state, lost.label) == (None, None)


def test_a_calibration_without_the_guide_is_worked_in() -> None:
    pipeline = scripted_pipeline()
    samples = stream(pipeline)
    before = after(samples, 9)
    assert before.state["browInnerUp"] > 0.5
    assert pipeline.calibrate()
    at_once = next(samples).state
    assert abs(at_once["browInnerUp"]) < 0.1
    assert np.abs(at_once.head_rad).max() < 0.05
    pipeline.wear(None)  # Another person, or the same one who begins again.
    assert next(samples).state["browInnerUp"] > 0.5
