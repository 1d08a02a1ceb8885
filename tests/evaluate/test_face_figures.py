"""Figures over channels: the choice of channels that count."""

from __future__ import annotations

import numpy as np
import pytest

from visavis.channels import BLENDSHAPES
from visavis.evaluate.face_figures import FaceFigures, Readings
from visavis.face.mesh import LANDMARKS_146


def readings(weights: np.ndarray) -> Readings:
    count = len(weights)
    points = np.broadcast_to(np.arange(146, dtype=np.float32)[:, None], (count, 146, 2))
    return Readings(weights, np.zeros((count, 3), np.float32), points, np.asarray(LANDMARKS_146, np.int32))


def test_43_channels_rise_and_those_that_hardly_do_are_counted() -> None:
    truth = np.vstack([np.zeros(52), np.eye(52)]).astype(np.float32)
    gains = np.full(52, 0.6, np.float32)
    for name in ("cheekPuff", "noseSneerLeft", "tongueOut", "eyeLookUpLeft"):
        gains[BLENDSHAPES.index(name)] = 0.09
    figures = FaceFigures.of(readings(gains * truth), readings(truth))
    assert (figures.rising, figures.flat) == (43, 2)
    assert figures.mean_rise == pytest.approx((41 * 0.6 + 2 * 0.09) / 43)
    assert figures.rise[BLENDSHAPES.index("tongueOut")] == pytest.approx(0.09)


def test_what_has_no_rise_is_not_flat() -> None:
    truth = np.zeros((3, 52), np.float32)
    figures = FaceFigures.of(readings(truth), readings(truth))
    assert (figures.rising, figures.flat) == (0, 0)
    assert np.isnan(figures.mean_rise)
