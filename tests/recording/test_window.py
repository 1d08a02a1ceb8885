"""The window: it shows what the avatar draws, and closing it ends the run."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from visavis.errors import DeviceError
from visavis.recording.window import AvatarWindow
from visavis.testing import PaintedPuppet
from visavis.types import AvatarPose

POSE = AvatarPose.from_mapping({}, 0.0)


@pytest.fixture
def window() -> Iterator[AvatarWindow]:
    try:
        opened = AvatarWindow(PaintedPuppet(), "test", 32)
    except DeviceError as error:
        pytest.skip(str(error))
    with opened:
        yield opened


def test_the_picture_is_shown(window: AvatarWindow) -> None:
    window.show(POSE)
    color = PaintedPuppet().draw(POSE, 32)[0, 0]
    assert np.array_equal(window._picture.get(31, 31), color)


def test_closing_it_ends_the_run(window: AvatarWindow) -> None:
    window.show(POSE)
    window._close()
    with pytest.raises(KeyboardInterrupt):
        window.show(POSE)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_without_a_display_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tkinter")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(DeviceError, match=r"no window can be opened: .*; leave out --window"):
        AvatarWindow(PaintedPuppet(), "test")


def test_without_tkinter_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(DeviceError, match="install python3-tk"):
        AvatarWindow(PaintedPuppet(), "test")
