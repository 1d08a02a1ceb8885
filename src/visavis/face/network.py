"""Regions of an image in; landmarks, blendshape weights, rotation and a face score for each out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visavis.face.region import FaceRegion
from visavis.types import FloatArray, ImageArray
from visavis.weights import metadata, open_session


@dataclass(frozen=True, slots=True, eq=False)
class FaceReading:
    """The network's answer for one region.

    Attributes:
        region: where it looked.
        landmarks: (N, 3) in units of the region.
        weights: (52,) in 0..1.
        rotation: (3, 3) of the head in the upright crop.
        score: 0..1, how sure it is that the region frames a face.
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


class FaceNetwork:
    """The embedded face network (see ``docs/models/face.md``)."""

    def __init__(self, threads: int = 1) -> None:
        self._session = open_session("face", threads)
        self._input = self._session.get_inputs()[0].name
        facts = metadata(self._session)
        self.input_px = int(facts["input_px"])
        self.eye_corners: tuple[int, int] = tuple(facts["eye_corners"])

    def read(self, image_rgb: ImageArray, regions: Sequence[FaceRegion]) -> list[FaceReading]:
        """Look at some regions of an image (H, W, 3) uint8; one reading for each."""
        if not regions:
            return []
        crops = np.stack([region.crop(image_rgb, self.input_px) for region in regions])
        landmarks, weights, rotations, scores = self._session.run(None, {self._input: crops})
        return [
            FaceReading(region, landmarks[i], weights[i], rotations[i], float(scores[i]))
            for i, region in enumerate(regions)
        ]

    def next_region(self, reading: FaceReading) -> FaceRegion:
        """Where the same face should be looked for next."""
        return FaceRegion.from_landmarks(reading.landmarks_xy, self.eye_corners)
