"""The virtual camera, with a stand-in for pyvirtualcam."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from support.samples import sample
from visavis.errors import DeviceError, InputError, MissingExtraError
from visavis.outputs.formats.camera import VirtualCamera
from visavis.outputs.registry import connect_output


class Camera:
    """What pyvirtualcam offers: a constructor, send and close."""

    def __init__(self, width: int, height: int, fps: float, *, device: str | None = None) -> None:
        if device == "/dev/taken":
            raise RuntimeError("device is busy")
        self.size, self.fps, self.device = (width, height), fps, device or "OBS Virtual Camera"
        self.pictures: list[np.ndarray] = []
        self.closed = False

    def send(self, picture: np.ndarray) -> None:
        assert picture.shape == (*self.size, 3)
        self.pictures.append(picture)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> list[Camera]:
    made: list[Camera] = []

    def make(*arguments: Any, **options: Any) -> Camera:
        made.append(Camera(*arguments, **options))
        return made[-1]

    monkeypatch.setitem(sys.modules, "pyvirtualcam", SimpleNamespace(Camera=make))
    return made


def test_other_programs_see_the_avatar(cameras: list[Camera]) -> None:
    _, connection = connect_output("camera://?size=128&background=00ff00")
    connection.open()
    for time_s in (0.0, 0.04):
        assert "OBS Virtual Camera" in connection.send(sample(time_s))
    connection.close()
    [camera] = cameras
    assert len(camera.pictures) == 2
    assert camera.pictures[0][0, 0].tolist() == [0, 255, 0]
    assert camera.pictures[0].std() > 20
    assert camera.closed
    assert isinstance(connection, VirtualCamera)
    assert connection.repeat_s == pytest.approx(1 / camera.fps)


def test_a_camera_by_its_name(cameras: list[Camera]) -> None:
    _, connection = connect_output("camera:///dev/video9")
    connection.open()
    assert cameras[0].device == "/dev/video9"
    assert cameras[0].size == (720, 720)


def test_a_camera_that_is_taken(cameras: list[Camera]) -> None:
    _, connection = connect_output("camera:///dev/taken")
    with pytest.raises(DeviceError, match="busy"):
        connection.open()


@pytest.mark.parametrize("told", ["host", "?size=63", "?size=721", "?size=x", "?background=red"])
def test_bad_addresses(cameras: list[Camera], told: str) -> None:
    with pytest.raises(InputError, match="camera://"):
        connect_output(f"camera://{told}")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(MissingExtraError, match="camera"):
        connect_output("camera://")
