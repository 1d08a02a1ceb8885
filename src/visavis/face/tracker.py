"""The interface of every face tracker, and the trackers by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from visavis.base.arrays import require_whole
from visavis.errors import InputError
from visavis.types import Face, Frame, ImageArray

TRACKERS = ("visavis", "mediapipe")


@runtime_checkable
class Tracker(Protocol):
    """Follows faces through one stream of frames; its state belongs to that stream."""

    def update(self, frame: Frame) -> tuple[Face, ...]:
        """Faces in the frame, largest first; empty when none is there."""

    def reset(self) -> None:
        """Forget every face, as before the first frame."""

    def close(self) -> None:
        """Free what garbage collection does not free; after that, only :meth:`reset` may be called."""


@runtime_checkable
class PictureReader(Protocol):
    """A tracker that can read several single pictures together."""

    def look(self, images_rgb: Sequence[ImageArray]) -> list[tuple[Face, ...]]:
        """Faces in each picture (H, W, 3) uint8, as in the first frame of a stream."""


def look_at_all(tracker: Tracker, images_rgb: Sequence[ImageArray]) -> list[tuple[Face, ...]]:
    """Faces in each picture (H, W, 3) uint8, as in the first frame of a stream; the stream starts again."""
    tracker.reset()
    if isinstance(tracker, PictureReader):
        return tracker.look(images_rgb)
    looked = []
    for image in images_rgb:
        tracker.reset()
        looked.append(tracker.update(Frame(image, 0.0)))
    return looked


def open_tracker(name: str, max_faces: int = 1) -> Tracker:
    """A tracker by its name.

    Raises:
        InputError: the name is not in :data:`TRACKERS`, or the number of faces is no whole number from 1.
        MissingExtraError: the tracker's package is not installed.
    """
    require_whole("max_faces", max_faces, 1)
    if name == "visavis":
        from visavis.face.embedded import EmbeddedTracker

        return EmbeddedTracker(max_faces)
    if name == "mediapipe":
        from visavis.face.mediapipe import MediaPipeTracker

        return MediaPipeTracker(max_faces)
    raise InputError(f"no tracker is called {name!r}; there are: {', '.join(TRACKERS)}")
