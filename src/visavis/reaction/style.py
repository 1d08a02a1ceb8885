"""The style of a listener: five traits, and the numbers that a network gets for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from visavis.base.arrays import require_number
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
            require_number(name, value)
            if not 0 <= value <= 1:
                raise InputError(f"{name} is a share, 0 to 1; found {value}")

    @classmethod
    def of(cls, wish: Self | Mapping[str, float] | str | None) -> Self | None:
        """The style of a mapping or of a text, ``nodding=0.9,smiling=0.2``; a style and None are themselves.

        Raises:
            InputError: a trait is unknown or repeated, or a value is not in 0..1.
        """
        if wish is None or isinstance(wish, cls):
            return wish
        if isinstance(wish, str):
            return cls(**_parsed(wish))
        if not isinstance(wish, Mapping):
            raise InputError(f"a style of {wish!r}; expected traits, such as nodding=0.9,smiling=0.2")
        if unknown := wish.keys() - set(CONTROLS):
            raise InputError(f"no trait is called {min(map(str, unknown))}; expected {', '.join(CONTROLS)}")
        return cls(**wish)

    @property
    def values(self) -> FloatArray:
        """(5,) in the order of :data:`CONTROLS`."""
        return np.asarray([getattr(self, name) for name in CONTROLS], np.float32)


CONTROLS = tuple(field.name for field in fields(Style))


def _parsed(text: str) -> dict[str, float]:
    values: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        try:
            share = float(value)
        except ValueError:
            share = -1.0
        if name not in CONTROLS or name in values or not 0 <= share <= 1:
            raise InputError(
                f"a style of {part.strip()!r}; expected each of {', '.join(CONTROLS)} at most once, with "
                "a share of 0 to 1, such as nodding=0.9,smiling=0.2"
            )
        values[name] = share
    return values
