"""A live listener: it takes faces and sound as they come, and gives its face at any moment.

The listener uses frames of 1/25 s; cameras and microphones do not. A frame is processed when its sound has
arrived, or when longer waiting would be noticed.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable

import numpy as np

from visavis.reaction.listener import ListenerModel
from visavis.reaction.speech import FRAME_RATE_HZ, SPEECH_CHANNELS, SpeechReader
from visavis.reaction.style import Style
from visavis.reaction.voice import SPEAKING
from visavis.track import NO_FACE
from visavis.types import AudioChunk, FaceState, FloatArray

# How long a frame waits for its sound. Microphones deliver in pieces of 10 to 40 ms.
LONGEST_WAIT_S = 0.08
# A face that was seen within this time is still there: trackers miss blinks and fast turns.
HELD_FACE_S = 0.3
# The listener stops reacting when nobody has been seen or heard for this long.
ALONE_AFTER_S = 3.0
# The displayed face follows the newest frame with this lag; else 25 frames a second look like steps.
SMOOTHING_S = 0.04
# After a short stall, the missed frames are processed; a longer stall is left out and logged.
LONGEST_STALL_S = 1.0
# Sound that was gone for longer starts a new stream; a shorter hole is silence.
LONGEST_SILENCE_S = 10.0
# Smallest voice activity of a frame with speech.
SPOKEN = 0.5
_SILENT = np.full(len(SPEECH_CHANNELS), np.nan, np.float32)
# Times of pictures are rounded, to milliseconds or less.
ROUNDING_S = 1e-3
_log = logging.getLogger(__name__)


class FaceSmoother:
    """Smooths faces that come in steps: the displayed face follows the newest face."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Show the next face at once."""
        self._shown: FloatArray | None = None
        self._shown_s = 0.0

    def at(self, newest: FloatArray, time_s: float) -> FaceState:
        """The displayed face at a moment that is not before the last one; ``newest`` is (58,)."""
        left = math.exp(-(time_s - self._shown_s) / SMOOTHING_S)
        shown = newest if self._shown is None else newest + (self._shown - newest) * left
        self._shown, self._shown_s = shown, time_s
        return FaceState(shown)


class LiveListener:
    """One listener of one person, on the clock of the sources.

    Args:
        listener: the networks.
        seed: random seed of the draws.
        style: style of the listener; None draws it at random.

    Attributes:
        on_frame: called with the token of each frame that it reacted to.
        hears: whether the newest frame had sound.
    """

    def __init__(self, listener: ListenerModel, seed: int = 0, style: Style | None = None) -> None:
        self.tokenizer, self.seed = listener.tokenizer, seed
        self.on_frame: Callable[[int], None] = lambda token: None
        self._stream = listener.start(seed, style=style)
        self._follower = FaceSmoother()
        self.reset()

    @property
    def style(self) -> Style | None:
        """The style; it may be changed at any time and counts from the next frame."""
        return self._stream.style

    @style.setter
    def style(self, style: Style | None) -> None:
        self._stream.style = style

    def reset(self) -> None:
        """Forget the person and the past, as before the first face."""
        self._stream.reset()
        self._speech: SpeechReader | None = None
        self._rows: deque[FloatArray] = deque()
        self._first_row = 0  # The frame of the first waiting row.
        self._sound_end_s = -math.inf
        self.hears = False
        self._next: int | None = None  # The next frame to be heard.
        self._face, self._face_s = NO_FACE, -math.inf
        self._somebody_s = -math.inf
        self._goal: FloatArray | None = None
        self._follower.reset()
        self._stalled = self._met = False

    def start_new_person(self) -> None:
        """The next face is another person's: forget the last person's neutral face, and go on."""
        self._met = True

    def hear(self, chunk: AudioChunk) -> None:
        """Take the next sound of the person.

        Raises:
            InputError: see :meth:`~visavis.reaction.speech.SpeechReader.push`; the stream is unchanged.
        """
        if self._speech is None or chunk.time_s - self._sound_end_s > LONGEST_SILENCE_S:
            start = math.floor(chunk.time_s * FRAME_RATE_HZ)
            if self._next is not None and start - self._next <= LONGEST_SILENCE_S * FRAME_RATE_HZ:
                start = self._next
            self._rows.clear()
            self._speech, self._first_row = SpeechReader(start / FRAME_RATE_HZ), start
        self._rows.extend(self._speech.push(chunk))
        # Late sound is dropped; it does not start a new stream.
        self._sound_end_s = max(self._sound_end_s, chunk.time_s + len(chunk.samples) / chunk.sample_rate_hz)

    def see(self, face: FaceState | None, time_s: float) -> FaceState | None:
        """Take the person's face, and go on to this moment.

        Args:
            face: the person's face; None if none is found.
            time_s: time of the picture; must not decrease.

        Returns:
            The listener's face; None while there is no speaker.
        """
        frame = math.floor(time_s * FRAME_RATE_HZ) if self._next is None else self._next
        if time_s * FRAME_RATE_HZ - frame > LONGEST_STALL_S * FRAME_RATE_HZ:
            frame = self._after_stall(frame, time_s)
        while self._rows and self._first_row < frame:  # Too late to be heard.
            self._rows.popleft()
            self._first_row += 1
        while self._is_due(frame, time_s):
            self._hear_frame(frame)
            frame += 1
        self._next = frame
        if face is not None:
            if self._met:  # Not earlier: the frames above still belong to the last person.
                self._stream.start_new_person()
                self._met = False
            self._face, self._face_s = face.values, time_s
            self._somebody_s = time_s
        return self._shown_at(time_s)

    def _after_stall(self, frame: int, time_s: float) -> int:
        """The frame with which to continue."""
        if not self._stalled:
            self._stalled = True
            missing_s = time_s - frame / FRAME_RATE_HZ
            _log.warning(
                "%.1f s without a picture at %.1f s: left out; more are not logged", missing_s, time_s
            )
        return math.floor(time_s * FRAME_RATE_HZ)

    def _is_due(self, frame: int, time_s: float) -> bool:
        """Whether a frame is over, and its sound has arrived or is no longer awaited."""
        late_s = time_s - (frame + 1) / FRAME_RATE_HZ
        if late_s < -ROUNDING_S:
            return False
        here = frame < self._first_row + len(self._rows)
        return self._speech is None or here or late_s >= LONGEST_WAIT_S

    def _hear_frame(self, frame: int) -> None:
        """Let the network react to a frame."""
        end_s = (frame + 1) / FRAME_RATE_HZ
        face = self._face if end_s - self._face_s <= HELD_FACE_S else NO_FACE
        speech = self._speech_of(frame)
        self.hears = bool(np.isfinite(speech[SPEAKING]))
        if speech[SPEAKING] > SPOKEN:
            self._somebody_s = end_s
        tokens = self._stream.step(face, speech)
        self.on_frame(int(tokens[0]))
        self._goal = self._stream.faces(tokens)[0]

    def _speech_of(self, frame: int) -> FloatArray:
        if not self._rows or self._first_row > frame:
            return _SILENT
        self._first_row += 1
        return self._rows.popleft()

    def _shown_at(self, time_s: float) -> FaceState | None:
        """The newest reaction, without its steps."""
        if self._goal is None or time_s - self._somebody_s > ALONE_AFTER_S:
            self._follower.reset()
            return None
        return self._follower.at(self._goal, time_s)
