"""Live frames of a camera."""

from __future__ import annotations

from collections.abc import Callable, Generator

import cv2
import numpy as np

from visavis.base.clock import Clock, SystemClock
from visavis.base.closing import Closing
from visavis.capture.quiet import quiet_opencv
from visavis.errors import DeviceError, InputError
from visavis.types import Frame, ImageArray

DEFAULT_FPS = 30.0
# OpenCV interprets the hundreds of a number as a driver.
HIGHEST_INDEX = 99
MAX_FAILED_READS = 20
RETRY_S = 0.05
# A driver may wait seconds before it reports that no picture comes.
PATIENCE_S = 5.0
# Two frames never have the same time, even with a coarse clock.
MIN_STEP_S = 1e-4

OpenCapture = Callable[[int], cv2.VideoCapture]


class Camera(Closing):
    """A webcam through OpenCV.

    Args:
        index: the camera's number, from 0.
        clock: gives the frames' times.
        open_capture: function that opens OpenCV's capture.

    Raises:
        InputError: the number is out of range.
        DeviceError: the camera does not exist or gives no picture.
    """

    live = True
    frame_count_hint: int | None = None

    def __init__(
        self, index: int, clock: Clock | None = None, open_capture: OpenCapture = cv2.VideoCapture
    ) -> None:
        if isinstance(index, bool) or not 0 <= index <= HIGHEST_INDEX:
            raise InputError(f"a camera's number is 0 to {HIGHEST_INDEX}; found {index}")
        self.name = f"camera {index}"
        self._clock = clock or SystemClock()
        with quiet_opencv():
            self._capture = open_capture(index)
            opened = self._capture.isOpened()
        if not opened:
            raise DeviceError(
                f"{self.name} was not found: plug one in, close other programs that use it, "
                "try another number, or give a video file"
            )
        # Only the newest picture matters, not older ones in the driver's queue.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = float(fps) if np.isfinite(fps) and 1 <= fps <= 1000 else DEFAULT_FPS
        self._start_s = self._clock.now_s()
        try:
            self._first: ImageArray | None = self._read()
        except DeviceError:
            self.close()
            raise
        self.size = (self._first.shape[1], self._first.shape[0])

    def __iter__(self) -> Generator[Frame, None, None]:
        """Frames as they come, with times in seconds since opening.

        Raises:
            DeviceError: the camera stopped giving pictures.
        """
        index = 0
        time_s = -MIN_STEP_S
        while True:
            image = self._first if self._first is not None else self._read()
            self._first = None
            time_s = max(self._clock.now_s() - self._start_s, time_s + MIN_STEP_S)
            yield Frame(image, time_s, index)
            index += 1

    def close(self) -> None:
        """Release the camera."""
        self._capture.release()

    def _read(self) -> ImageArray:
        end_s = self._clock.now_s() + PATIENCE_S
        for _ in range(MAX_FAILED_READS):
            good, image = self._capture.read()
            if good:
                return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
            if self._clock.now_s() >= end_s:
                break
            self._clock.sleep_s(RETRY_S)
        raise DeviceError(
            f"{self.name} gives no picture any more: check its cable, and that no other program took it"
        )
