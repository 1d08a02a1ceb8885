"""What each person in a video does: for each frame, and then at a steady rate."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.capture.prefetch import Prefetch
from visavis.pipeline import EXPRESSION_CROP_PX, Pipeline, expression_region
from visavis.track import Track, rows_of
from visavis.types import BoolArray, Face, Faces, FloatArray, Frame, ImageArray

# A face crop with a side of this many pixels is enough to distinguish two people, and needs little memory.
LOOK_PX = 4
NO_LOOK = np.zeros((LOOK_PX, LOOK_PX, 3), np.uint8)
# A moment this near to a frame, in frames, gets this frame, even if a neighbour has no face.
SAME_MOMENT = 0.02
# There is no interpolation between frames with a larger gap than this.
LONGEST_BRIDGE_S = 0.25


@dataclass(slots=True)
class Observed:
    """One person in one video; each frame adds a row.

    Attributes:
        time_s: time of each frame.
        face: (58,) for each frame, NaN without a face.
        expression: (25,) for each frame, NaN if not read.
        look: (LOOK_PX, LOOK_PX, 3) for each frame, black without a face.
    """

    time_s: list[float] = field(default_factory=list)
    face: list[FloatArray] = field(default_factory=list)
    expression: list[FloatArray] = field(default_factory=list)
    look: list[ImageArray] = field(default_factory=list)

    def add(self, frame: Frame, faces: Faces) -> None:
        """Append a frame and the faces in it."""
        self.time_s.append(frame.time_s)
        face = faces[0] if faces else None
        row, expression = rows_of(face)
        self.face.append(row)
        self.expression.append(expression)
        self.look.append(NO_LOOK if face is None else _look(frame, face))

    def extend(self, time_s: FloatArray, face: FloatArray, expression: FloatArray, look: ImageArray) -> None:
        """Append the rows of the next frames."""
        self.time_s.extend(time_s.tolist())
        self.face.extend(face)
        self.expression.extend(expression)
        self.look.extend(look)


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """One person of a conversation at the corpus's rate.

    Attributes:
        track: face and expression.
        looks: (T, LOOK_PX, LOOK_PX, 3) uint8, small pictures of the face; black without a face.
    """

    track: Track
    looks: ImageArray

    @classmethod
    def at_rate(cls, observed: Observed, fps: float, count: int) -> Self:
        """Resample to the times ``k / fps``: linear between two frames that both have a face.

        If a neighbour has no face, or the gap is longer than :data:`LONGEST_BRIDGE_S`, there is no face; a
        moment at a frame gets this frame.
        """
        time_s = np.asarray(observed.time_s)
        face, expression = np.stack(observed.face), np.stack(observed.expression)
        at_s = np.arange(count) / fps
        left, right, weight = _neighbours(time_s, at_s)
        both = np.stack([1 - weight, weight]).astype(np.float32)[..., None]
        mixed = both[0] * face[left] + both[1] * face[right]
        found: BoolArray = np.isfinite(mixed).all(axis=1) & (time_s[right] - time_s[left] <= LONGEST_BRIDGE_S)
        mixed[~found] = np.nan
        felt = both[0] * expression[left] + both[1] * expression[right]
        felt[~found] = np.nan
        nearest = np.where(weight < 0.5, left, right)
        return cls(Track(at_s, mixed, felt, found, fps), np.stack(observed.look)[nearest])


def observe(
    frames: Generator[Frame, None, None],
    people: Sequence[Pipeline],
    cut_px: int | None,
    on_frame: Callable[[], None],
) -> list[Observed]:
    """Follow one person, or two side by side, through a video.

    Args:
        frames: the video's frames.
        people: one pipeline for each person, left to right; their streams start again.
        cut_px: the column between two people; None for one person.
        on_frame: called after each frame.

    Raises:
        InputError: the video is damaged or cut off.
    """
    observed = [Observed() for _ in people]
    for pipeline in people:
        pipeline.reset()
    with Prefetch(frames) as ahead:
        for frame in ahead:
            for pipeline, person, view in zip(people, observed, _views(frame, cut_px), strict=True):
                person.add(view, pipeline.see(view).faces)
            on_frame()
    return observed


def _views(frame: Frame, cut_px: int | None) -> list[Frame]:
    if cut_px is None:
        return [frame]
    halves = (frame.image_rgb[:, :cut_px], frame.image_rgb[:, cut_px:])
    return [Frame(np.ascontiguousarray(half), frame.time_s, frame.index) for half in halves]


def _look(frame: Frame, face: Face) -> ImageArray:
    crop = expression_region(face).crop(frame.image_rgb, EXPRESSION_CROP_PX)
    return np.asarray(cv2.resize(crop, (LOOK_PX, LOOK_PX), interpolation=cv2.INTER_AREA), np.uint8)


def _neighbours(
    time_s: NDArray[np.float64], at_s: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """The frames before and after each moment, and its position between them, 0 to 1."""
    right = np.clip(np.searchsorted(time_s, at_s), 0, len(time_s) - 1)
    left = np.clip(right - 1, 0, None)
    span = np.where(right > left, time_s[right] - time_s[left], 1.0)
    weight = np.clip((at_s - time_s[left]) / span, 0.0, 1.0)
    on_left, on_right = weight < SAME_MOMENT, weight > 1 - SAME_MOMENT
    right = np.where(on_left, left, right)
    left = np.where(on_right & ~on_left, right, left)
    return left, right, np.where(right == left, 0.0, weight)
