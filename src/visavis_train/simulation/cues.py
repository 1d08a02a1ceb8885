"""Cues: moments of a speaker's speech and face that invite a reaction.

Everything here is causal: a cue at frame t follows from frames up to t. So does every level that a frame is
compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from visavis.channels import FACE_CHANNELS
from visavis.datasets.react import FPS
from visavis.errors import InputError
from visavis.reaction.cues import VoiceCues
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.types import BoolArray, FloatArray
from visavis_train.simulation.real_faces import SMILE_AT

RISE = "rise"
LEAST_SMILE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Speaker:
    """A listener's inputs: what it hears and sees.

    Attributes:
        speech, voiced: (T,) bool.
        energy, pitch: (T,) without a unit; only their order counts.
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
        """The inputs from speech (T, 44) of ``visavis.reaction.speech`` and a face (T, 58)."""
        energy, pitch, voiced, speech = (
            features[:, SPEECH_CHANNELS.index(name)] for name in ("energy", "pitch", "voiced", "speech")
        )
        return cls(speech > 0.5, voiced > 0.5, energy, pitch, face)

    def __len__(self) -> int:
        return len(self.speech)

    @property
    def smile(self) -> FloatArray:
        """(T,) the smile: mean of both corners of the mouth."""
        return np.asarray(self.face[:, SMILE_AT].mean(axis=1), np.float32)


@dataclass(frozen=True, slots=True)
class Cue:
    """A moment that invites a reaction.

    Attributes:
        frame: the frame at which it is complete.
        kind: one of :data:`visavis.reaction.cues.CUES`, or :data:`RISE` of a smile.
        since: for a smile, the frame at which it began to rise; otherwise ``frame``.
    """

    frame: int
    kind: str
    since: int


def find_cues(speaker: Speaker) -> list[Cue]:
    """All cues in order."""
    found = [*_voice_cues(speaker), *_smile_cues(speaker.smile)]
    return sorted(found, key=lambda cue: (cue.frame, cue.kind))


def _voice_cues(speaker: Speaker) -> list[Cue]:
    cues = VoiceCues()
    rows = zip(
        *(values.tolist() for values in (speaker.speech, speaker.voiced, speaker.pitch, speaker.energy)),
        strict=True,
    )
    return [
        Cue(frame, kind, frame)
        for frame, (speech, voiced, pitch, energy) in enumerate(rows)
        for kind in cues.update(speech=speech, voiced=voiced, pitch=pitch, energy=energy)
    ]


def _smile_cues(smile: FloatArray) -> list[Cue]:
    """Each time that a smile has grown by :data:`LEAST_SMILE` since its last minimum."""
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
    """(T,) seconds since the last frame with speech, as if speech had ended just before the first frame."""
    frames = np.arange(len(speech))
    last = np.maximum.accumulate(np.where(speech, frames, -1))
    return np.asarray((frames - last) / FPS, np.float32)
