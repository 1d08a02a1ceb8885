"""A speaker's speech features and face in, the moments that invite a reaction out.

Everything here is causal: a cue at frame t follows from frames up to t, and so does every level that a frame
is compared with.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from typing import Self

import numpy as np

from visavis.channels import FACE_CHANNELS
from visavis.datasets.react import FPS
from visavis.errors import InputError
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.types import BoolArray, FloatArray
from visavis_train.data.simulation.real_faces import SMILE_AT

PAUSE, LOW_PITCH, STRESS, RISE = "pause", "low_pitch", "stress", "rise"
# Ward and Tsukahara 2000, "Prosodic features which cue back-channel responses in English and Japanese",
# J. Pragmatics 32:1177-1207, the rule for English: pitch below the speaker's 26th percentile, for at least
# 110 ms (3 frames), after at least 700 ms of speech, and not within 800 ms of the last response.
LOW_SHARE = 0.26
LOW_FRAMES = 3
TALK_FRAMES = round(0.7 * FPS)
# The talk before a cue may have short breaks: it is looked for in the last 2 s. Our choice.
TALK_WITHIN = round(2.0 * FPS)
# A silence of 200 ms and more is heard as a pause (Heldner and Edlund 2010, "Pauses, gaps and overlaps in
# conversations", J. Phonetics 38:555-568, after Walker and Trimboli 1982).
PAUSE_FRAMES = 5
# Stressed: louder and higher than most of what was voiced before. Our choice, as is the least distance.
LOUD_SHARE, HIGH_SHARE = 0.8, 0.7
STRESS_EVERY = round(1.2 * FPS)
# Before so many voiced frames nobody knows what is low or high for this voice.
KNOWN_FRAMES = 12
LEAST_SMILE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Speaker:
    """What a listener hears and sees.

    Attributes:
        speech, voiced: (T,) bool.
        energy, pitch: (T,); only their order counts, in no unit.
        face: (T, 58).
    """

    speech: BoolArray
    voiced: BoolArray
    energy: FloatArray
    pitch: FloatArray
    face: FloatArray

    def __post_init__(self) -> None:
        if self.face.shape != (len(self.speech), len(FACE_CHANNELS)):
            raise InputError(
                f"a speaker's face is {self.face.shape}; expected ({len(self.speech)}, {len(FACE_CHANNELS)})"
            )

    @classmethod
    def of(cls, features: FloatArray, face: FloatArray) -> Self:
        """From (T, 44) of ``visavis.reaction.speech`` and (T, 58)."""
        energy, pitch, voiced, speech = (
            features[:, SPEECH_CHANNELS.index(name)] for name in ("energy", "pitch", "voiced", "speech")
        )
        return cls(speech > 0.5, voiced > 0.5, energy, pitch, face)

    def __len__(self) -> int:
        return len(self.speech)

    @property
    def smile(self) -> FloatArray:
        """(T,) mean of both corners."""
        return np.asarray(self.face[:, SMILE_AT].mean(axis=1), np.float32)


@dataclass(frozen=True, slots=True)
class Cue:
    """A moment that invites a reaction.

    Attributes:
        frame: when it is complete.
        kind: :data:`PAUSE`, :data:`LOW_PITCH`, :data:`STRESS` or :data:`RISE` of a smile.
        since: of a smile, the frame at which it began to rise; else ``frame``.
    """

    frame: int
    kind: str
    since: int


def find_cues(speaker: Speaker) -> list[Cue]:
    """All cues in order."""
    found = [*_voice_cues(speaker), *_smile_cues(speaker.smile)]
    return sorted(found, key=lambda cue: (cue.frame, cue.kind))


def _voice_cues(speaker: Speaker) -> list[Cue]:
    found: list[Cue] = []
    heights: list[float] = []
    loudness: list[float] = []
    silent = low = 0
    last_stress = -STRESS_EVERY
    for frame in range(len(speaker)):
        silent = 0 if speaker.speech[frame] else silent + 1
        talked = int(speaker.speech[max(frame - TALK_WITHIN, 0) : frame].sum()) >= TALK_FRAMES
        if silent == PAUSE_FRAMES and talked:
            found.append(Cue(frame, PAUSE, frame))
        if not speaker.voiced[frame]:
            low = 0
            continue
        pitch, energy = float(speaker.pitch[frame]), float(speaker.energy[frame])
        insort(heights, pitch)
        insort(loudness, energy)
        if len(heights) < KNOWN_FRAMES:
            continue
        low = low + 1 if pitch < _level(heights, LOW_SHARE) else 0
        if low == LOW_FRAMES and talked:
            found.append(Cue(frame, LOW_PITCH, frame))
        stressed = energy > _level(loudness, LOUD_SHARE) and pitch > _level(heights, HIGH_SHARE)
        if stressed and frame - last_stress >= STRESS_EVERY:
            found.append(Cue(frame, STRESS, frame))
            last_stress = frame
    return found


def _level(ordered: list[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))]


def _smile_cues(smile: FloatArray) -> list[Cue]:
    """Each time that a smile has grown by :data:`LEAST_SMILE` since it last stood lowest."""
    found: list[Cue] = []
    low = high = 0
    rising = False
    for frame, value in enumerate(smile.tolist()):
        if rising:
            high = frame if value > smile[high] else high
            if value < smile[high] - LEAST_SMILE:
                rising, low = False, frame
        else:
            low = frame if value < smile[low] else low
            if value > smile[low] + LEAST_SMILE:
                found.append(Cue(frame, RISE, low))
                rising, high = True, frame
    return found


def since_speech(speech: BoolArray) -> FloatArray:
    """(T,) seconds since the last frame with speech; as if there had been speech just before the first."""
    frames = np.arange(len(speech))
    last = np.maximum.accumulate(np.where(speech, frames, -1))
    return np.asarray((frames - last) / FPS, np.float32)
