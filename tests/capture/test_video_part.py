from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from visavis.capture.video import VideoFile
from visavis.capture.video_part import VideoPart, cut_times_s
from visavis.types import Frame

COUNT = 60


def film(path: Path, codec: str, options: dict[str, str] | None = None, pix_fmt: str = "yuv420p") -> Path:
    """A bar that walks through noise, so that every frame differs and needs the ones before it."""
    noise = np.random.default_rng(0).integers(0, 60, (48, 64, 3), np.uint8)
    with av.open(str(path), "w") as output:
        video = output.add_stream(codec, rate=25, options=options or {})
        video.width, video.height, video.pix_fmt, video.gop_size = 64, 48, pix_fmt, 12
        for number in range(COUNT):
            image = noise.copy()
            image[:, number : number + 4] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return path


def pictures(frames: list[Frame]) -> list[tuple[float, bytes]]:
    return [(frame.time_s, frame.image_rgb.tobytes()) for frame in frames]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {}),
        ("open_gop.mkv", "libx264", {"x264-params": "open-gop=1:bframes=3"}),
        ("a.avi", "mpeg4", {}),
        ("a.webm", "libvpx", {}),
        ("a.ts", "libx264", {}),
        ("a.mpg", "mpeg2video", {"bf": "2"}),
    ],
)
def test_the_segments_together_are_the_whole_file(tmp_path: Path, name: str, codec: str, options) -> None:
    path = film(tmp_path / name, codec, options)
    with VideoFile(path) as video:
        whole = pictures(list(video))
    cuts_s = cut(path, part_s=1.0)
    assert len(cuts_s) == 2  # The rest after the second would be too short.
    parts = []
    for from_s, to_s in pairwise([*cuts_s, 1e9]):
        with VideoPart(path, from_s) as part:
            parts += pictures([frame for frame in part if frame.time_s < to_s])
    assert parts == whole


def cut(path: Path, part_s: float) -> list[float]:
    with VideoPart(path) as part:
        return cut_times_s(part.entry_times_s(), COUNT / 25, part_s, 0.0)


def test_a_clock_that_starts_again_is_not_cut(tmp_path: Path) -> None:
    path = film(tmp_path / "a.ts", "libx264")
    path.write_bytes(2 * path.read_bytes())
    assert cut(path, 0.1) == [0.0]


def test_a_truncated_video_is_not_cut(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", "libx264")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    assert cut(path, 0.1) == [0.0]


def test_damage_is_counted_in_its_own_part(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", "libx264")
    *_, last_s = cut(path, 0.9)
    with av.open(str(path)) as container:
        key = next(packet for packet in list(container.demux(video=0))[45:] if packet.is_keyframe)
        place, size = key.pos, key.size
    data = bytearray(path.read_bytes())
    data[place : place + size] = b"\xff" * size
    path.write_bytes(data)
    for from_s, damaged in ((0.0, True), (last_s, last_s < 1.9)):
        with VideoPart(path, from_s) as part:
            list(part)
            assert bool(part.damaged) == damaged


def test_parts_start_at_keyframes_and_are_neither_short_nor_many() -> None:
    keyframes_s = [2.0 * number for number in range(30)]
    cuts_s = cut_times_s(keyframes_s, 60.0, part_s=20.0, lead_s=3.0)
    assert cuts_s == [0.0, 18.0, 36.0]
    assert cut_times_s(keyframes_s, 60.0, part_s=50.0, lead_s=3.0) == [0.0]
    assert cut_times_s([0.0], 60.0, part_s=20.0, lead_s=3.0) == [0.0]
