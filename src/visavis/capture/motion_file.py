"""A Live2D motion file as a source of frames: the avatar plays the motion."""

from __future__ import annotations

from collections.abc import Generator

from visavis.base.closing import Closing
from visavis.base.files import PathText, as_path
from visavis.capture.tracked import BLANK_PX, TrackedFrame, blank_picture
from visavis.errors import InputError
from visavis.motion.motion3 import read_motion3

MOTION_ENDING = ".motion3.json"
# A wrong number in a file should not fill the disk.
MOST_FRAMES = 10_000_000


class MotionFile(Closing):
    """A motion file; iterate over it once, inside ``with``. It is played once, also if it says that it loops.

    Attributes:
        path: the file.
        fps: frames per second at which the motion was made.
        size: width and height of the blank pictures.
        frame_count_hint: number of frames.

    Raises:
        InputError: the file is missing or malformed, or lasts too long.
    """

    live = False

    def __init__(self, path: PathText) -> None:
        self.path = as_path(path)
        self.name = str(path)
        self._motion = read_motion3(self.path)
        self.fps = self._motion.fps
        self.size = (BLANK_PX, BLANK_PX)
        frames = self._motion.duration_s * self.fps
        if frames > MOST_FRAMES:
            raise InputError(f"{path}: the motion has {frames:.3g} frames; at most {MOST_FRAMES} are played")
        self.frame_count_hint: int | None = max(round(frames), 1)

    def __iter__(self) -> Generator[TrackedFrame, None, None]:
        picture = blank_picture()
        for index in range(self.frame_count_hint or 0):
            time_s = index / self.fps
            yield TrackedFrame(picture, time_s, index, pose=self._motion.pose(time_s))
