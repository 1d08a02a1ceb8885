from __future__ import annotations

import numpy as np
import pytest

from support.samples import moving_track, no_face, sample, samples_of
from visavis.channels import FACE_CHANNELS
from visavis.outputs.face_stream import EASING_S, FaceStream


def test_a_mirror_exchanges_sides_and_turns_the_head_round() -> None:
    seen = sample(
        mouthSmileLeft=0.7, jawRight=0.2, jawOpen=0.4, yaw=0.3, pitch=0.2, roll=0.1, x=5, y=6, z=-40
    )
    state = FaceStream(mirror=True).update(seen)
    changed = {name: round(state[name], 3) for name in FACE_CHANNELS if state[name]}
    there = {"mouthSmileRight": 0.7, "jawLeft": 0.2, "jawOpen": 0.4, "yaw": -0.3, "pitch": 0.2, "roll": -0.1}
    assert changed == {**there, "x": -5, "y": 6, "z": -40}


def test_a_mirror_in_a_mirror_changes_nothing() -> None:
    for each in samples_of(moving_track()):
        np.testing.assert_array_equal(each.state.mirrored().mirrored().values, each.state.values)


def test_a_lost_face_eases_to_neutral_and_then_is_none() -> None:
    stream = FaceStream()
    assert stream.update(no_face(0.9)) is None
    stream.update(sample(1.0, jawOpen=0.8, yaw=0.4))
    times_s = [1.0 + EASING_S * share for share in (0.25, 0.5, 1.0, 1.1, 2.0)]
    states = [stream.update(no_face(time_s)) for time_s in times_s]
    jaws = [state and state["jawOpen"] for state in states]
    assert jaws == [pytest.approx(0.6), pytest.approx(0.4), 0, None, None]
    assert stream.update(sample(9.0, jawOpen=0.3))["jawOpen"] == pytest.approx(0.3)


def test_a_stream_that_begins_again_does_not_make_the_face_stronger() -> None:
    stream = FaceStream()
    stream.update(sample(100.0, jawOpen=0.8))
    assert stream.update(no_face(0.0))["jawOpen"] == pytest.approx(0.8)
