"""A data set on disk, with its splits as labelled faces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError

# Names of splits by their use, in lower case, the first ones preferred.
TRAINING_NAMES = ("train", "training", "train_set")
VALIDATION_NAMES = ("publictest", "validation", "valid", "val", "dev", "val_set")
TEST_NAMES = ("privatetest", "test")


def usual_split(names: Sequence[str], splits: Iterable[str]) -> str | None:
    """The split that has the first of these names, in upper or lower case; None if there is none."""
    known = {split.casefold(): split for split in splits}
    return next((known[name] for name in names if name in known), None)


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set on disk whose layout was recognised.

    Attributes:
        name: name of the data set.
        path: place of the data set.
        splits: names of its splits.
        default_split: the split to evaluate on by default.
        training_split: the split for training models; None if there is none, or if comparing pictures with it
            would take hours.
        read_split: reads a split by name.
    """

    name: str
    path: Path
    splits: tuple[str, ...]
    default_split: str
    training_split: str | None
    read_split: Callable[[str], LabeledFaces]

    def read(self, split: str | None = None) -> LabeledFaces:
        """Read one split; None for the default one.

        Raises:
            InputError: the split does not exist (the message lists all splits), or its data are bad.
        """
        wanted = self.default_split if split is None else split
        if wanted not in self.splits:
            found = ", ".join(self.splits)
            raise InputError(f"{self.path}: no split {wanted!r} here; it has {found}: name one of these")
        return self.read_split(wanted)
