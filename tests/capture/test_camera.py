from __future__ import annotations

import cv2
import numpy as np
import pytest

from visavis.base.clock import ManualClock
from visavis.capture.camera import MAX_FAILED_READS, Camera
from visavis.errors import DeviceError, InputError


class FakeCapture:
    """Gives pictures (True) and failures (False) in the order of its script, then failures."""

    def __init__(self, script: list[bool], opened: bool = True, fps: float = 25.0) -> None:
        self.script = iter(script)
        self.opened = opened
        self.fps = fps
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        if next(self.script, False):
            return True, np.full((4, 6, 3), (255, 0, 0), np.uint8)
        return False, None

    def get(self, what: int) -> float:
        assert what == cv2.CAP_PROP_FPS
        return self.fps

    def set(self, what: int, value: float) -> bool:
        return True

    def release(self) -> None:
        self.released = True


def camera(capture: FakeCapture) -> tuple[Camera, ManualClock]:
    clock = ManualClock(100.0)
    return Camera(0, clock, lambda index: capture), clock  # type: ignore[arg-type, return-value]


def test_frames_are_rgb_and_dated_by_the_clock() -> None:
    capture = FakeCapture([True] * 5)
    opened, clock = camera(capture)
    assert opened.live
    assert opened.size == (6, 4)
    assert opened.fps == 25
    with opened:
        frames = iter(opened)
        times_s = []
        for _ in range(3):
            frame = next(frames)
            times_s.append(frame.time_s)
            clock.sleep_s(0.04)
    assert times_s == pytest.approx([0, 0.04, 0.08], abs=1e-3)
    assert frame.image_rgb[0, 0].tolist() == [0, 0, 255]
    assert frame.index == 2
    assert capture.released


def test_times_increase_though_the_clock_stands() -> None:
    opened, _ = camera(FakeCapture([True] * 4))
    frames = iter(opened)
    assert (np.diff([next(frames).time_s for _ in range(4)]) > 0).all()


def test_a_few_failed_reads_are_forgiven() -> None:
    opened, _ = camera(FakeCapture([True, *[False] * (MAX_FAILED_READS - 1), True]))
    frames = iter(opened)
    assert [next(frames).index for _ in range(2)] == [0, 1]


def test_lost_camera() -> None:
    opened, _ = camera(FakeCapture([True, True]))
    frames = iter(opened)
    next(frames)
    next(frames)
    with pytest.raises(DeviceError, match=r"camera 0 gives no picture .* check its cable"):
        next(frames)


def test_camera_that_never_gives_a_picture_is_closed() -> None:
    capture = FakeCapture([])
    with pytest.raises(DeviceError, match="camera 0"):
        camera(capture)
    assert capture.released


def test_unknown_rate() -> None:
    opened, _ = camera(FakeCapture([True], fps=0.0))
    assert opened.fps == 30


def test_no_camera_is_one_error_and_no_noise(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DeviceError, match=r"camera 97 was not found: .*give a video file"):
        Camera(97)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("index", [-1, 100, 10**12])
def test_a_number_that_no_camera_has(index: int) -> None:
    with pytest.raises(InputError, match="is 0 to 99"):
        Camera(index)


def test_a_driver_that_waits_long_before_it_fails_is_given_up_in_time() -> None:
    clock = ManualClock()
    capture = FakeCapture([True])
    opened = Camera(0, clock, lambda index: capture)  # type: ignore[arg-type, return-value]
    frames = iter(opened)
    next(frames)
    capture.read = lambda: (clock.sleep_s(3.0), (False, None))[1]  # type: ignore[method-assign, return-value]
    with pytest.raises(DeviceError, match="no picture any more"):
        next(frames)
    assert clock.now_s() <= 10.0
