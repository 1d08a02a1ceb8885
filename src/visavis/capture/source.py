"""The interface of every source of frames, and the function that opens one."""

from __future__ import annotations

import os
from collections.abc import Generator
from importlib import import_module
from numbers import Integral
from typing import Protocol, Self

from visavis.base.address import Address
from visavis.base.clock import Clock
from visavis.base.files import PathText, as_path
from visavis.capture import inputs
from visavis.capture.camera import Camera
from visavis.capture.motion_file import MOTION_ENDING, MotionFile
from visavis.capture.track_file import TRACK_SUFFIXES, TrackFile
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


def open_source(source: PathText | int, clock: Clock | None = None) -> FrameSource:
    """Open a video, track or motion file, a camera if ``source`` is a whole number, or a tracker's address.

    Raises:
        InputError: the file does not exist or has no video, or no input understands the address.
        DeviceError: the camera does not exist, or the address cannot be listened to.
    """
    if isinstance(source, Integral):
        return Camera(source if isinstance(source, bool) else int(source), clock)
    if not isinstance(source, str | os.PathLike):
        raise InputError(
            f"a source of type {type(source).__name__}; expected the path of a file, the number of a camera, "
            "or a tracker's address"
        )
    path, text = as_path(source), os.fspath(source)
    if "://" in text:
        return _open_input(text, clock)
    if text.isdecimal() and not path.exists():
        return Camera(int(text), clock)
    if path.name.lower().endswith(MOTION_ENDING):
        return MotionFile(path)
    return TrackFile(path) if path.suffix.lower() in TRACK_SUFFIXES else VideoFile(path)


def _open_input(text: str, clock: Clock | None) -> FrameSource:
    scheme = text.partition("://")[0].lower()
    if scheme in ("http", "https"):
        raise InputError(f"{text}: videos on the internet are not read; download the video first")
    if scheme not in inputs.schemes():
        raise InputError(f"{text}: no input is called {scheme!r}; there are {', '.join(inputs.schemes())}")
    source: FrameSource = import_module(f"{inputs.__name__}.{scheme}").open(Address.parse(text), clock)
    return source
