"""Stand-ins for the stages: a scripted tracker and classifier, a painted avatar, and a pipeline of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visavis.avatar.parameters import Animator
from visavis.channels import EXPRESSIONS, FACE_CHANNELS
from visavis.expression.reader import ExpressionReader
from visavis.pipeline import Pipeline
from visavis.types import AvatarPose, Face, FaceState, FloatArray, Frame, ImageArray


class ScriptedTracker:
    """Finds a face in the middle of each frame.

    Args:
        misses: numbers of the frames without a face.

    Attributes:
        blind: True while no face is found at all.
        resets: how often the tracker was reset.
        closed: whether the tracker was closed.
    """

    def __init__(self, misses: Sequence[int] = ()) -> None:
        self.misses = set(misses)
        self.blind = False
        self.resets = 0
        self.closed = False

    def update(self, frame: Frame) -> tuple[Face, ...]:
        """One face of 2/3 of the picture's shorter side; its weights swing with time."""
        if self.blind or frame.index in self.misses:
            return ()
        height, width = frame.image_rgb.shape[:2]
        center, half = np.asarray([width / 2, height / 2]), min(width, height) / 3
        corners = center + half * np.asarray([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        values = np.zeros(len(FACE_CHANNELS), np.float32)
        values[:52] = 0.5 + 0.4 * np.sin(frame.time_s * 3)
        box = np.concatenate([corners[0], corners[2]])
        landmarks = center + half * np.random.default_rng(0).uniform(-0.6, 0.6, (40, 2))
        return (Face(0, 0.9, box, landmarks, corners, FaceState(values)),)

    def reset(self) -> None:
        """Count the call."""
        self.resets += 1

    def close(self) -> None:
        """Note the call."""
        self.closed = True


class ScriptedClassifier:
    """Always sure of the same expression.

    Args:
        label: one of :data:`~visavis.channels.EXPRESSIONS`.

    Attributes:
        seen: the shape of each batch of crops.
    """

    def __init__(self, label: str = "happy") -> None:
        self.probabilities = np.where(np.asarray(EXPRESSIONS) == label, 0.86, 0.02).astype(np.float32)
        self.seen: list[tuple[int, ...]] = []

    def predict(self, crops: ImageArray) -> FloatArray:
        """(N, 8) probabilities."""
        self.seen.append(crops.shape)
        return np.tile(self.probabilities, (len(crops), 1))


class PaintedPuppet:
    """An avatar that costs nothing to draw."""

    def draw(self, pose: AvatarPose, size_px: int) -> ImageArray:
        """A picture (size_px, size_px, 3) of one color."""
        return np.full((size_px, size_px, 3), (190, 180, 220), np.uint8)

    def cut_out(self, pose: AvatarPose, size_px: int) -> ImageArray:
        """A disc (size_px, size_px, 4) of this color on nothing."""
        y, x = np.indices((size_px, size_px)) / size_px - 0.5
        alpha = np.where(x**2 + y**2 < 0.15, 255, 0)
        return np.dstack([self.draw(pose, size_px), alpha]).astype(np.uint8)


def scripted_pipeline() -> Pipeline:
    """A pipeline with a scripted tracker and classifier, and the real avatar's parameters."""
    return Pipeline(ScriptedTracker(), ExpressionReader(ScriptedClassifier()), Animator())
