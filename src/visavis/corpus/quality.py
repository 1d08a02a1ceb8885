"""The quality of a recording of two people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visavis.corpus.observe import Watched
from visavis.types import BoolArray, FloatArray

# The first part of a recording defines what each person looks like.
LEARN_SHARE = 0.25
# Two people whose looks differ less than this (mean difference, 0..255) cannot be distinguished.
LEAST_DIFFERENCE = 8.0
# A larger share of frames in which each looks like the other is suspicious.
SWAPPED_SHARE = 0.05
LONG_GAP_S = 1.0
LITTLE_FOUND = 0.9
# A video above this share of the corpus's rate has enough frames, except for rounding (29.97 and 30).
SAME_RATE = 0.95


@dataclass(frozen=True, slots=True)
class PersonQuality:
    """How well one person was seen.

    Attributes:
        found: share of the frames with a face, 0..1.
        gaps: stretches without a face.
        longest_gap_s: length of the longest stretch.
        source_fps: frames per second of the video.
        source_s: duration of the video.
        audio: whether there is sound.
        warnings: problems to check.
    """

    found: float
    gaps: int
    longest_gap_s: float
    source_fps: float
    source_s: float
    audio: bool
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, person: Watched, source_fps: float, source_s: float, audio: bool) -> PersonQuality:
        """Measure one person."""
        fps, share = person.track.fps, float(person.track.found.mean())
        lengths = _gaps(person.track.found)
        longest_s = max(lengths, default=0) / fps
        warnings = {
            f"a face in {share:.0%} of the frames": share < LITTLE_FOUND,
            f"{longest_s:.1f} s without a face": longest_s > LONG_GAP_S,
            f"{source_fps:g} frames/s, fewer than the corpus's {fps:g}": source_fps < SAME_RATE * fps,
            "no sound": not audio,
        }
        return cls(
            found=round(share, 4),
            gaps=len(lengths),
            longest_gap_s=round(longest_s, 3),
            source_fps=round(source_fps, 3),
            source_s=round(source_s, 3),
            audio=audio,
            warnings=tuple(text for text, holds in warnings.items() if holds),
        )


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a recording is.

    Attributes:
        frames: number of frames at the corpus's rate.
        duration_s: duration of these frames.
        mismatch_s: how much of the longer video was cut.
        swapped: share of frames in which each person looks like the other; None if they look alike or are
            never seen together.
        mixed_sound: whether one sound track has both people.
        people: quality of each person by name.
        warnings: problems to check in both.
    """

    frames: int
    duration_s: float
    mismatch_s: float
    swapped: float | None
    mixed_sound: bool
    people: dict[str, PersonQuality]
    warnings: tuple[str, ...]


def swapped_share(first: Watched, second: Watched) -> float | None:
    """Share of the common frames in which each person looks more like the other's beginning.

    Returns:
        0..1; None if the two are never seen together, or look too similar for an answer.
    """
    together = first.track.found & second.track.found
    if not together.any():
        return None
    looks = [person.looks[together].astype(np.float32) for person in (first, second)]
    learn = max(round(LEARN_SHARE * len(looks[0])), 1)
    usual = [np.median(look[:learn], axis=0) for look in looks]
    if np.abs(usual[0] - usual[1]).mean() < LEAST_DIFFERENCE:
        return None
    crossed = np.ones(len(looks[0]), np.bool_)
    for look, own, other in zip(looks, usual, reversed(usual), strict=True):
        crossed &= _distance(look, other) < _distance(look, own)
    return round(float(crossed.mean()), 4)


def _distance(looks: FloatArray, usual: FloatArray) -> FloatArray:
    return np.asarray(np.abs(looks - usual).mean(axis=(1, 2, 3)), np.float32)


def _gaps(found: BoolArray) -> list[int]:
    """Lengths of the stretches without a face, in frames."""
    edges = np.diff(np.concatenate([[0], ~found, [0]]).astype(np.int8))
    return [int(n) for n in np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)]
