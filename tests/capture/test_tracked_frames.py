from __future__ import annotations

import numpy as np
import pytest

from support.samples import face_state
from visavis.capture.tracked import BLANK_PX, TrackedFrame, blank_picture, known_face
from visavis.channels import EXPRESSION_CHANNELS
from visavis.errors import InputError
from visavis.pipeline import Pipeline
from visavis.types import Expression, Frame


def test_the_pipeline_leaves_a_known_face_alone(scripted_pipeline: Pipeline) -> None:
    face = known_face(face_state(jawOpen=0.75))
    moment = scripted_pipeline.step(TrackedFrame(blank_picture(), 0.0, 0, (face,)))
    assert moment.face is face
    assert moment.state is face.state
    assert scripted_pipeline._reader._classifier.seen == []


def test_a_frame_without_a_known_face_has_none(scripted_pipeline: Pipeline) -> None:
    moment = scripted_pipeline.step(TrackedFrame(blank_picture(), 0.0, 0, ()))
    assert (moment.face, moment.state) == (None, None)
    assert scripted_pipeline.step(Frame(blank_picture(), 0.1, 1)).face is not None


def test_a_known_face_lies_in_the_blank_picture() -> None:
    face = known_face(face_state())
    assert blank_picture().shape == (BLANK_PX, BLANK_PX, 3)
    assert (face.box_xyxy >= 0).all()
    assert (face.box_xyxy <= BLANK_PX).all()
    assert (face.expression, face.label) == (None, None)


def test_an_emotion_brings_its_label() -> None:
    values = np.zeros(len(EXPRESSION_CHANNELS), np.float32)
    values[EXPRESSION_CHANNELS.index("happy")] = 1
    assert known_face(face_state(), Expression(values)).label == "happy"


def test_a_tracked_frame_is_checked_like_any_frame() -> None:
    with pytest.raises(InputError, match="must be a finite number"):
        TrackedFrame(blank_picture(), float("nan"), 0, ())
