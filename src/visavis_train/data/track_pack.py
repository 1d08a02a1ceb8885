"""Packs of face tracks: clips, and rows to train or to measure on.

A pack is one ``.npz``: ``clips`` and ``sources`` (C,) names, ``lengths`` (C,) frames, ``fps`` (C,), and, with
all clips end to end, ``face`` (N, 58) and ``emotion`` (N, 25). Unknown numbers are NaN.
``visavis lab tracks`` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.base.arrays import as_float32
from visavis.base.files import whole_file
from visavis.base.npz import read_npz
from visavis.channels import BLENDSHAPES, EXPRESSION_CHANNELS, FACE_CHANNELS, HEAD_ANGLES
from visavis.errors import InputError
from visavis.types import FloatArray

Rows = NDArray[np.int64]
# Channels that stand nearly still are not blown up: weights, radians, centimetres.
LEAST_SPREAD = np.concatenate(
    [np.full(len(BLENDSHAPES), 0.03), np.full(len(HEAD_ANGLES), 0.02), np.full(3, 0.5)]
).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One person's track.

    Attributes:
        name: of the clip.
        source: its origin: ``video``, ``grid``, ``dyads``, ``stills``, ``talks``.
        fps: frames per second.
        face: (T, 58) float32, NaN where unknown.
        expression: (T, 25) float32, NaN where unknown.
    """

    name: str
    source: str
    fps: float
    face: FloatArray
    expression: FloatArray

    def __post_init__(self) -> None:
        face = as_float32(f"{self.name}: face", self.face, (None, len(FACE_CHANNELS)), allow_nan=True)
        shape = (len(face), len(EXPRESSION_CHANNELS))
        expression = as_float32(f"{self.name}: expression", self.expression, shape, allow_nan=True)
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"{self.name}: fps must be positive; found {self.fps}")
        object.__setattr__(self, "face", face)
        object.__setattr__(self, "expression", expression)

    def __len__(self) -> int:
        return len(self.face)


def save_pack(path: Path, clips: Sequence[Clip]) -> None:
    """Write clips as one file, whole or not at all.

    Raises:
        InputError: there is no clip, two have the same name, or the file cannot be written.
    """
    names = [clip.name for clip in clips]
    if not names or len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(f"{path}: expected clips of different names; found {', '.join(twice) or 'none'}")
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            clips=np.asarray(names),
            sources=np.asarray([clip.source for clip in clips]),
            lengths=np.asarray([len(clip) for clip in clips]),
            fps=np.asarray([clip.fps for clip in clips]),
            face=np.concatenate([clip.face for clip in clips]),
            emotion=np.concatenate([clip.expression for clip in clips]),
        )


