"""The style of a listener: five traits, and the numbers that a network gets for them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from visavis.errors import InputError
from visavis.types import FloatArray


@dataclass(frozen=True, slots=True)
class Style:
    """The five traits of a listener; each is 0..1, and 0.5 is a listener of published averages.

    Attributes:
        expressiveness: how large movements are.
        nodding: at how many of the moments that invite a nod the listener nods.
        smiling: how often the listener smiles without a cause, and how strongly.
        mirroring: how strongly the listener copies the speaker's smile, brows and head.
        gaze: share of the time in which the listener looks at the speaker.
    """

    expressiveness: float = 0.5
    nodding: float = 0.5
    smiling: float = 0.5
    mirroring: float = 0.5
    gaze: float = 0.5

    def __post_init__(self) -> None:
        for name in CONTROLS:
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"{name} is a share, 0 to 1; found {value}")

    @property
    def values(self) -> FloatArray:
        """(5,) in the order of :data:`CONTROLS`."""
        return np.asarray([getattr(self, name) for name in CONTROLS], np.float32)


CONTROLS = tuple(field.name for field in fields(Style))
