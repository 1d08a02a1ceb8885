"""Moments of speech that invite a listener to react, and how long ago they were.

Listening people are known to answer pauses, low pitch and stress. A frame is compared only with the speaker's
own levels, learned from earlier frames: a low pitch is low for this voice.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from copy import deepcopy

import numpy as np

from visavis.reaction.resample import FRAME_RATE_HZ
from visavis.reaction.voice import SPEECH_CHANNELS
from visavis.types import FloatArray

PAUSE, LOW_PITCH, STRESS = "pause", "low_pitch", "stress"
CUES = (PAUSE, LOW_PITCH, STRESS)
# Ward and Tsukahara 2000, "Prosodic features which cue back-channel responses in English and Japanese",
# J. Pragmatics 32:1177-1207, the rule for English: pitch below the speaker's 26th percentile, for at least
# 110 ms (3 frames), after at least 700 ms of speech, and not within 800 ms of the last response.
LOW_SHARE = 0.26
LOW_FRAMES = 3
TALK_FRAMES = round(0.7 * FRAME_RATE_HZ)
# The speech before a cue may have short breaks: it is searched in the last 2 s. Our choice.
TALK_WITHIN = round(2.0 * FRAME_RATE_HZ)
# A silence of 200 ms and more is heard as a pause (Heldner and Edlund 2010, "Pauses, gaps and overlaps in
# conversations", J. Phonetics 38:555-568, after Walker and Trimboli 1982).
PAUSE_FRAMES = 5
# Stressed: louder and higher than most voiced frames before. This and the smallest distance are our choice.
LOUD_SHARE, HIGH_SHARE = 0.8, 0.7
STRESS_EVERY = round(1.2 * FRAME_RATE_HZ)
# Before this many voiced frames, it is not known what is low or high for this voice; after this many, the
# first frames no longer count.
KNOWN_FRAMES, REMEMBERED_FRAMES = 12, 750
# A cue is heard for about a second, as one of these steps since its time. Reactions come within this second.
STEP_FRAMES, STEPS = 3, 8
HEARD_CHANNELS: tuple[str, ...] = (
    *SPEECH_CHANNELS,
    *(f"{cue}{step}" for cue in CUES for step in range(STEPS)),
)
_AT = [SPEECH_CHANNELS.index(name) for name in ("speech", "voiced", "pitch", "energy")]


class Level:
    """The last :data:`REMEMBERED_FRAMES` values of one kind, in order."""

    def __init__(self) -> None:
        self._newest: deque[float] = deque()
        self._ordered: list[float] = []

    def __len__(self) -> int:
        return len(self._ordered)

    def add(self, value: float) -> None:
        """Add the next value."""
        self._newest.append(value)
        insort(self._ordered, value)
        if len(self._newest) > REMEMBERED_FRAMES:
            del self._ordered[bisect_left(self._ordered, self._newest.popleft())]

    def at(self, share: float) -> float:
        """The quantile at a share, 0..1."""
        return self._ordered[int(share * (len(self._ordered) - 1))]


class VoiceCues:
    """Finds the cues of one stream of speech."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the speaker."""
        self._heights, self._loudness = Level(), Level()
        self._talk: deque[bool] = deque(maxlen=TALK_WITHIN)
        self._silent = self._low = 0
        self._since_stress = STRESS_EVERY

    def update(self, *, speech: bool, voiced: bool, pitch: float, energy: float) -> tuple[str, ...]:
        """The cues that are complete with the next frame.

        Args:
            speech: whether the frame has speech.
            voiced: whether the frame has a pitch.
            pitch, energy: pitch and energy of the voice; only their order counts, so any unit is possible.
        """
        talked = sum(self._talk) >= TALK_FRAMES
        self._talk.append(speech)
        self._since_stress += 1
        self._silent = 0 if speech else self._silent + 1
        found = [PAUSE] if self._silent == PAUSE_FRAMES and talked else []
        if voiced:
            return (*found, *self._voiced(pitch, energy, talked))
        self._low = 0
        return tuple(found)

    def _voiced(self, pitch: float, energy: float, talked: bool) -> list[str]:
        self._heights.add(pitch)
        self._loudness.add(energy)
        if len(self._heights) < KNOWN_FRAMES:
            return []
        found = []
        self._low = self._low + 1 if pitch < self._heights.at(LOW_SHARE) else 0
        if self._low == LOW_FRAMES and talked:
            found.append(LOW_PITCH)
        stressed = energy > self._loudness.at(LOUD_SHARE) and pitch > self._heights.at(HIGH_SHARE)
        if stressed and self._since_stress >= STRESS_EVERY:
            found.append(STRESS)
            self._since_stress = 0
        return found


class CuedSpeech:
    """The input of a listener: speech features, and which cues were heard how long ago."""

    def __init__(self) -> None:
        self._cues = VoiceCues()
        self.reset()

    def reset(self) -> None:
        """Forget the speaker."""
        self._cues.reset()
        self._ages = dict.fromkeys(CUES, STEPS * STEP_FRAMES)

    def update(self, row: FloatArray) -> FloatArray:
        """The next frame: (44,) -> (68,), in the order of :data:`HEARD_CHANNELS`.

        Each cue adds eight numbers; one of them is 1 while the cue is less than 0.96 s old: the first number
        in the first 0.12 s, the second in the next, and so on. A frame of NaN is not known: it is neither
        speech nor silence, and stays NaN.
        """
        known = bool(np.isfinite(row).all())
        found: tuple[str, ...] = ()
        if known:
            speech, voiced, pitch, energy = row[_AT].tolist()
            found = self._cues.update(speech=speech > 0.5, voiced=voiced > 0.5, pitch=pitch, energy=energy)
        steps = np.zeros((len(CUES), STEPS), np.float32)
        for place, cue in enumerate(CUES):
            self._ages[cue] = 0 if cue in found else self._ages[cue] + 1
            step = self._ages[cue] // STEP_FRAMES
            if step < STEPS:
                steps[place, step] = 1.0
        return np.concatenate([row, steps.ravel() if known else np.full(steps.size, np.nan, np.float32)])

    def updated(self, rows: FloatArray) -> FloatArray:
        """The next frames: (T, 44) -> (T, 68), each as :meth:`update` gives it."""
        result = np.empty((len(rows), len(HEARD_CHANNELS)), np.float32)
        for place, row in enumerate(rows):
            result[place] = self.update(row)
        return result

    def fork(self) -> CuedSpeech:
        """An independent copy with the same past."""
        return deepcopy(self)
