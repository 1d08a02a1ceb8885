"""The embedded face network: landmarks, blendshape weights, rotation and a face score of image regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from visavis.base.int8 import stored_wanted
from visavis.base.networks import batched, metadata, open_session
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
        visible: (3,) 0..1, how far the person's right eye, left eye and mouth are visible.
        landmarks_xy: (N, 2) in image pixels.
    """

    region: FaceRegion
    landmarks: FloatArray
    weights: FloatArray
    rotation: FloatArray
    score: float
    visible: FloatArray = field(default_factory=lambda: np.ones(3, np.float32))
    landmarks_xy: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "landmarks_xy", self.region.to_image(self.landmarks[:, :2]))

    def reliability(self, at_best: FloatArray) -> FloatArray:
        """(52,) reliability of each blendshape: a hidden part cannot be read.

        Args:
            at_best: (52,) reliability on a clearly visible face.
        """
        return np.asarray(at_best * self.score * (_PARTS @ self.visible), np.float32)


def _part(name: str) -> tuple[float, float, float]:
    """The shares of the right eye, the left eye and the mouth in what shows a blendshape."""
    sides = (0.0, 1.0) if name.endswith("Left") else (1.0, 0.0) if name.endswith("Right") else (0.5, 0.5)
    if name.startswith(("eye", "brow")):
        return (*sides, 0.0)
    if name.startswith(("cheekSquint", "noseSneer")):
        return (sides[0] / 2, sides[1] / 2, 0.5)
    return (0.0, 0.0, 1.0)


_PARTS = np.asarray([_part(name) for name in BLENDSHAPES], np.float32)


class LandmarkNetwork(Protocol):
    """The part of the face network that finding and framing use."""

    def read(
        self, image_rgb: ImageArray | Sequence[ImageArray], regions: Sequence[FaceRegion]
    ) -> list[FaceReading]:
        """One reading for each region of an image, or of its own image."""

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

    def __init__(self) -> None:
        session = open_session("face", int8_weights=stored_wanted())
        self._network = batched(session)
        self._input = session.get_inputs()[0].name
        facts = metadata(session)
        self.input_px = int(facts["input_px"])
        self.eye_corners: tuple[int, int] = tuple(facts["eye_corners"])
        self.landmark_numbers = tuple(int(number) for number in facts["landmark_numbers"])
        self.not_read = tuple(str(name) for name in facts["not_read"])
        read = [float(name not in self.not_read) for name in BLENDSHAPES]
        self.reliability: FloatArray = np.asarray(facts.get("reliability", read), np.float32)

    def read(
        self, image_rgb: ImageArray | Sequence[ImageArray], regions: Sequence[FaceRegion]
    ) -> list[FaceReading]:
        """Read some regions; returns one reading for each.

        Args:
            image_rgb: the image (H, W, 3) uint8 of all regions, or one image for each region.
            regions: where to look.
        """
        if not regions:
            return []
        images = len(regions) * [image_rgb] if isinstance(image_rgb, np.ndarray) else image_rgb
        pairs = zip(images, regions, strict=True)
        crops = np.stack([region.crop(image, self.input_px) for image, region in pairs])
        landmarks, weights, rotations, scores, visible = self._network.run(None, {self._input: crops})
        return [
            FaceReading(region, landmarks[i], weights[i], rotations[i], float(scores[i]), visible[i])
            for i, region in enumerate(regions)
        ]

    def next_region(self, reading: FaceReading) -> FaceRegion:
        """The region in which to look for the same face next."""
        return FaceRegion.from_landmarks(reading.landmarks_xy, self.eye_corners)
