"""Speech features of RAVDESS's clips, alone and in the middle of a talk, and their variations in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.capture.sound import Soundtrack
from visavis.datasets.ravdess import read_clips
from visavis.expression.voice import VOICE_LABELS
from visavis.reaction.speech import FRAME_RATE_HZ, SPEECH_CHANNELS, speech_features
from visavis.types import FloatArray
from visavis_train.loop.experiment import Settings

# Silence between two clips of a talk.
PAUSE_S = 0.4
_BANDS = SPEECH_CHANNELS.index("energy")
_ROW_SAMPLES = SPEECH_RATE_HZ // FRAME_RATE_HZ


class Variation(Settings):
    """The table `[variation]`: how training changes a clip; in the units of the features.

    Attributes:
        least: a part of at least this share of the clip is used.
        gain: standard deviation of the loudness, in 13 dB.
        tilt: standard deviation of the spectrum's slope, in 13 dB.
        bands: the bands move by at most this many, as if the throat were longer or shorter.
        speed: the clip becomes slower or faster by at most this share.
        hide: probability with which a stretch of bands, and of time, becomes 0.
    """

    least: float = Field(default=0.5, gt=0, le=1)
    gain: float = Field(default=0.3, ge=0)
    tilt: float = Field(default=0.25, ge=0)
    bands: int = Field(default=2, ge=0, le=8)
    speed: float = Field(default=0.18, ge=0, lt=1)
    hide: float = Field(default=0.5, ge=0, le=1)


@dataclass(frozen=True, slots=True, eq=False)
class SpokenClip:
    """One clip.

    Attributes:
        actor: 1 to 24.
        label: index into VOICE_LABELS.
        alone: (T, 44) features of the clip as a stream of its own.
        talks: the same features in the middle of talks, in which the actor said other clips before.
    """

    actor: int
    label: int
    alone: FloatArray
    talks: tuple[FloatArray, ...]


def read_spoken(folder: Path, split: str, talks: int, seed: int) -> list[SpokenClip]:
    """The features of every clip of a split with sound.

    Args:
        folder: RAVDESS's files.
        split: of the actors.
        talks: how many talks each actor holds; each has all of the actor's clips in another order.
        seed: of these orders.

    Raises:
        InputError: a file cannot be read.
    """
    clips = [clip for clip in read_clips(folder, split) if clip.heard]
    sounds = []
    for clip in clips:
        with Soundtrack(clip.path) as sound:
            sounds.append(sound.rest())
    rng = np.random.default_rng(seed)
    found: list[SpokenClip] = []
    for actor in dict.fromkeys(clip.actor for clip in clips):
        own = [place for place, clip in enumerate(clips) if clip.actor == actor]
        told = [_in_talk([sounds[place] for place in own], rng) for _ in range(talks)]
        for number, place in enumerate(own):
            label = VOICE_LABELS.index(clips[place].expression)
            alone = speech_features(sounds[place], SPEECH_RATE_HZ)
            found.append(SpokenClip(actor, label, alone, tuple(talk[number] for talk in told)))
    return found


def _in_talk(sounds: Sequence[FloatArray], rng: np.random.Generator) -> list[FloatArray]:
    """Features of each sound in a talk of all of them, in the order of ``sounds``."""
    order = rng.permutation(len(sounds))
    pause = np.zeros(round(PAUSE_S * SPEECH_RATE_HZ), np.float32)
    parts, starts, position = [], [], 0
    for place in order:
        sound = sounds[place]
        fill = np.zeros(-len(sound) % _ROW_SAMPLES, np.float32)
        starts.append(position // _ROW_SAMPLES)
        parts += [sound, fill, pause]
        position += len(sound) + len(fill) + len(pause)
    rows = speech_features(np.concatenate(parts), SPEECH_RATE_HZ)
    found: list[FloatArray] = [rows] * len(sounds)
    for place, start in zip(order, starts, strict=True):
        found[place] = rows[start : start + -(-len(sounds[place]) // _ROW_SAMPLES)]
    return found


def varied(rows: FloatArray, how: Variation, rng: np.random.Generator) -> FloatArray:
    """A variation of a clip (T, 44) -> (U, 44)."""
    length = max(round(len(rows) * rng.uniform(how.least, 1)), 2)
    start = int(rng.integers(0, max(len(rows) - length, 0) + 1))
    part = rows[start : start + length].copy()
    part[:, : _BANDS + 1] += rng.normal(0, how.gain)
    slope = np.interp(np.arange(_BANDS), np.linspace(0, _BANDS - 1, 4), rng.normal(0, how.tilt, 4))
    moved = np.roll(part[:, :_BANDS] + slope, int(rng.integers(-how.bands, how.bands + 1)), axis=1)
    part[:, :_BANDS] = moved
    if rng.random() < how.hide:
        band = int(rng.integers(0, _BANDS))
        part[:, band : min(band + int(rng.integers(1, 8)), _BANDS)] = 0
    if rng.random() < how.hide:
        row = int(rng.integers(0, len(part)))
        part[row : row + int(rng.integers(1, 8))] = 0
    count = max(round(len(part) / rng.uniform(1 - how.speed, 1 + how.speed)), 2)
    places = np.linspace(0, len(part) - 1, count)
    low = np.floor(places).astype(int)
    share = (places - low)[:, None]
    high = np.minimum(low + 1, len(part) - 1)
    return np.asarray(part[low] * (1 - share) + part[high] * share, np.float32)


def padded(clips: Sequence[FloatArray]) -> tuple[Tensor, Tensor]:
    """Rows (B, T, 44) of clips of different lengths, and (B, T), 1 where a clip has a row."""
    longest = max(map(len, clips))
    rows = torch.zeros(len(clips), longest, len(SPEECH_CHANNELS))
    there = torch.zeros(len(clips), longest)
    for place, clip in enumerate(clips):
        rows[place, : len(clip)] = torch.from_numpy(clip)
        there[place, : len(clip)] = 1
    return rows, there
