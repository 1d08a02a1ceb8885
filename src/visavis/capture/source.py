"""The interface of every source of frames, and the function that opens one."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Protocol, Self

from visavis.base.clock import Clock
from visavis.capture.camera import Camera
from visavis.capture.video import VideoFile
from visavis.errors import InputError
from visavis.types import Frame


class FrameSource(Protocol):
    """A stream of frames with strictly increasing times; iterate over it once, inside ``with``."""

    @property
    def name(self) -> str:
        """Name in messages."""

    @property
    def fps(self) -> float:
        """Nominal frames per second."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the first frame in pixels."""

    @property
    def frame_count_hint(self) -> int | None:
        """Estimated number of frames; None if not known."""

    @property
    def live(self) -> bool:
        """Whether frames come in real time."""

    def __iter__(self) -> Generator[Frame, None, None]:
        """The frames.

        Raises:
            InputError: after the last good frame of a damaged file.
            DeviceError: the camera was lost.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


def open_source(source: str | int | Path, clock: Clock | None = None) -> FrameSource:
    """Open a video file, or a camera if ``source`` is a whole number and no file has this name.

    Raises:
        InputError: the file does not exist, or has no video.
        DeviceError: the camera does not exist.
    """
    if isinstance(source, int):
        return Camera(source, clock)
    if "://" in str(source):
        raise InputError(f"{source}: addresses are not read; download the video first")
    path = Path(source)
    if str(source).isdecimal() and not path.exists():
        return Camera(int(str(source)), clock)
    return VideoFile(path)