def load_tracks(path: Path) -> tuple[Clip, ...]:
    """Read a pack.

    Raises:
        InputError: missing, damaged, of another kind, or its arrays contradict each other.
    """
    names = ("clips", "sources", "lengths", "fps", "face", "emotion")
    pack = read_npz(path, "pack of face tracks", names, made_by="visavis lab tracks")
    try:
        ends = np.cumsum(pack["lengths"])[:-1]
        parts = [np.split(pack[name], ends) for name in ("face", "emotion")]
        heads = zip(pack["clips"].tolist(), pack["sources"].tolist(), pack["fps"].tolist(), strict=True)
        return tuple(
            Clip(name, source, fps, face, expression)
            for (name, source, fps), face, expression in zip(heads, *parts, strict=True)
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: the arrays of this pack of face tracks do not fit: {error}") from error


def split_clips(clips: Sequence[Clip], held_out: Mapping[str, Sequence[str]]) -> dict[str, tuple[Clip, ...]]:
    """Split clips by their names: whole clips, never frames.

    Args:
        clips: all clips.
        held_out: for each part except ``training``, patterns of names such as ``lp_d9`` or ``grid_p*``.

    Returns:
        The parts by name; ``training`` has the clips of no other part.

    Raises:
        InputError: a pattern fits no clip, two parts share a clip, or a part is empty.
    """
    claimed: dict[str, str] = {}
    for part, patterns in held_out.items():
        for pattern in patterns:
            names = [clip.name for clip in clips if fnmatchcase(clip.name, pattern)]
            if not names:
                raise InputError(f"{part}: no clip is called {pattern!r}")
            for name in names:
                if claimed.setdefault(name, part) != part:
                    raise InputError(f"the clip {name} is in {claimed[name]} and in {part}: choose one")
    parts = {
        part: tuple(clip for clip in clips if claimed.get(clip.name, "training") == part)
        for part in ("training", *held_out)
    }
    if empty := [part for part, members in parts.items() if not members]:
        raise InputError(f"the split leaves no clip for {', '.join(empty)}")
    return parts


def face_scale(clips: Sequence[Clip], shares: Mapping[str, float]) -> tuple[FloatArray, FloatArray]:
    """Mean (58,) and standard deviation (58,) of every channel over its known frames.

    Args:
        clips: the training clips.
        shares: the share of each source in batches; a source with many frames counts no more than its share.

    Raises:
        InputError: a channel is unknown in all frames.
    """
    sums = np.zeros((3, len(FACE_CHANNELS)))
    for source, share in shares.items():
        members = [clip.face for clip in clips if clip.source == source]
        frames = max(sum(map(len, members)), 1)
        for face in members:
            values = np.nan_to_num(face.astype(np.float64), nan=0.0)
            powers = np.stack([np.isfinite(face), values, np.square(values)])
            sums += share / frames * powers.sum(axis=1)
    if not sums[0].all():
        missing = FACE_CHANNELS[int(sums[0].argmin())]
        raise InputError(f"no training clip knows the channel {missing}; add a tracked video")
    mean, square = sums[1:] / sums[0]
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    return mean.astype(np.float32), np.maximum(spread.astype(np.float32), LEAST_SPREAD)


def clip_windows(clip: Clip, width: int) -> FloatArray:
    """The last ``width`` frames at every frame with known numbers: (M, width, 58), oldest first.

    Frames without known numbers are skipped. Before the first frame, the face stands still.
    """
    face = clip.face[known_rows(clip)]
    rows = np.arange(len(face))[:, None] + np.arange(1 - width, 1)
    return np.asarray(face[np.maximum(rows, 0)], np.float32)


def known_rows(clip: Clip) -> Rows:
    """Indices of the frames with at least one known channel."""
    return np.flatnonzero(np.isfinite(clip.face).any(axis=1))


def tracked(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """Clips with at least one whole known face."""
    return tuple(clip for clip in clips if np.isfinite(clip.face).all(axis=1).any())


class Sampler:
    """Random rows of training clips, with a given share of each source.

    Args:
        clips: the clips to draw from.
        shares: of each source in a batch, in any unit; sources that are not named are left out.
        window: number of frames that end with the drawn one.

    Raises:
        InputError: a source has no clip with a face, or all shares are zero.
    """

    def __init__(self, clips: Sequence[Clip], shares: Mapping[str, float], window: int) -> None:
        self.window = window
        rows: list[FloatArray] = []
        expressions: list[FloatArray] = []
        firsts: list[Rows] = []
        ends: dict[str, tuple[int, int]] = {}
        total = 0
        for source in shares:
            start = total
            for clip in (clip for clip in clips if clip.source == source):
                known = known_rows(clip)
                rows.append(clip.face[known])
                expressions.append(clip.expression[known])
                firsts.append(np.full(len(known), total))
                total += len(known)
            if total == start:
                found = ", ".join(sorted({clip.source for clip in clips}))
                raise InputError(
                    f"no training clip of the source {source!r} holds a face; there are: {found}"
                )
            ends[source] = (start, total)
        if not ends or sum(shares.values()) <= 0:
            raise InputError("data.shares must name a source with a share above 0")
        self.face, self.expression = np.concatenate(rows), np.concatenate(expressions)
        self._first = np.concatenate(firsts)
        self._ends = ends
        self._chance = np.asarray(list(shares.values())) / sum(shares.values())

    def draw(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Windows (count, window, 58), oldest frame first, and the last frames' expressions (count, 25)."""
        numbers = rng.multinomial(count, self._chance)
        rows = np.concatenate(
            [rng.integers(*ends, size=n) for ends, n in zip(self._ends.values(), numbers, strict=True)]
        )
        back = rows[:, None] + np.arange(1 - self.window, 1)
        return self.face[np.maximum(back, self._first[rows][:, None])], self.expression[rows]
