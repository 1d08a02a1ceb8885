"""A test whether a square of a picture frames a face: several looks of the network must agree.

The network's score alone says little: it is near 1 for nearly everything that is framed as a face. Of 300
faces of FER-2013's PublicTest in their own framing 90% pass; of 204 squares without a face (a cup, coins,
noise, shades, plain grey) 2%.
"""

from __future__ import annotations

import numpy as np

from visavis.face.network import FaceReading, LandmarkNetwork
from visavis.face.region import FaceRegion
from visavis.types import ImageArray

# The first look is where a face should be; each other one is where the last one saw it.
LOOKS = 3
# So sure is the network of a face in its last look,
SURE = 0.9
# which moves the landmarks by less than this share of the region's side, on average.
STEADY = 0.009


def settle(image_rgb: ImageArray, region: FaceRegion, network: LandmarkNetwork) -> tuple[FaceReading, float]:
    """Look at a region :data:`LOOKS` times, each time where the last look saw the face.

    Args:
        image_rgb: (H, W, 3) uint8.
        region: where a face should be.
        network: finds landmarks.

    Returns:
        The last look, and how far it moved the landmarks, on average, in pixels of the image.
    """
    reading = network.read(image_rgb, [region])[0]
    for _ in range(LOOKS - 1):
        before, reading = reading, network.read(image_rgb, [network.next_region(reading)])[0]
    moved = np.linalg.norm(reading.landmarks_xy - before.landmarks_xy, axis=1)
    return reading, float(moved.mean())


def frames_face(image_rgb: ImageArray, region: FaceRegion, network: LandmarkNetwork) -> bool:
    """Whether the network is sure of a face in a region, and its looks agree."""
    reading, moved_px = settle(image_rgb, region, network)
    return reading.score >= SURE and moved_px < STEADY * region.size_px
