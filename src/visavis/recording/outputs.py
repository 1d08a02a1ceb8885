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
    """Where to write what; None leaves it out.

    Attributes:
        video: the real face beside the avatar.
        track: face and emotion over time, ``T.npz``.
        motion: the avatar's parameters, ``M.motion3.json``.
        reaction: in listen mode, the listener's face over time, ``R.npz``.
    """

    video: Path | None = None
    track: Path | None = None
    motion: Path | None = None
    reaction: Path | None = None

    def check(self, source: str) -> None:
        """Look for what would fail only after the work is done.

        Raises:
            InputError: a wrong ending, a folder that is missing or closed, two outputs of one name, the
                source's name, or the name of something that is no file.
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
    """Look for what would keep files from being written only after the work is done.

    Args:
        wanted: each file, or None, and the endings that its name may have.
        sources: what is read.

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
