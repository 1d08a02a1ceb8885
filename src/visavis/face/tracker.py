"""The interface of every face tracker, and the trackers by name."""

from __future__ import annotations

from typing import Protocol

from visavis.errors import InputError
from visavis.types import Face, Frame

TRACKERS = ("visavis", "mediapipe")


class Tracker(Protocol):
    """Follows faces through one stream of frames; its state belongs to that stream."""

    def update(self, frame: Frame) -> tuple[Face, ...]:
        """Faces in the frame, largest first; empty when none is there."""

    def reset(self) -> None:
        """Forget every face, as before the first frame."""

    def close(self) -> None:
        """Free what garbage collection does not free; after that, only :meth:`reset` may be called."""


def open_tracker(name: str, max_faces: int = 1) -> Tracker:
    """A tracker by its name.

    Raises:
        InputError: the name is not in :data:`TRACKERS`.
        MissingExtraError: the tracker's package is not installed.
    """
    if name == "visavis":
        from visavis.face.embedded import EmbeddedTracker

        return EmbeddedTracker(max_faces)
    if name == "mediapipe":
        from visavis.face.mediapipe import MediaPipeTracker

        return MediaPipeTracker(max_faces)
    raise InputError(f"no tracker is called {name!r}; there are: {', '.join(TRACKERS)}")
