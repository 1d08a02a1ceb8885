from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from support import hdr
from visavis.capture import video as module
from visavis.capture.media import CONVERTS_HDR
from visavis.capture.video import VideoFile
from visavis.errors import InputError
from visavis.types import Frame


def read_all(path: Path) -> tuple[list[Frame], str]:
    """The frames and the error after them, if any."""
    frames: list[Frame] = []
    try:
        with VideoFile(path) as video:
            frames += video
    except InputError as error:
        return frames, str(error)
    return frames, ""


def write_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write the track header's display matrix, as phones do (ISO/IEC 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    whole = 1 << 16
    data[at : at + 36] = struct.pack(">9i", a * whole, b * whole, 0, c * whole, d * whole, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.webm", "a.mov", "a.ts", "a.flv"])
def test_reads_every_frame_of_every_container(make_video, name: str) -> None:
    path = make_video(name, count=25)
    with VideoFile(path) as video:
        assert video.size == (64, 48)
        assert video.fps == pytest.approx(30, abs=0.5)
        assert not video.live
        frames = list(video)
    assert [frame.index for frame in frames] == list(range(25))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(25) / 30, abs=0.002)
    assert [int(frame.image_rgb[40, 60, 0]) for frame in frames] == pytest.approx(
        [20 + 4 * i for i in range(25)], abs=6
    )


def test_says_what_to_expect(make_video) -> None:
    with VideoFile(make_video(count=45)) as video:
        assert video.frame_count_hint == 45
        assert video.duration_s == pytest.approx(1.5, abs=0.05)
        assert video.start_s == 0


def test_variable_frame_rate_keeps_true_times(make_video) -> None:
    times_s = [0.0, 0.033, 0.2, 0.233, 1.0, 1.01, 1.5]
    frames, error = read_all(make_video(times_s=times_s))
    assert not error
    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=0.002)


def test_times_increase_where_the_file_repeats_them(make_video) -> None:
    with VideoFile(make_video(count=6)) as video:
        video._own_time_s = lambda frame: 0.1  # type: ignore[method-assign]
        times_s = [frame.time_s for frame in video]
    assert len(times_s) == 6
    assert (np.diff(times_s) > 0).all()


def test_frames_without_times_come_at_the_nominal_rate(make_video) -> None:
    with VideoFile(make_video(count=6)) as video:
        video._own_time_s = lambda frame: None  # type: ignore[method-assign]
        assert [frame.time_s for frame in video] == pytest.approx(np.arange(6) / 30)


def shown_by(matrix: tuple[int, int, int, int], image: np.ndarray) -> np.ndarray:
    """Each pixel moved on its own: (p, q) to (a p + c q, b p + d q), then into the picture again."""
    a, b, c, d = matrix
    q, p = np.indices(image.shape[:2])
    x, y = a * p + c * q, b * p + d * q
    x, y = x - x.min(), y - y.min()
    moved = np.zeros((y.max() + 1, x.max() + 1, 3), np.uint8)
    moved[y, x] = image
    return moved


@pytest.mark.parametrize(
    "matrix",
    [*((a, 0, 0, d) for a in (1, -1) for d in (1, -1)), *((0, b, c, 0) for b in (1, -1) for c in (1, -1))],
)
def test_turned_and_mirrored_videos_come_as_the_file_says(
    make_video, matrix: tuple[int, int, int, int]
) -> None:
    path = make_video(count=3)
    plain, _ = read_all(path)
    write_matrix(path, *matrix)
    want = shown_by(matrix, plain[0].image_rgb)
    with VideoFile(path) as video:
        assert video.size == want.shape[1::-1]
        assert np.array_equal(next(iter(video)).image_rgb, want)


def picture_of(path: Path, size: tuple[int, int], aspect: Fraction = Fraction(1)) -> Path:
    """A video of one grey picture."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        output.mux(stream.encode(av.VideoFrame(*size, "yuv420p")))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("aspect", "width"), [("2", 128), ("1/2", 32), ("8/9", 57), ("10", 64), ("1/10", 64)]
)
def test_oblong_pixels_come_square(tmp_path: Path, aspect: str, width: int) -> None:
    possible = width != 64
    with VideoFile(picture_of(tmp_path / "a.mkv", (64, 48), Fraction(aspect))) as video:
        assert video.size == (width, 48)
        assert len(video.notes) == (0 if possible else 1)
    if not possible:
        assert "cannot be; they are taken as square" in video.notes[0]


@pytest.fixture
def hdr_video(tmp_path: Path) -> Path:
    """A phone's HDR video of one picture."""
    path = tmp_path / "phone.mov"
    hdr.write(path, "libx264")
    return path


@pytest.mark.skipif(not CONVERTS_HDR, reason="this PyAV cannot convert HDR")
def test_hdr_of_a_phone_has_the_colors_of_srgb(hdr_video: Path) -> None:
    (frame,), error = read_all(hdr_video)
    assert not error
    assert np.abs(frame.image_rgb[32, 32::64] - hdr.COLORS).max() <= 8


