"""The embedded face network: its metadata, and limits of its answers."""

from __future__ import annotations

import numpy as np

from visavis.capture.portrait import PortraitClip
from visavis.channels import BLENDSHAPES
from visavis.face.detector import FaceDetector
from visavis.face.network import FaceNetwork
from visavis.face.region import LANDMARK_MARGIN, FaceRegion


def test_channels_that_are_not_read_are_named_and_0() -> None:
    network = FaceNetwork()
    places = [BLENDSHAPES.index(name) for name in network.not_read]
    with PortraitClip() as clip:
        picture = next(iter(clip)).image_rgb
    region = FaceRegion.from_box(FaceDetector().detect(picture)[0].box_xyxy, LANDMARK_MARGIN)
    for size in (0.7, 1.0, 1.3):
        (reading,) = network.read(picture, [region.scaled(size)])
        assert (reading.weights[places] == 0).all()
        assert (np.delete(reading.weights, places) > 0).all()
    assert (network.reliability[places] == 0).all()
    assert network.reliability.shape == (52,)
    assert len(network.landmark_numbers) == len(reading.landmarks)
