"""A data set on disk, with its splits as labelled faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from visavis.datasets.faces import LabelledFaces
from visavis.errors import InputError


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set on disk whose layout was recognised.

    Attributes:
        name: in words.
        path: where it lies.
        splits: what its parts are called.
        default_split: the part to evaluate on when none is named.
        training_split: the part that its models are trained on; None where there is none, or where
            comparing pictures with it would take hours.
        read_split: gives a part by name.
    """

    name: str
    path: Path
    splits: tuple[str, ...]
    default_split: str
    training_split: str | None
    read_split: Callable[[str], LabelledFaces]

    def read(self, split: str | None = None) -> LabelledFaces:
        """Read one split; None for the default one.

        Raises:
            InputError: there is no such split (those that there are are listed), or its data are bad.
        """
        wanted = self.default_split if split is None else split
        if wanted not in self.splits:
            found = ", ".join(self.splits)
            raise InputError(f"{self.path}: {self.name} has no split {wanted!r} here; it has {found}")
        return self.read_split(wanted)
