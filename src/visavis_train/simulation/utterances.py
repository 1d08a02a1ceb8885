"""Utterances from archives of real speech: samples, speaker and emotion."""

from __future__ import annotations

import io
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import av
import numpy as np

from visavis.base.arrays import as_float32
from visavis.base.reading import regular
from visavis.base.waveform import SPEECH_RATE_HZ, mono
from visavis.datasets.tables import rows
from visavis.errors import InputError
from visavis.types import FloatArray

RAVDESS, GRID = "ravdess_speech_16k.tar", "grid_s1_av.tar"
GRID_SPEAKER = "grid_s1"
# Samples below this share of an utterance's loudest 10 ms are the room, not the voice.
VOICE_SHARE = 0.03
EDGE_S = 0.05
# Root mean square of each actor's samples.
LOUDNESS = 0.06
BLOCK = SPEECH_RATE_HZ // 100


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """One thing said.

    Attributes:
        name: file within its archive.
        speaker: name of the speaker.
        emotion: the emotion, in RAVDESS's words.
        strong: whether the intensity is strong.
        samples: (N,) float32 at 16 kHz.
    """

    name: str
    speaker: str
    emotion: str
    strong: bool
    samples: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", as_float32(self.name, self.samples, (None,)))

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SPEECH_RATE_HZ


def read_ravdess(folder: Path) -> list[Utterance]:
    """RAVDESS's utterances without the silence around them, with equal mean loudness of all actors.

    Raises:
        InputError: the archive or ``index.csv`` is missing or damaged.
    """
    index = folder / "index.csv"
    table = rows(index, ("archive", "file", "speaker", "emotion", "intensity"))
    listed = {row["file"]: row for _, row in table if row["archive"] == RAVDESS}
    raw = read_sounds(folder / RAVDESS, ".flac")
    if missing := sorted(set(listed) - set(raw)):
        raise InputError(f"{index}: {missing[0]} is not in {RAVDESS}")
    return _level(
        [
            Utterance(name, row["speaker"], row["emotion"], row["intensity"] == "strong", trim(raw[name]))
            for name, row in sorted(listed.items())
        ]
    )


def _level(utterances: list[Utterance]) -> list[Utterance]:
    """Scale each actor to the same mean power; loud and soft utterances of an actor stay different."""
    leveled = []
    for speaker in sorted({utterance.speaker for utterance in utterances}):
        own = [utterance for utterance in utterances if utterance.speaker == speaker]
        power = np.mean([np.mean(np.square(utterance.samples)) for utterance in own])
        gain = LOUDNESS / max(float(np.sqrt(power)), 1e-6)
        leveled += [
            Utterance(u.name, speaker, u.emotion, u.strong, (u.samples * gain).clip(-0.98, 0.98)) for u in own
        ]
    return leveled


def read_sounds(archive: Path, ending: str) -> dict[str, FloatArray]:
    """Samples at 16 kHz of each file in a tar, by its name.

    Raises:
        InputError: the tar cannot be read, or a file in it has no sound.
    """
    sounds: dict[str, FloatArray] = {}
    try:
        with tarfile.open(regular(archive)) as members:
            for member in members:
                file = members.extractfile(member) if member.name.endswith(ending) else None
                if file is not None:
                    sounds[member.name] = decode(io.BytesIO(file.read()), f"{archive}: {member.name}")
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"{archive}: not a readable tar: {error}") from error
    return sounds


def decode(file: IO[bytes], name: str) -> FloatArray:
    """Samples at 16 kHz, -1..1: the mean of the channels.

    Raises:
        InputError: there is no readable sound.
    """
    # Asked for mono floats, FFmpeg makes stereo 3 dB louder: findings/ffmpeg-mono-louder.sh.
    resampler = av.AudioResampler(format="fltp", rate=SPEECH_RATE_HZ)
    parts: list[FloatArray] = [np.empty(0, np.float32)]
    try:
        with av.open(file, "r") as container:
            for packet in container.demux(audio=0):
                # A damaged packet is left out, as in visavis.capture.sound.
                with suppress(av.FFmpegError):
                    for frame in packet.decode():
                        parts += [mono(piece.to_ndarray().T) for piece in resampler.resample(frame)]
        parts += [mono(piece.to_ndarray().T) for piece in resampler.resample(None)]
    except (av.FFmpegError, IndexError) as error:
        raise InputError(f"{name}: no readable sound: {error}") from error
    samples = np.concatenate(parts)
    if not len(samples):
        raise InputError(f"{name}: holds no sound that can be read")
    return samples


def trim(samples: FloatArray) -> FloatArray:
    """Cut the silence at both ends, and fade the edges in and out."""
    blocks = len(samples) // BLOCK
    levels = np.abs(samples[: blocks * BLOCK]).reshape(blocks, BLOCK).max(axis=1, initial=0.0)
    loud = np.flatnonzero(levels > VOICE_SHARE * max(float(levels.max(initial=0.0)), 1e-6))
    if not len(loud):
        return samples
    edge = round(EDGE_S * SPEECH_RATE_HZ)
    start, end = max(int(loud[0]) * BLOCK - edge, 0), min(int(loud[-1] + 1) * BLOCK + edge, len(samples))
    kept = samples[start:end].copy()
    ramp = np.linspace(0, 1, min(edge, len(kept) // 2), dtype=np.float32)
    kept[: len(ramp)] *= ramp
    kept[len(kept) - len(ramp) :] *= ramp[::-1]
    return kept
