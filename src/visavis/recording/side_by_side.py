"""A video of a person and the listeners' reactions side by side, with the person's sound."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from visavis.avatar.parameters import Animator
from visavis.avatar.puppet import Puppet
from visavis.base.interruption import Interruption
from visavis.capture.sound import Soundtrack
from visavis.capture.video import VideoFile
from visavis.drawing.panels import BACKGROUND, FONT, Color, even, fit_picture
from visavis.errors import InputError
from visavis.reaction.clip import Reaction
from visavis.reaction.live import FaceSmoother
from visavis.recording.video_writer import VideoWriter
from visavis.types import FaceState, FloatArray, ImageArray

# Nobody could watch more listeners than this.
MOST_LISTENERS = 10
HEIGHT_PX = 480
# Largest width of the person's picture over its height: wider ones get margins, to leave room for listeners.
MAX_ASPECT = 4 / 3
# Dark on the drawing's own backdrop.
LABEL: Color = (70, 66, 120)
# Times of a file's frames are rounded to a millisecond or less.
_ROUNDING_S = 1e-3


class Player:
    """An avatar that plays a face over time.

    Args:
        face: (T, 58); rows of NaN where no face is known.
        fps: frames per second of the face.
        side_px: side of the pictures.
        puppet: the drawing; no other player may use it.
        name: text in the pictures' corner; empty for none.
        acting: whether the face is a listener's, see :class:`~visavis.avatar.parameters.Animator`.
    """

    def __init__(
        self,
        face: FloatArray,
        fps: float,
        side_px: int,
        puppet: Puppet,
        name: str = "",
        *,
        acting: bool = False,
    ) -> None:
        self.side_px = side_px
        self._face, self._fps, self._puppet, self._name = face, fps, puppet, name
        # A video shows people as a camera sees them.
        self._animator = Animator(mirror=False, acting=acting)
        self._follower = FaceSmoother()

    def picture(self, row: int) -> ImageArray:
        """The picture (side_px, side_px, 3) of the next row; rows are drawn in order."""
        time_s = row / self._fps
        face = self._face[row]
        state: FaceState | None = None
        if np.isnan(face).any():
            self._follower.reset()
        else:
            state = self._follower.at(face, time_s)
        image = self._puppet.draw(self._animator.update(state, None, time_s), self.side_px)
        if self._name:
            scale = self.side_px / 480
            place = (round(18 * scale), self.side_px - round(18 * scale))
            cv2.putText(image, self._name, place, FONT, 1.1 * scale, LABEL, 1, cv2.LINE_AA)
        return image


class SpeakerView:
    """The speaker: the pictures of a video, or an avatar if there is no video.

    Args:
        pictures: pictures with increasing times.
        size: width and height of the pictures.
    """

    def __init__(self, pictures: Iterable[tuple[float, ImageArray]], size: tuple[int, int]) -> None:
        self.size = size
        self._pictures = iter(pictures)
        self._now: ImageArray = np.zeros((size[1], size[0], 3), np.uint8)
        self._next = next(self._pictures, None)

    @classmethod
    def of_face(cls, face: FloatArray, fps: float, start_s: float) -> Self:
        """The speaker as the avatar with the speaker's face (T, 58); row 0 is at ``start_s``."""
        player = Player(face, fps, HEIGHT_PX, Puppet.load(), "speaker")
        pictures = ((start_s + row / fps, player.picture(row)) for row in range(len(face)))
        return cls(pictures, (HEIGHT_PX, HEIGHT_PX))

    def picture(self, time_s: float) -> ImageArray:
        """The last picture that is not later than this; times must not decrease."""
        while self._next is not None and self._next[0] <= time_s + _ROUNDING_S:
            self._now = self._next[1]
            self._next = next(self._pictures, None)
        return self._now


class Wall:
    """The person on the left, listeners in one or two rows on the right.

    Args:
        person_size: width and height of the person's pictures.
        listeners: how many.
    """

    def __init__(self, person_size: tuple[int, int], listeners: int) -> None:
        self.rows = 1 if listeners == 1 else 2
        self.columns = math.ceil(listeners / self.rows)
        self.cell_px = HEIGHT_PX // self.rows
        self._person_px = even(HEIGHT_PX * min(person_size[0] / person_size[1], MAX_ASPECT))
        self.size = (self._person_px + self.columns * self.cell_px, HEIGHT_PX)
        self._canvas = np.full((self.size[1], self.size[0], 3), BACKGROUND, np.uint8)

    def compose(self, person_rgb: ImageArray, listeners_rgb: Iterable[ImageArray]) -> ImageArray:
        """(H, W, 3) of ``size``; the next call draws over the same array."""
        fit_picture(self._canvas[:, : self._person_px], person_rgb)
        for number, image in enumerate(listeners_rgb):
            row, column = divmod(number, self.columns)
            left, top = self._person_px + column * self.cell_px, row * self.cell_px
            self._canvas[top : top + self.cell_px, left : left + self.cell_px] = image
        return self._canvas


def write_side_by_side(
    path: Path,
    face: FloatArray,
    reaction: Reaction,
    start_s: float,
    source: Path | None,
    on_frame: Callable[[], None],
) -> None:
    """Write the video, 25 frames a second, of the first ten listeners; Ctrl-C ends it early.

    Args:
        path: the file to write; see :class:`~visavis.recording.video_writer.VideoWriter`.
        face: (T, 58) face of the person, drawn as the avatar if ``source`` has no pictures.
        reaction: reaction of K listeners to this face.
        start_s: time of the first row in the source, whose time 0 is its first picture or sound.
        source: a file with the person's pictures, sound, or both; None for neither.
        on_frame: called after each frame.

    Raises:
        InputError: the source is damaged, or the video cannot be written. Earlier frames are kept.
    """
    fps, shown = reaction.fps, reaction.face[:MOST_LISTENERS]
    with Interruption() as signals, ExitStack() as stack:
        video = None if source is None else _pictures_of(source)
        if video is None:
            person = SpeakerView.of_face(face, fps, start_s)
        else:
            frames = stack.enter_context(video)
            person = SpeakerView(((frame.time_s, frame.image_rgb) for frame in frames), video.size)
        wall = Wall(person.size, len(shown))
        puppets = [Puppet.load() for _ in shown]
        players = [
            Player(each, fps, wall.cell_px, puppet, str(number) if len(shown) > 1 else "", acting=True)
            for number, (each, puppet) in enumerate(zip(shown, puppets, strict=True), 1)
        ]
        sound_start_s = start_s + (0.0 if source is None else _zero_s(source))
        writer = stack.enter_context(VideoWriter(path, wall.size, fps, source, sound_start_s))
        for frame in signals.each(range(reaction.face.shape[1])):
            # As in a live run, a reaction is shown when the frame that it answers is over.
            row = max(frame - 1, 0)
            pictures = [player.picture(row) for player in players]
            writer.write(wall.compose(person.picture(start_s + frame / fps), pictures), frame / fps)
            on_frame()


def _pictures_of(source: Path) -> VideoFile | None:
    """An open video; None for a file that has no pictures."""
    try:
        return VideoFile(source)
    except InputError:
        return None


def _zero_s(source: Path) -> float:
    """The time in the file that is time 0 here."""
    with Soundtrack(source) as sound:
        return sound.start_s
