"""The output files of a run, checked before the work."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from visavis.base.files import require_place
from visavis.errors import InputError
from visavis.recording.video_writer import CONTAINERS


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files to write; None leaves one out.

    Attributes:
        video: the real face next to the avatar.
        track: face and emotion over time, ``T.npz``.
        motion: the avatar's parameters, ``M.motion3.json``.
        reaction: in listen mode, the listener's face over time, ``R.npz``.
    """

    video: Path | None = None
    track: Path | None = None
    motion: Path | None = None
    reaction: Path | None = None

    def check(self, source: str) -> None:
        """Find errors before the work that would otherwise show only after it.

        Raises:
            InputError: an ending is wrong, a folder is missing or not writable, two outputs have the same
                name, or a name is the source's or belongs to something that is not a file.
        """
        require_outputs(
            (
                (self.video, tuple(CONTAINERS)),
                (self.track, (".npz",)),
                (self.motion, (".motion3.json",)),
                (self.reaction, (".npz",)),
            ),
            (source,),
        )


def require_outputs(
    wanted: Iterable[tuple[Path | None, tuple[str, ...]]], sources: Iterable[str | Path]
) -> None:
    """Find before the work what would prevent files from being written after it.

    Args:
        wanted: each file or None, with the endings that its name may have.
        sources: files that are read.

    Raises:
        InputError: as :meth:`Outputs.check`.
    """
    taken = {os.path.realpath(source) for source in sources}
    for path, endings in wanted:
        if path is None:
            continue
        if not path.name.lower().endswith(endings):
            raise InputError(f"{str(path)!r}: expected a name that ends in {', '.join(endings)}")
        if os.path.realpath(path) in taken:
            raise InputError(f"{path}: would overwrite the source or another output; name another file")
        taken.add(os.path.realpath(path))
        require_place(path)
