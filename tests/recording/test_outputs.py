"""The outputs of a run: bad names are refused before the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from visavis.errors import InputError
from visavis.recording.outputs import Outputs


def test_outputs_are_checked_first(tmp_path: Path) -> None:
    source = str(tmp_path / "clip.mp4")
    with pytest.raises(InputError, match="would overwrite the source"):
        Outputs(video=tmp_path / "clip.mp4").check(source)
    link = tmp_path / "t.npz"
    link.symlink_to(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="another output"):
        Outputs(tmp_path / "a.mp4", track=link).check(source)
    with pytest.raises(InputError, match=r"folder .*none does not exist"):
        Outputs(track=tmp_path / "none" / "t.npz").check(source)
    (tmp_path / "m.motion3.json").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        Outputs(motion=tmp_path / "m.motion3.json").check(source)
    Outputs().check(source)
