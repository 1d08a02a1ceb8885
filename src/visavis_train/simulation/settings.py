"""The parts and the size of a simulated corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from visavis.datasets import ravdess
from visavis.datasets.react import FPS
from visavis.errors import InputError

# The corpus names RAVDESS's actors as its speakers.
ACTORS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {split: tuple(f"ravdess_{actor:02}" for actor in actors) for split, actors in ravdess.ACTORS.items()}
)
SPLITS = tuple(ACTORS)
# Number of train clips for every clip of val and of test.
TRAIN_SHARE = 5
# One in this number of train clips shows GRID's talker, with the face of the sound.
GRID_EVERY = 6


@dataclass(frozen=True, slots=True)
class SimulationSettings:
    """The settings of a corpus.

    Attributes:
        seed: of all randomness.
        clips: number of speakers' clips in train; val and test each have a fifth of it.
        listeners: number of listeners for each clip.
        frames: frames of a clip, at 25 a second.
    """

    seed: int = 1
    clips: int = 240
    listeners: int = 4
    frames: int = 750

    def __post_init__(self) -> None:
        if self.seed < 0 or self.clips < 1 or self.listeners < 1:
            raise InputError(
                f"a corpus needs a seed of 0 or more, and at least one clip and listener; found seed "
                f"{self.seed}, {self.clips} clips, {self.listeners} listeners"
            )
        if not 100 <= self.frames <= 10_000:
            raise InputError(f"a clip has 100 to 10000 frames (4 to 400 s); found {self.frames}")

    @property
    def length_s(self) -> float:
        """Length of a clip in seconds."""
        return self.frames / FPS

    def count(self, split: str) -> int:
        """Number of speakers' clips in a split."""
        return self.clips if split == "train" else max(self.clips // TRAIN_SHARE, 1)
