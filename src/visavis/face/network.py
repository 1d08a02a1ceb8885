"""The embedded face network: landmarks, blendshape weights, rotation and a face score of image regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from visavis.base.networks import metadata, open_session
from visavis.channels import BLENDSHAPES
from visavis.face.region import FaceRegion
from visavis.types import FloatArray, ImageArray


@dataclass(frozen=True, slots=True, eq=False)
class FaceReading:
    """The network's answer for one region.

    Attributes:
        region: the region that was read.
        landmarks: (N, 3) in units of the region.
        weights: (52,) in 0..1.
        rotation: (3, 3) of the head in the upright crop.
        score: 0..1, how sure the network is that the region frames a face.
    """

    region: FaceRegion
    landmarks: FloatArray
    weights: FloatArray
    rotation: FloatArray
    score: float

    @property
    def landmarks_xy(self) -> FloatArray:
        """(N, 2) in image pixels."""
        return self.region.to_image(self.landmarks[:, :2])


class LandmarkNetwork(Protocol):
    """The part of the face network that finding and framing use."""

    def read(self, image_rgb: ImageArray, regions: Sequence[FaceRegion]) -> list[FaceReading]:
        """One reading for each region."""

    def next_region(self, reading: FaceReading) -> FaceRegion:
        """The region in which to look for the same face next."""


class FaceNetwork:
    """The embedded face network (see ``docs/models/face.md``).

    Attributes:
        input_px: side of the crops that the network reads.
        eye_corners: indices of the outer eye corners on the image's left and right among the landmarks.
        landmark_numbers: the landmarks' numbers among MediaPipe's 478.
        not_read: blendshapes that were not trained; their weights are 0.
        reliability: (52,) 0..1, how reliable each blendshape is on a clearly visible face: its correlation
            with the known values, on people that training never saw; 0 if it is not read.
    """

    def __init__(self, threads: int = 1) -> None:
        self._session = open_session("face", threads)
        self._input = self._session.get_inputs()[0].name
        facts = metadata(self._session)
        self.input_px = int(facts["input_px"])
        self.eye_corners: tuple[int, int] = tuple(facts["eye_corners"])
        self.landmark_numbers = tuple(int(number) for number in facts["landmark_numbers"])
        self.not_read = tuple(str(name) for name in facts["not_read"])
        read = [float(name not in self.not_read) for name in BLENDSHAPES]
        self.reliability: FloatArray = np.asarray(facts.get("reliability", read), np.float32)

    def read(self, image_rgb: ImageArray, regions: Sequence[FaceRegion]) -> list[FaceReading]:
        """Read some regions of an image (H, W, 3) uint8; returns one reading for each."""
        if not regions:
            return []
        crops = np.stack([region.crop(image_rgb, self.input_px) for region in regions])
        landmarks, weights, rotations, scores = self._session.run(None, {self._input: crops})
        return [
            FaceReading(region, landmarks[i], weights[i], rotations[i], float(scores[i]))
            for i, region in enumerate(regions)
        ]

    def next_region(self, reading: FaceReading) -> FaceRegion:
        """The region in which to look for the same face next."""
        return FaceRegion.from_landmarks(reading.landmarks_xy, self.eye_corners)
