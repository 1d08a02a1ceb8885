"""The course of single movements at 25 frames a second: nods, blinks, glances, raises, smiles.

Each course begins and ends at rest. All are curves over time. Other modules decide who moves, and when.
"""

from __future__ import annotations

import numpy as np

from visavis.datasets.react import FPS
from visavis.types import FloatArray

# Magnitudes within a nod: each cycle is smaller than the previous one (declination), the last one is even
# smaller (final lowering), and the first is larger if more cycles follow (anticipatory rising): Mori, Den
# and Jokinen 2025, "Structure of nods in conversation", PLOS ONE 20(5) e0323448. The paper gives the
# pattern; the three factors are our choice.
DECLINATION, FINAL_LOWERING, ANTICIPATION = 0.8, 0.8, 0.12
# A blink of conversation lasts 208 ms (Hoemke, Holler and Levinson 2018, "Eye blinks are perceived as
# communicative signals in human face-to-face interaction", PLOS ONE 13(12): their short blinks). In our
# tracks, as in theirs, lids fall within two frames and rise for longer; the slow end comes from our
# tracker's smoothing.
BLINK = np.asarray([0.7, 1.0, 0.7, 0.42, 0.22, 0.1, 0.04], np.float32)
SACCADE_FRAMES = 2


def nod(cycles: int, frequency_hz: float, depth: float) -> FloatArray:
    """The head's way down in a nod, 0 or more, in the unit of ``depth``.

    Args:
        cycles: number of cycles (down and up again), 1 or more.
        frequency_hz: cycles per second.
        depth: depth of the first cycle of a single nod.
    """
    frames = max(round(cycles * FPS / frequency_hz), 3 * cycles)
    phase = cycles * np.arange(1, frames + 1) / (frames + 1)
    number = np.minimum(phase.astype(int), cycles - 1)
    sizes = depth * (1 + ANTICIPATION * (cycles - 1)) * DECLINATION ** np.arange(cycles)
    if cycles > 1:
        sizes[-1] *= FINAL_LOWERING
    return np.asarray(sizes[number] * (1 - np.cos(2 * np.pi * phase)) / 2, np.float32)


def bump(frames: int, height: float) -> FloatArray:
    """A smooth curve up and down again."""
    phase = np.arange(1, frames + 1) / (frames + 1)
    return np.asarray(height * (1 - np.cos(2 * np.pi * phase)) / 2, np.float32)


def rise_curve(frames: int) -> FloatArray:
    """A smooth curve from 0 to 1, which reaches 1 at the last frame."""
    phase = np.arange(1, frames + 1) / frames
    return np.asarray((1 - np.cos(np.pi * phase)) / 2, np.float32)


def plateau(rise: int, hold: int, fall: int, height: float) -> FloatArray:
    """A curve: up in ``rise`` frames, constant for ``hold``, and down in ``fall``."""
    up, down = rise_curve(max(rise, 1)), rise_curve(max(fall, 1))
    return np.asarray(height * np.concatenate([up, np.ones(hold), 1 - down]), np.float32)


def add(track: FloatArray, start: int, course: FloatArray) -> None:
    """Add a course to a track (T,) from a frame on; it is cut at the end of the track."""
    if start < len(track):
        track[start : start + len(course)] += course[: len(track) - start]


def reach(track: FloatArray, start: int, course: FloatArray) -> None:
    """As :func:`add`, but with the maximum of both: two smiles at once are one smile."""
    if start < len(track):
        part = track[start : start + len(course)]
        np.maximum(part, course[: len(part)], out=part)


def follow_smoothly(target: FloatArray, rise_s: float, fall_s: float) -> FloatArray:
    """A track (T,) that follows a target (T,) in two stages: it starts smoothly and never overshoots.

    Args:
        target: the target.
        rise_s: time constant of both stages together while the target is above.
        fall_s: the same while it is below.
    """
    up, down = (1 - np.exp(-2 / (FPS * max(time_s, 0.02))) for time_s in (rise_s, fall_s))
    result = np.empty_like(target)
    first = second = float(target[0])
    for index, wanted in enumerate(target.tolist()):
        first += (up if wanted > first else down) * (wanted - first)
        second += (up if first > second else down) * (first - second)
        result[index] = second
    return result


def delayed(track: FloatArray, frames: int) -> FloatArray:
    """A track (T, ...), delayed by a number of frames; before its start it has its first value."""
    return np.concatenate([np.repeat(track[:1], frames, axis=0), track])[: len(track)]
