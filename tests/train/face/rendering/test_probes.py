"""Probes: one face at rest, then each weight at full, with no other difference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from visavis.channels import BLENDSHAPES
from visavis.metrics.faces import GAZE, rise_at_full
from visavis_train.face.rendering.head import Head
from visavis_train.face.rendering.landmarks import LandmarkTable
from visavis_train.face.rendering.paint import painted_skin
from visavis_train.face.rendering.probes import EACH, JAW_OPEN, PROBED, probe_view, probe_weights
from visavis_train.face.rendering.scene import Renderer
from visavis_train.face.rendering.skins import Skins


def test_one_identity_shows_every_weight_once() -> None:
    weights = np.stack([probe_weights(number) for number in range(EACH)])
    assert (len(PROBED), EACH) == (44, 45)
    assert not weights[0].any()
    assert not weights[:, GAZE].any()
    jaw = BLENDSHAPES.index("jawOpen")
    for row, name in zip(weights[1:], PROBED, strict=True):
        wanted = np.zeros(52)
        wanted[jaw] = JAW_OPEN.get(name, 0)
        wanted[BLENDSHAPES.index(name)] = 1
        np.testing.assert_array_equal(row, wanted.astype(np.float32))
    np.testing.assert_array_equal(probe_weights(3 * EACH + 7), weights[7])


def test_the_rise_of_every_probed_weight_can_be_measured() -> None:
    weights = np.stack([probe_weights(number) for number in range(EACH)])
    rise = rise_at_full(weights, weights)
    np.testing.assert_array_equal(np.isfinite(rise), ~GAZE)
    np.testing.assert_array_equal(rise[~GAZE], 1)


def test_views_are_moderate_and_upright() -> None:
    rng = np.random.default_rng(0)
    ahead = np.stack([probe_view(rng).rotation for _ in range(300)])
    yaw = np.degrees(np.arctan2(ahead[:, 0, 2], ahead[:, 2, 2]))
    pitch = np.degrees(np.arcsin(ahead[:, 1, 2]))
    assert 15 < np.abs(yaw).max() <= 20.001
    assert 9 < np.abs(pitch).max() <= 12.001


@pytest.mark.shared
def test_pictures_of_one_identity_differ_by_the_weight_alone(shared: Path) -> None:
    head = Head.load(shared / "data" / "ict_face" / "ict_face.npz")
    ground = np.full((112, 112, 3), 90, np.uint8)
    skins = Skins.joined([("skin", "test", painted_skin(np.random.default_rng(0), head), ground)])
    renderer = Renderer(head, LandmarkTable.load(head), skins, "test", 7, probes=True)
    rest, brow, other = (next(renderer.render(number, number + 1)) for number in (0, 1, EACH))
    assert (rest.identity, rest.skin, rest.occluded) == (brow.identity, brow.skin, brow.occluded)
    assert rest.identity != other.identity
    np.testing.assert_array_equal(brow.blendshapes, probe_weights(1))
    np.testing.assert_array_equal(rest.gaze, 0)
    np.testing.assert_allclose(rest.rotation, brow.rotation, atol=0.01)
    assert 0 < np.abs(rest.crop.astype(int) - brow.crop).mean() < 2
    assert np.abs(rest.crop.astype(int) - other.crop).mean() > 5
