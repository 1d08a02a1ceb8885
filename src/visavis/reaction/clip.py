"""Reactions of K listeners to a whole clip, and the file ``R.npz``.

A clip is processed like a stream, so a file gives the same reaction as a live listener.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from visavis.base.arrays import as_float32, require_number
from visavis.base.files import PathText, whole_file
from visavis.base.npz import read_npz
from visavis.base.words import counted
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.errors import InputError
from visavis.reaction.listener import ListenerState
from visavis.reaction.live import HELD_FACE_S, ROUNDING_S
from visavis.reaction.speech import FRAME_RATE_HZ, SPEECH_CHANNELS, SpeechReader
from visavis.reaction.tokenizer import FaceTokenizer, Tokens
from visavis.track import Track
from visavis.types import AudioChunk, FloatArray

LONGEST_CLIP_S = 6 * 3600


@dataclass(frozen=True, slots=True, eq=False)
class Reaction:
    """The reactions of K listeners: the file ``R.npz``.

    Attributes:
        face: (K, T, 58) float32.
        expression: (K, T, 25) float32, as in :class:`~visavis.types.Expression`.
        fps: rows per second.
        seed: random seed of the listeners.
    """

    face: FloatArray
    expression: FloatArray
    fps: float
    seed: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "face", as_float32("face", self.face, (None, None, len(FACE_CHANNELS))))
        shape = (*self.face.shape[:2], len(EXPRESSION_CHANNELS))
        object.__setattr__(self, "expression", as_float32("expression", self.expression, shape))
        require_number("a reaction's fps", self.fps)
        if self.fps <= 0:
            raise InputError(f"a reaction's fps must be positive; found {self.fps}")

    def __repr__(self) -> str:
        listeners, frames = self.face.shape[:2]
        return f"Reaction: {counted(listeners, 'listener')}, {frames / self.fps:.1f} s at {self.fps:g} Hz"

    @classmethod
    def of_tokens(cls, tokens: Tokens, tokenizer: FaceTokenizer, seed: int) -> Self:
        """The reactions of (K, T) tokens."""
        face, expression = (decode(tokens.ravel()) for decode in (tokenizer.decode, tokenizer.expressions))
        return cls(
            face.reshape(*tokens.shape, len(FACE_CHANNELS)),
            expression.reshape(*tokens.shape, len(EXPRESSION_CHANNELS)),
            float(FRAME_RATE_HZ),
            seed,
        )

    def save(self, path: PathText) -> None:
        """Write ``R.npz``; the file appears complete or not at all.

        Raises:
            InputError: the file cannot be written.
        """
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file,
                face=self.face,
                emotion=self.expression,
                fps=np.float64(self.fps),
                seed=np.int64(self.seed),
            )

    @classmethod
    def load(cls, path: PathText) -> Self:
        """Read ``R.npz``.

        Raises:
            InputError: the file is missing, damaged, or has other arrays.
        """
        arrays = read_npz(path, "file of reactions", ["face", "emotion", "fps", "seed"])
        try:
            return cls(arrays["face"], arrays["emotion"], float(arrays["fps"]), int(arrays["seed"]))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: not a readable file of reactions: fps or seed is no number") from error


def faces_at_25_hz(track: Track) -> FloatArray:
    """The faces of a track as a listener sees them.

    A frame has the last face that was found before its end, for up to 0.3 s. A live listener sees the same,
    except that it leaves out jumps of more than a second.

    Returns:
        (T, 58) at 25 Hz, from the track's first picture to its last; rows of NaN where no face is known.

    Raises:
        InputError: the track shows no face, or is longer than six hours.
    """
    seen = np.flatnonzero(track.found)
    if not seen.size:
        raise InputError(f"no face in the track ({counted(len(track), 'frame')}); expected at least one")
    if (length_s := track.time_s[-1] - track.time_s[0]) > LONGEST_CLIP_S:
        raise InputError(f"a track of {length_s:.0f} s; expected at most {LONGEST_CLIP_S} s: cut it")
    first = round(start_of(track) * FRAME_RATE_HZ)
    count = math.floor((track.time_s[-1] + ROUNDING_S) * FRAME_RATE_HZ) - first + 1
    ends_s = (first + 1 + np.arange(count)) / FRAME_RATE_HZ
    times_s = track.time_s[seen]
    last = np.searchsorted(times_s, ends_s - ROUNDING_S) - 1
    held = (last >= 0) & (ends_s - times_s[last] <= HELD_FACE_S)
    faces: FloatArray = np.where(held[:, None], track.face[seen[last]], np.float32(np.nan))
    return faces


def speech_at_25_hz(sound: Iterable[AudioChunk], start_s: float, count: int) -> FloatArray:
    """Speech features (count, 44) of the frames from ``start_s`` on; NaN where there is no sound.

    Raises:
        InputError: see :meth:`~visavis.reaction.speech.SpeechReader.push`.
    """
    reader = SpeechReader(start_s)
    rows = np.concatenate(
        [np.zeros((0, len(SPEECH_CHANNELS)), np.float32), *(reader.push(chunk) for chunk in sound)]
    )[:count]
    silent = np.full((count - len(rows), len(SPEECH_CHANNELS)), np.nan, np.float32)
    return np.concatenate([rows, silent])


def react_frames(
    stream: ListenerState, faces: FloatArray, speech: FloatArray, on_frame: Callable[[], None]
) -> Tokens:
    """Let listeners react to one frame after the other.

    Args:
        stream: a stream before its first frame.
        faces: (T, 58) faces of the speaker.
        speech: (T, 44) speech features of the speaker.
        on_frame: called after each frame.

    Returns:
        (K, T) tokens; T is 1 or more.
    """
    tokens = []
    for face, row in zip(faces, speech, strict=True):
        tokens.append(stream.step(face, row))
        on_frame()
    return np.stack(tokens, axis=1)


def start_of(track: Track) -> float:
    """The start time of row 0 of :func:`faces_at_25_hz`."""
    return math.floor(float(track.time_s[0]) * FRAME_RATE_HZ) / FRAME_RATE_HZ
