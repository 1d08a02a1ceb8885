"""The face that an output sends: mirrored if wanted, and easing to neutral when it is lost."""

from __future__ import annotations

import numpy as np

from visavis.outputs.sample import Sample
from visavis.types import FaceState

# A lost face eases to neutral for so long; then nothing more is known of it.
EASING_S = 0.5


class FaceStream:
    """Gives the face to send for each sample of one stream, in their order.

    Args:
        mirror: whether faces are mirrored.
    """

    def __init__(self, mirror: bool = False) -> None:
        self._mirror = mirror
        self._lost: tuple[float, FaceState] | None = None

    def update(self, sample: Sample) -> FaceState | None:
        """The seen face, or the lost one as it eases to neutral; None when it has been neutral once."""
        if sample.state is not None:
            state = sample.state.mirrored() if self._mirror else sample.state
            self._lost = (sample.time_s, state)
            return state
        if self._lost is None:
            return None
        since_s, state = self._lost
        share = min(1 - (sample.time_s - since_s) / EASING_S, 1.0)
        if share <= 0:
            self._lost, share = None, 0.0
        return FaceState(state.values * np.float32(share))
