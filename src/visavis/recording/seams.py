"""Where the readings of two neighboring parts of a video agree, so that they can be joined.

A part is read from some seconds before its first frame: the lead-in. In it, the tracker, filters and labels
of the later part must come to what those of the earlier part have. This is not assumed but compared.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from visavis.pipeline import Sighting
from visavis.types import Face, Faces

# Two parts are joined after they have agreed for this long without a break.
AGREE_S = 0.5
# Readings that agree differ by at most this: weights, probabilities and angles in radians; and landmarks, as
# shares of the face's size.
LARGEST_DIFFERENCE, LARGEST_SHIFT = 5e-4, 1e-5


def alike(a: Sighting, b: Sighting) -> bool:
    """Whether two readings of one frame agree."""
    same = a.time_s == b.time_s and len(a.faces) == len(b.faces)
    return same and all(map(_alike_faces, a.faces, b.faces))


def _alike_faces(a: Face, b: Face) -> bool:
    if a.label != b.label or a.landmarks_xy.shape != b.landmarks_xy.shape:
        return False
    apart = [_apart(a.state.weights, b.state.weights), _apart(a.state.head_rad, b.state.head_rad)]
    if a.expression is not None and b.expression is not None:
        apart.append(_apart(a.expression.values, b.expression.values))
    size_px = float(np.linalg.norm(a.corners_xy[1] - a.corners_xy[0]))
    shift = _apart(a.landmarks_xy, b.landmarks_xy) / size_px
    return max(apart) <= LARGEST_DIFFERENCE and shift <= LARGEST_SHIFT


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max(initial=0.0))


class Seam:
    """The place where an earlier part's readings may be followed by a later part's.

    Args:
        from_s: the later part gives frames from this time on; before it is the lead-in.
        later: the later part's readings so far; the seam takes those that it has compared.
    """

    def __init__(self, from_s: float, later: deque[Sighting]) -> None:
        self.from_s = from_s
        self._later = later
        self._agreed_since_s: float | None = None

    def waits_for(self, seen: Sighting) -> bool:
        """Whether the later part may still give the reading that belongs to the earlier part's."""
        return self._is_near(seen) and not (self._later and self._later[-1].time_s >= seen.time_s)

    def joins(self, seen: Sighting) -> bool:
        """Whether the later part's readings can follow this one of the earlier part."""
        if not self._is_near(seen):
            return False
        while self._later and self._later[0].time_s < seen.time_s:
            self._later.popleft()
        if not (self._later and alike(seen, self._later[0])):
            self._agreed_since_s = None
            return False
        if self._agreed_since_s is None:
            self._agreed_since_s = seen.time_s
        long = seen.time_s - self._agreed_since_s >= AGREE_S
        return long and seen.time_s >= self.from_s

    def _is_near(self, seen: Sighting) -> bool:
        return seen.time_s >= self.from_s - 2 * AGREE_S


class SameNumbers:
    """Gives people the numbers (``track_id``) that one pass would give them, whichever part saw them."""

    def __init__(self) -> None:
        self._known: dict[int, int] | None = None  # The first part has these numbers.
        self._next = 0

    def of(self, seen: Sighting) -> Sighting:
        """A reading of the present part with the numbers of the whole video."""
        known = self._known
        if known is None:
            self._next = max((self._next, *(face.track_id + 1 for face in seen.faces)))
            return seen
        for face in seen.faces:
            if face.track_id not in known:
                known[face.track_id] = self._next
                self._next += 1
        return replace(seen, faces=Faces(replace(face, track_id=known[face.track_id]) for face in seen.faces))

    def follow(self, earlier: Sighting, later: Sighting) -> None:
        """From now on, readings are of another part; both parts read this frame, and agree.

        Args:
            earlier: the reading of the present part, with the numbers of the whole video.
            later: the reading of the other part.
        """
        pairs = zip(later.faces, earlier.faces, strict=True)
        self._known = {theirs.track_id: known.track_id for theirs, known in pairs}
