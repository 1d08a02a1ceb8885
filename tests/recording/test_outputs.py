"""The outputs of a run: bad names are refused before the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from visavis.errors import InputError
from visavis.recording.outputs import AvatarAlone, Outputs


def test_outputs_are_checked_first(tmp_path: Path) -> None:
    source = str(tmp_path / "clip.mp4")
    with pytest.raises(InputError, match="would overwrite the source"):
        Outputs(video=tmp_path / "clip.mp4").validate(source)
    link = tmp_path / "t.npz"
    link.symlink_to(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="another output"):
        Outputs(tmp_path / "a.mp4", track=link).validate(source)
    with pytest.raises(InputError, match=r"folder .*none does not exist"):
        Outputs(track=tmp_path / "none" / "t.npz").validate(source)
    (tmp_path / "m.motion3.json").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        Outputs(motion=tmp_path / "m.motion3.json").validate(source)
    Outputs().validate(source)


@pytest.mark.parametrize(
    ("picture", "background", "size_px", "message"),
    [
        ("face", None, None, "a picture of 'face'; expected both or avatar"),
        ("both", "soft", None, "^background and size are for a video of the avatar alone: choose the pict"),
        ("both", None, 720, "a video of the avatar alone"),
        ("avatar", "green", None, "a background of 'green'; expected soft, transparent or a colour"),
        ("avatar", "#12345", None, "a background of '#12345'"),
        ("avatar", "", None, "a background of ''"),
        ("avatar", None, 721, "a size of 721 px; expected an even number from 64 to 2160"),
        ("avatar", None, 0, "a size of 0 px"),
        ("avatar", None, 2162, "a size of 2162 px"),
    ],
)
def test_what_cannot_be_shown(
    picture: str, background: str | None, size_px: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        AvatarAlone.parse(picture, background, size_px)


def test_what_is_shown() -> None:
    assert AvatarAlone.parse("both", None, None) is None
    assert AvatarAlone.parse("avatar", None, None) == AvatarAlone("soft", 720)
    assert AvatarAlone.parse("avatar", "transparent", 64) == AvatarAlone("transparent", 64)
    assert AvatarAlone.parse("avatar", "#00fF10", 2160) == AvatarAlone((0, 255, 16), 2160)
