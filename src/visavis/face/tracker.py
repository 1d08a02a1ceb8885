"""Frames in, tracked faces out: what every face tracker promises."""

from __future__ import annotations

from typing import Protocol

from visavis.types import Face, Frame


class Tracker(Protocol):
    """Follows faces through one stream of frames; its state belongs to that stream."""

    def update(self, frame: Frame) -> tuple[Face, ...]:
        """Faces in the frame, largest first; empty when none is there."""

    def reset(self) -> None:
        """Forget every face, as before the first frame."""
