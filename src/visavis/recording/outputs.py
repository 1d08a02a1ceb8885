"""The output files of a run, checked before the work."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from visavis.base.arrays import require_flag
from visavis.base.files import require_outputs
from visavis.errors import InputError
from visavis.recording.video_writer import CONTAINERS, require_alpha

Background = tuple[int, int, int] | Literal["soft", "transparent"]

DEFAULT_SIZE_PX, MIN_SIZE_PX, MAX_SIZE_PX = 720, 64, 2160


@dataclass(frozen=True, slots=True)
class AvatarAlone:
    """A square video with nothing but the avatar.

    Attributes:
        background: ``soft`` for the avatar's own (Mira's drawn backdrop, light paper behind a Live2D model),
            one RGB colour, or ``transparent``.
        size_px: side of the video.

    Raises:
        InputError: the size is odd, or not 64 to 2160.
    """

    background: Background = "soft"
    size_px: int = DEFAULT_SIZE_PX

    def __post_init__(self) -> None:
        if type(self.size_px) is not int or self.size_px not in range(MIN_SIZE_PX, MAX_SIZE_PX + 1, 2):
            raise InputError(
                f"a size of {self.size_px!r} px; expected an even number from {MIN_SIZE_PX} to {MAX_SIZE_PX}"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the video."""
        return self.size_px, self.size_px

    @property
    def transparent(self) -> bool:
        """Whether the video has no background."""
        return self.background == "transparent"

    @classmethod
    def parse(cls, picture: str, background: str | None, size_px: int | None) -> Self | None:
        """The video that a user asks for; None for the face beside the avatar.

        Args:
            picture: ``both`` or ``avatar``.
            background: ``soft``, ``transparent`` or a colour such as ``#00ff00``; None for the default.
            size_px: side of the video; None for the default.

        Raises:
            InputError: a value is unknown, or does not go with ``both``.
        """
        if picture not in ("both", "avatar"):
            raise InputError(f"a picture of {picture!r}; expected both or avatar")
        if picture == "both":
            if background is not None or size_px is not None:
                raise InputError(
                    "background and size are for a video of the avatar alone: choose the picture avatar"
                )
            return None
        return cls(
            parse_background("soft" if background is None else background),
            DEFAULT_SIZE_PX if size_px is None else size_px,
        )


def parse_background(text: str) -> Background:
    """The background of :class:`AvatarAlone` that ``soft``, ``transparent`` or ``#rrggbb`` means.

    Raises:
        InputError: it is none of these.
    """
    if text == "soft":
        return "soft"
    if text == "transparent":
        return "transparent"
    if re.fullmatch("#[0-9a-fA-F]{6}", str(text)) is None:
        raise InputError(
            f"a background of {text!r}; expected soft, transparent or a colour such as #00ff00 in quotes"
        )
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files to write; None leaves one out.

    Attributes:
        video: the real face next to the avatar, or the avatar alone.
        track: face and expression over time, ``T.npz``; or ``T.csv``, a recording of Live Link Face.
        motion: the avatar's parameters, ``M.motion3.json``.
        reaction: in listen mode, the listener's face over time, ``R.npz``.
        alone: how the avatar alone is shown in the video; None shows the real face next to it.
        fast: whether the video is encoded faster, into a larger file.
    """

    video: Path | None = None
    track: Path | None = None
    motion: Path | None = None
    reaction: Path | None = None
    alone: AvatarAlone | None = field(default=None, kw_only=True)
    fast: bool = field(default=False, kw_only=True)

    def validate(self, source: str) -> None:
        """Find errors before the work that would otherwise show only after it.

        Raises:
            InputError: an ending is wrong, a video cannot be transparent, a folder is missing or not
                writable, two outputs have the same name, or a name is the source's or belongs to something
                that is not a file.
        """
        require_flag("fast", self.fast)
        require_outputs(
            (
                (self.video, tuple(CONTAINERS)),
                (self.track, (".npz", ".csv")),
                (self.motion, (".motion3.json",)),
                (self.reaction, (".npz",)),
            ),
            (source,),
        )
        if self.video is not None and self.alone is not None and self.alone.transparent:
            require_alpha(self.video)
