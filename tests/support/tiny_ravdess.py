"""A few files named as RAVDESS's, with sound like speech."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

from support.sounds import talk
from visavis.types import FloatArray

RATE_HZ = 16_000


def write_sound(path: Path, sound: FloatArray) -> None:
    """A mono WAV file at 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((sound * 32767).astype("<i2").tobytes())


def write_voices(folder: Path, actors: Sequence[int], seconds: float = 1.2) -> Path:
    """One clip of each emotion by each actor, sound alone."""
    folder.mkdir(exist_ok=True)
    for actor in actors:
        for emotion in range(1, 9):
            sound = talk(seconds, RATE_HZ, seed=100 * actor + emotion)
            write_sound(folder / f"03-01-0{emotion}-01-01-01-{actor:02}.wav", sound)
    return folder
