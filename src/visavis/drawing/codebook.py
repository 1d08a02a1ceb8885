"""The most used tokens of a face tokenizer, and a sheet that shows what they mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from visavis.avatar.parameters import Animator
from visavis.avatar.puppet import Puppet
from visavis.avatar.puppet_sheet import PAPER_RGB
from visavis.errors import InputError
from visavis.reaction.tokenizer import NO_FACE, FaceTokenizer
from visavis.track import Track
from visavis.types import AvatarPose, FaceState, FloatArray, ImageArray

CELL_PX = 160
COLUMNS = 8
INK_RGB = (70, 66, 120)
# At this time after the mean face, the avatar's body has followed.
SETTLED_S = 5.0


@dataclass(frozen=True, slots=True)
class CodebookEntry:
    """A token of the vocabulary.

    Attributes:
        tokens: (R,) the tokens of a frame.
        count: number of frames with it.
        share: share of all frames with a face.
    """

    tokens: tuple[int, ...]
    count: int
    share: float


def most_used(tokenizer: FaceTokenizer, tracks: Sequence[Track], most: int) -> list[CodebookEntry]:
    """The most frequent tokens in tracks, at most ``most``, the most frequent first.

    Raises:
        InputError: no track shows a face.
    """
    counts: Counter[tuple[int, ...]] = Counter()
    for track in tracks:
        tokens = tokenizer.encode(track.face).reshape(len(track), tokenizer.depth)
        counts.update(map(tuple, tokens[tokens[:, 0] != NO_FACE].tolist()))
    if not counts:
        raise InputError("the tracks show no face; expected at least one frame with a face")
    frames = counts.total()
    return [CodebookEntry(tokens, count, count / frames) for tokens, count in counts.most_common(most)]


def draw_sheet(
    tokenizer: FaceTokenizer, entries: Sequence[CodebookEntry], cell_px: int = CELL_PX
) -> ImageArray:
    """The face of every token, drawn with the avatar, in rows of eight: (H, W, 3) RGB.

    The mean face of the tokenizer's training is the avatar's neutral one.
    """
    puppet = Puppet.load()
    faces = tokenizer.decode(
        np.asarray([entry.tokens for entry in entries]).reshape(_shape(tokenizer, len(entries)))
    )
    columns = min(COLUMNS, len(entries))
    rows = -(-len(entries) // columns)
    sheet = np.empty((rows * cell_px, columns * cell_px, 3), np.uint8)
    sheet[:] = PAPER_RGB
    for place, (entry, face) in enumerate(zip(entries, faces, strict=True)):
        puppet.reset()
        cell = puppet.draw(pose_of(tokenizer.mean, face), cell_px, PAPER_RGB)
        text = f"{'.'.join(map(str, entry.tokens))}  {100 * entry.share:.1f}%"
        cv2.putText(cell, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.4, INK_RGB, 1, cv2.LINE_AA)
        row, column = divmod(place, columns)
        sheet[row * cell_px : (row + 1) * cell_px, column * cell_px : (column + 1) * cell_px] = cell
    return sheet


def _shape(tokenizer: FaceTokenizer, count: int) -> tuple[int, ...]:
    return (count,) if tokenizer.depth == 1 else (count, tokenizer.depth)


def pose_of(neutral: FloatArray, face: FloatArray, mirror: bool = False) -> AvatarPose:
    """The avatar's pose for one single face, without a past.

    Args:
        neutral: (58,) the face that becomes the avatar's neutral face.
        face: (58,) the face to show.
        mirror: show the face as in a mirror instead of as a camera sees it.
    """
    animator = Animator(mirror=mirror)
    animator.update(FaceState(neutral), None, 0.0)
    animator.calibrate()
    return animator.update(FaceState(face), None, SETTLED_S)
