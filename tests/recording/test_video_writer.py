from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.container import InputContainer

from support.films import onset_s, read_rgba
from visavis.errors import InputError
from visavis.recording.video_writer import VideoWriter, planes_of


def picture(level: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), level, np.uint8)


def read_back(path: Path) -> tuple[list[float], list[int]]:
    """Times and grey levels of a video's frames."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [f.time for f in frames], [int(f.to_ndarray(format="rgb24").mean()) for f in frames]


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.m4v", "a.mkv", "a.webm"])
def test_round_trip_keeps_true_times_and_pictures(tmp_path: Path, name: str) -> None:
    times_s = [0.0, 0.04, 0.14, 0.153, 0.353, 1.386, 1.4]
    levels = [30, 60, 90, 120, 150, 180, 210]
    with VideoWriter(tmp_path / name, (64, 48), 25) as writer:
        for time_s, level in zip(times_s, levels, strict=True):
            writer.write(picture(level), time_s)
    got_times_s, got_levels = read_back(tmp_path / name)
    assert got_times_s == pytest.approx(times_s, abs=0.0011)
    assert got_levels == pytest.approx(levels, abs=4)
    assert writer.frame_count == 7


def test_is_h264_in_yuv420p_and_states_its_length(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", (64, 48), 30) as writer:
        for index in range(60):
            writer.write(picture(index), index / 30)
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert container.duration / av.time_base == pytest.approx(2.0, abs=0.04)


@pytest.mark.parametrize(("name", "codec", "tolerance"), [("a.webm", "vp9", 3), ("a.mov", "prores", 2)])
def test_transparent_pictures_keep_alpha_and_colors(
    tmp_path: Path, make_video, name: str, codec: str, tolerance: int
) -> None:
    image = np.zeros((96, 128, 4), np.uint8)
    for column, (alpha, color) in enumerate(
        [(0, (200, 60, 60)), (64, (60, 200, 60)), (128, (60, 60, 200)), (255, (230, 230, 230))]
    ):
        image[:, 32 * column : 32 * column + 32] = (*color, alpha)
    source = make_video("source.mp4", count=30, sound_hz=440.0)
    with VideoWriter(tmp_path / name, (128, 96), 30, source, transparent=True) as writer:
        for index in range(30):
            writer.write(image, index / 30)
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.video[0].codec_context.name == codec
    assert onset_s(tmp_path / name) == pytest.approx(onset_s(source), abs=0.01)
    frames = read_rgba(tmp_path / name).astype(int)
    assert frames.shape == (30, 96, 128, 4)
    for center in range(16, 128, 32):
        assert frames[-1, 48, center] == pytest.approx(image[48, center].astype(int), abs=2 * tolerance)
        assert frames[-1, 48, center, 3] == pytest.approx(int(image[48, center, 3]), abs=tolerance)


@pytest.mark.parametrize("name", ["a.mp4", "a.m4v", "a.mkv"])
def test_other_videos_cannot_be_transparent(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"only \.webm \(VP9\) and \.mov \(ProRes 4444\)"):
        VideoWriter(tmp_path / name, (64, 48), 25, transparent=True)
    assert list(tmp_path.iterdir()) == []


def test_webm_is_vp9_with_opus(tmp_path: Path, make_video) -> None:
    source = make_video("source.mp4", count=30, sound_hz=440.0)
    with VideoWriter(tmp_path / "a.webm", (64, 48), 30, source) as writer:
        for index in range(30):
            writer.write(picture(index), index / 30)
    with av.open(str(tmp_path / "a.webm")) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["vp9", "opus"]
        assert container.streams.audio[0].rate == 48000
        assert container.duration / av.time_base == pytest.approx(1.0, abs=0.06)
    assert onset_s(tmp_path / "a.webm") == pytest.approx(onset_s(source), abs=0.01)


def test_the_file_appears_whole_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with VideoWriter(path, (64, 48), 25) as writer:
        writer.write(picture(1), 0)
        assert not path.exists()
        assert not writer.finished
    assert writer.finished
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_interrupted_keeps_the_frames_so_far(tmp_path: Path, interruption: type[BaseException]) -> None:
    path = tmp_path / "a.mp4"

    def write_and_break() -> None:
        with VideoWriter(path, (64, 48), 25) as writer:
            for index in range(5):
                writer.write(picture(index), index / 25)
            raise interruption

    with pytest.raises(interruption):
        write_and_break()
    assert len(read_back(path)[0]) == 5


def test_without_frames_no_file_and_the_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with VideoWriter(path, (64, 48), 25) as writer:
        pass
    assert not writer.finished
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert path.read_bytes() == b"old"


def test_the_array_may_change_after_writing(tmp_path: Path) -> None:
    canvas = picture(0)
    with VideoWriter(tmp_path / "a.mp4", (64, 48), 25) as writer:
        for index, level in enumerate([40, 120, 200]):
            canvas[:] = level
            writer.write(canvas, index / 25)
    assert read_back(tmp_path / "a.mp4")[1] == pytest.approx([40, 120, 200], abs=4)


def test_planes_give_the_same_video_as_pictures(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), np.uint8)
    planes = np.empty((72, 64), np.uint8)
    for name in ("pictures.mkv", "planes.mkv"):
        with VideoWriter(tmp_path / name, (64, 48), 25) as writer:
            for index, image in enumerate(images):
                if name == "planes.mkv":
                    writer.write_planes(planes_of(image, planes), index / 25)
                else:
                    writer.write(image, index / 25)
    frames = [list(av.open(str(tmp_path / name)).decode(video=0)) for name in ("pictures.mkv", "planes.mkv")]
    for a, b in zip(*frames, strict=True):
        assert np.array_equal(a.to_ndarray(), b.to_ndarray())


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_fast_is_the_same_video_encoded_otherwise(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    still = cv2.GaussianBlur(rng.integers(0, 256, (240, 400, 3), np.uint8), (0, 0), 3)
    sizes = {}
    for fast in (False, True):
        with VideoWriter(tmp_path / name, (320, 240), 25, fast=fast) as writer:
            for index in range(20):
                writer.write(np.ascontiguousarray(still[:, index * 3 : index * 3 + 320]), index / 25)
        sizes[fast] = (tmp_path / name).stat().st_size
        times_s, levels = read_back(tmp_path / name)
        assert times_s == pytest.approx(np.arange(20) / 25, abs=0.0011)
        assert levels == pytest.approx([still[:, i * 3 : i * 3 + 320].mean() for i in range(20)], abs=3)
    assert sizes[True] != sizes[False]


def test_equal_times_are_set_apart(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", (64, 48), 25) as writer:
        for level in (10, 20, 30):
            writer.write(picture(level), 1.0)
    times_s, _ = read_back(tmp_path / "a.mp4")
    assert len(times_s) == 3
    assert (np.diff(times_s) > 0).all()


@pytest.mark.parametrize("count", [60, 15])
def test_sound_is_carried_over_in_time_and_ends_with_the_pictures(
    tmp_path: Path, make_video, count: int
) -> None:
    source = make_video("source.mp4", count=60, sound_hz=440.0)
    with VideoWriter(tmp_path / "a.mp4", (64, 48), 30, source) as writer:
        for index in range(count):
            writer.write(picture(index), index / 30)
    assert onset_s(tmp_path / "a.mp4") == pytest.approx(onset_s(source), abs=0.005)
    with av.open(str(tmp_path / "a.mp4")) as container:
        sound = container.streams.audio[0]
        assert sound.codec_context.name == "aac"
        assert sound.rate == 16000
        assert float(sound.duration * sound.time_base) == pytest.approx(count / 30, abs=0.1)


def test_sound_starts_where_the_pictures_do(tmp_path: Path) -> None:
    source = tmp_path / "tone.mkv"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=16000, layout="mono")
        time_s = np.arange(2 * 16000) / 16000
        samples = np.where(time_s < 1, 0, 16000 * np.sin(2 * np.pi * 440 * time_s)).astype(np.int16)
        for start in range(0, len(samples), 1600):
            chunk = av.AudioFrame.from_ndarray(samples[None, start : start + 1600], layout="mono")
            chunk.sample_rate, chunk.pts = 16000, start
            output.mux(stream.encode(chunk))
    with VideoWriter(tmp_path / "a.mp4", (64, 48), 30, source, sound_start_s=0.6) as writer:
        for index in range(40):
            writer.write(picture(index), index / 30)
    assert onset_s(tmp_path / "a.mp4") == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("source", ["missing.mp4", "silent.mp4", "text.mp4"])
def test_without_readable_sound_the_video_is_silent(tmp_path: Path, make_video, source: str) -> None:
    make_video("silent.mp4", count=5)
    (tmp_path / "text.mp4").write_text("hello")
    with VideoWriter(tmp_path / "a.mp4", (64, 48), 30, tmp_path / source) as writer:
        writer.write(picture(1), 0)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert not container.streams.audio


def test_damaged_sound_does_not_spoil_the_pictures(tmp_path: Path, make_video) -> None:
    source = make_video("source.mp4", count=60, sound_hz=440.0)
    source.write_bytes(source.read_bytes()[:-3000])
    with VideoWriter(tmp_path / "a.mp4", (64, 48), 30, source) as writer:
        for index in range(60):
            writer.write(picture(index), index / 30)
    assert len(read_back(tmp_path / "a.mp4")[0]) == 60


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.gif: a video is written as \.mp4"):
        VideoWriter(tmp_path / "a.gif", (64, 48), 25)
    with pytest.raises(InputError, match="even width and height; found 63x48"):
        VideoWriter(tmp_path / "a.mp4", (63, 48), 25)
    with pytest.raises(InputError, match="cannot be written: No such file"):
        VideoWriter(tmp_path / "none" / "a.mp4", (64, 48), 25)
    writer = VideoWriter(tmp_path / "a.mp4", (64, 48), 25)
    with pytest.raises(InputError, match="a picture of 32x24x3 in a video of 64x48x3"), writer:
        writer.write(picture(0, (32, 24)), 0)
    writer = VideoWriter(tmp_path / "a.webm", (64, 48), 25, transparent=True)
    with pytest.raises(InputError, match="a picture of 64x48x3 in a video of 64x48x4"), writer:
        writer.write(picture(0), 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "color", [(220, 40, 40), (40, 200, 60), (60, 60, 220), (240, 240, 240), (10, 10, 10)]
)
def test_colors_survive(tmp_path: Path, color: tuple[int, int, int]) -> None:
    with VideoWriter(tmp_path / "a.mp4", (64, 48), 25) as writer:
        writer.write(np.full((48, 64, 3), color, np.uint8), 0)
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert frame.mean(axis=(0, 1)) == pytest.approx(color, abs=5)


def test_sound_that_turns_from_mono_to_stereo_goes_on(
    make_video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoded(_: InputContainer) -> Generator[av.AudioFrame, None, None]:
        for index in range(40):
            channels = 1 if index < 20 else 2
            samples = np.full((channels, 800), 0.1, np.float32)
            frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono" if channels == 1 else "stereo")
            frame.sample_rate, frame.pts, frame.time_base = 16000, 800 * index, Fraction(1, 16000)
            yield frame

    monkeypatch.setattr("visavis.capture.sound._decoded", decoded)
    monkeypatch.setattr("visavis.recording.video_sound.CopiedSound.open", lambda *_: None)
    path = tmp_path / "o.mp4"
    with VideoWriter(path, (64, 48), 25.0, make_video(count=30, sound_hz=300)) as writer:
        for index in range(50):
            writer.write(np.zeros((48, 64, 3), np.uint8), index / 25)
    with av.open(str(path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples / 16000 == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "make room or choose another place"),
        (OSError(errno.EROFS, "Read-only file system"), "choose another place"),
        (av.error.ArgumentError(errno.EINVAL, "Invalid argument"), "another ending, such as .mkv"),
    ],
)
def test_only_a_full_disk_asks_for_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, advice: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("visavis.recording.video_writer.put_in_place", fail)
    with pytest.raises(InputError) as told, VideoWriter(tmp_path / "v.mp4", (64, 48), 30) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    assert advice in str(told.value)
    assert ("make room" in str(told.value)) == (error.errno == errno.ENOSPC)
    assert "[Errno" not in str(told.value)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of file sizes")
@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.webm"])
def test_a_disk_that_was_full_from_the_start_is_one_clear_error(tmp_path: Path, name: str) -> None:
    # In a process of its own, since the limit is a process's.
    program = f"""
import resource, numpy as np
from pathlib import Path
from visavis.errors import InputError
from visavis.recording.video_writer import VideoWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
noise = np.random.default_rng(0).integers(0, 256, (60, 96, 128, 3), np.uint8)
try:
    with VideoWriter(Path({str(tmp_path / name)!r}), (128, 96), 25) as writer:
        for number, picture in enumerate(noise):
            writer.write(picture, number / 25)
except InputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cannot be written: File too large; make room or choose another place" in done.stdout
    assert not list(tmp_path.iterdir())
