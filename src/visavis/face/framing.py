"""A test whether a square of a picture frames a face: several looks of the network must agree.

The network's score alone says little: it is near 1 for nearly everything that is framed as a face. 90% of 300
faces of FER-2013's PublicTest in their own framing pass, and 2% of 204 squares without a face (a cup, coins,
noise, shades, plain grey).
"""

from __future__ import annotations

import numpy as np

from visavis.face.network import FaceReading, LandmarkNetwork
from visavis.face.region import FaceRegion
from visavis.types import ImageArray

# The first look is at the expected place of the face; each other look is where the last one saw the face.
LOOKS = 3
# Smallest score of the network in its last look,
SURE = 0.9
# and the largest average movement of landmarks in this look, as a share of the region's side.
STEADY = 0.009


def settle_region(
    image_rgb: ImageArray, region: FaceRegion, network: LandmarkNetwork
) -> tuple[FaceReading, float]:
    """Look at a region :data:`LOOKS` times, each time where the last look saw the face.

    Args:
        image_rgb: (H, W, 3) uint8.
        region: expected place of a face.
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
    reading, moved_px = settle_region(image_rgb, region, network)
    return reading.score >= SURE and moved_px < STEADY * region.size_px
