"""Sampled weights: possible faces, with frequent rare movements."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.channels import BLENDSHAPES, FACE_INDEX
from visavis_train.face.rendering.bending import (
    LOOK_SIDEWAYS_RAD,
    LOOK_UP_RAD,
    eye_angles,
    set_gaze,
    turn,
)
from visavis_train.face.rendering.expressions import sample_expression


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_weights_are_a_possible_face(seed: int, turned: bool) -> None:
    weights = sample_expression(np.random.default_rng(seed), turned)
    assert weights.shape == (52,)
    assert weights.dtype == np.float32
    assert weights.min() >= 0
    assert weights.max() <= 1
    w = dict(zip(BLENDSHAPES, weights, strict=True))
    assert w["mouthClose"] <= w["jawOpen"]
    assert w["tongueOut"] == 0 or w["jawOpen"] >= 0.15
    for side in ("Left", "Right"):
        assert min(w[f"eyeLookUp{side}"], w[f"eyeLookDown{side}"]) == 0
        assert min(w[f"eyeLookIn{side}"], w[f"eyeLookOut{side}"]) == 0


def test_every_shape_is_strong_often_and_one_in_eight_faces_rests() -> None:
    rng = np.random.default_rng(3)
    weights = np.stack([sample_expression(rng) for _ in range(4000)])
    strong = (weights > 0.4).mean(axis=0)
    assert strong.min() > 0.012, BLENDSHAPES[int(strong.argmin())]
    looks = [name.startswith("eyeLook") for name in BLENDSHAPES]
    at_rest = (weights[:, ~np.asarray(looks)] <= 0.1).all(axis=1).mean()
    assert 0.09 < at_rest < 0.2


@given(
    st.floats(-LOOK_SIDEWAYS_RAD, LOOK_SIDEWAYS_RAD),
    st.floats(-LOOK_UP_RAD, LOOK_UP_RAD),
    st.sampled_from(["Left", "Right"]),
)
def test_looking_is_undone_by_reading_the_angles(yaw: float, pitch: float, side: str) -> None:
    weights = np.zeros(52, np.float32)
    set_gaze(weights, side, yaw, pitch)
    assert eye_angles(weights)[0 if side == "Left" else 1] == pytest.approx([yaw, pitch], abs=1e-5)


def test_the_left_eye_looks_out_to_the_persons_left_and_turns_there() -> None:
    weights = np.zeros(52, np.float32)
    weights[FACE_INDEX["eyeLookOutLeft"]] = weights[FACE_INDEX["eyeLookUpLeft"]] = 1
    yaw, pitch = eye_angles(weights)[0]
    ahead = turn(float(yaw), float(pitch)) @ np.array([0, 0, 1])
    assert ahead[0] > 0.4
    assert ahead[1] > 0.4
