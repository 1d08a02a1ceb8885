from __future__ import annotations

from pathlib import Path

import pytest

from visavis.capture.datagram_source import DatagramSource
from visavis.capture.source import open_source
from visavis.capture.video import VideoFile
from visavis.errors import DeviceError, InputError


def test_file(make_video) -> None:
    path = make_video()
    with open_source(str(path)) as source:
        assert isinstance(source, VideoFile)
        assert source.name == str(path)


@pytest.mark.parametrize("source", ["96", 96])
def test_number_is_a_camera(source: str | int) -> None:
    with pytest.raises(DeviceError, match="camera 96"):
        open_source(source)


def test_file_named_like_a_number(make_video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_video().rename(tmp_path / "7")
    monkeypatch.chdir(tmp_path)
    with open_source("7") as source:
        assert isinstance(source, VideoFile)


def test_address_of_a_tracker() -> None:
    with open_source("vtsphone://127.0.0.1") as source:
        assert isinstance(source, DatagramSource)
        assert (source.name, source.live) == ("vtsphone://127.0.0.1", True)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("phone://192.168.1.7", "no input is called 'phone'; there are ifacialmocap, "),
        ("https://example.org/a.mp4", "videos on the internet are not read"),
        ("", "the path of a file is empty"),
        (None, "expected the path of a file"),
    ],
)
def test_what_is_no_source(source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_source(source)