@pytest.mark.parametrize("converts", [False, True])
def test_hdr_that_stays_pale_is_told(hdr_video: Path, monkeypatch, converts: bool) -> None:
    monkeypatch.setattr(module, "CONVERTS_HDR", converts)
    with VideoFile(hdr_video) as video:
        assert [note for note in video.notes if "HDR" in note] == video.notes[: not converts]
        assert bool(video.notes) is not converts


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.mov"])
@pytest.mark.parametrize(("aspect", "found"), [("1", "400x300 pixels are"), ("4", "400x300 pixels, 4 times")])
def test_too_many_pixels_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, aspect: str, found: str
) -> None:
    if name == "a.avi":
        aspect, found = "1", "400x300 pixels are"  # It does not say the shape of its pixels.
    path = picture_of(tmp_path / name, (400, 300), Fraction(aspect))
    monkeypatch.setenv("VISAVIS_MAX_MEGAPIXELS", "0.1" if aspect == "1" else "0.2")
    monkeypatch.setattr(VideoFile, "_decode", None)
    with pytest.raises(InputError, match=found) as caught:
        VideoFile(path)
    assert "(VISAVIS_MAX_MEGAPIXELS changes this limit)" in str(caught.value)


def test_pictures_that_grow_too_large_on_the_way_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [picture_of(tmp_path / f"{n}.ts", size) for n, size in enumerate([(64, 48), (400, 300)])]
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    monkeypatch.setenv("VISAVIS_MAX_MEGAPIXELS", "0.1")
    frames, error = read_all(path)
    assert [frame.image_rgb.shape for frame in frames] == [(48, 64, 3)]
    assert "damaged video" in error


def test_a_video_is_read_up_to_a_longest_time(make_video, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_MAX_HOURS", "0.00025")
    frames, error = read_all(make_video(count=60))
    assert len(frames) == 28
    assert (
        "longer than 0.00025 hours (VISAVIS_MAX_HOURS changes this limit); frames that were read: 28" in error
    )


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.webm", "a.flv"])
def test_truncated_file_gives_its_frames_and_then_says_so(make_video, name: str) -> None:
    path = make_video(name, count=100, size=(96, 64))
    whole, _ = read_all(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    frames, error = read_all(path)
    assert 30 < len(frames) < 95
    assert f"; frames that were read: {len(frames)}" in error
    for got, want in zip(frames[:30], whole[:30], strict=True):
        assert np.array_equal(got.image_rgb, want.image_rgb)


def test_damaged_middle_gives_the_good_frames_and_then_says_so(make_video) -> None:
    path = make_video(count=60, size=(160, 120))
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    key = next(p for p in packets[15:] if p.is_keyframe)
    data[key.pos : key.pos + key.size] = b"\xff" * key.size
    path.write_bytes(data)
    frames, error = read_all(path)
    assert 20 <= len(frames) < 60
    assert f"a damaged video; good frames that were read: {len(frames)};" in error


def test_nothing_else_is_printed(make_video, capfd: pytest.CaptureFixture[str]) -> None:
    path = make_video(count=60)
    path.write_bytes(path.read_bytes()[:-1500])
    read_all(path)
    assert capfd.readouterr() == ("", "")


def write_bytes(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_bad_files_are_refused_when_opened(tmp_path: Path, make_video) -> None:
    whole = make_video().read_bytes()
    audio = tmp_path / "audio.m4a"
    with av.open(str(audio), "w") as output:
        stream = output.add_stream("aac", rate=16000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        output.mux(stream.encode(sound))
        output.mux(stream.encode(None))
    headless = whole[: whole.index(b"moov") + 40]
    cases = {
        tmp_path / "missing.mp4": "no such file",
        tmp_path: "not a file",
        write_bytes(tmp_path / "empty.mp4", b""): "the file is empty",
        write_bytes(tmp_path / "text.mp4", b"hello\n" * 50): "not a video, or damaged",
        write_bytes(tmp_path / "text.txt", b"hello\n" * 50): "no video in this file|not a video",
        write_bytes(tmp_path / "headless.mp4", headless): "no video in this file|not a video",
        audio: "no video in this file",
    }
    for path, message in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            VideoFile(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_video_without_frames(make_video) -> None:
    path = make_video("a.mp4", count=8)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data)
    with pytest.raises(InputError, match="without frames"):
        VideoFile(path)


def test_playlist_opens_no_address(tmp_path: Path) -> None:
    path = write_bytes(
        tmp_path / "list.m3u8", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(InputError):
        VideoFile(path)


def test_a_few_frames_missing_at_the_end_are_told(make_video) -> None:
    path = make_video(count=150, size=(96, 64))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.98)])
    with (
        VideoFile(path) as video,
        pytest.raises(InputError, match=r"truncated video: .* frames that were read: 1\d\d$"),
    ):
        for _ in video:
            pass
