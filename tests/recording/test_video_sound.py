from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from support.films import onset_s
from visavis.recording.video_sound import CopiedSound
from visavis.recording.video_writer import VideoWriter

RATE_HZ = 16000


def write_video(target: Path, source: Path, start_s: float = 0.0, count: int = 45) -> None:
    with VideoWriter(target, (64, 48), 30, source, start_s) as writer:
        for index in range(count):
            writer.write(np.full((48, 64, 3), 3 * index, np.uint8), index / 30)


def packets(path: Path) -> dict[float, bytes]:
    """The sound's packets by their times in seconds."""
    with av.open(str(path)) as container:
        return {
            round(float(packet.pts * packet.time_base), 3): bytes(packet)
            for packet in container.demux(audio=0)
            if packet.size
        }


def make_sound(
    path: Path,
    codec: str = "aac",
    hole_s: float = 0.0,
    pictures_s: tuple[float, ...] = (),
    repeats: bool = False,
) -> Path:
    """Three seconds, loud from 1 s on, with a hole in the times at 2 s, or a repeated time."""
    loud = np.arange(3 * RATE_HZ) >= RATE_HZ
    samples = np.where(loud, 0.5 * np.sin(np.arange(3 * RATE_HZ) / 6), 0).astype(np.float32)
    with av.open(str(path), "w") as output:
        sound = output.add_stream(codec, rate=RATE_HZ, layout="mono")
        if pictures_s:
            video = output.add_stream("libx264", rate=30)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            video.codec_context.time_base, video.codec_context.max_b_frames = Fraction(1, 1000), 0
            for time_s in pictures_s:
                picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8))
                picture.pts, picture.time_base = round(1000 * time_s), Fraction(1, 1000)
                output.mux(video.encode(picture))
            output.mux(video.encode(None))
        for start in range(0, len(samples) - 1023, 1024):
            chunk = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], "fltp", "mono")
            chunk.sample_rate, chunk.pts, chunk.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
            for packet in sound.encode(chunk):
                if repeats and packet.pts == 20 * 1024:
                    packet.pts = packet.dts = 19 * 1024
                hole = round(hole_s * RATE_HZ) if packet.pts > 2 * RATE_HZ else 0
                packet.pts, packet.dts = packet.pts + hole, packet.dts + hole
                output.mux(packet)
        output.mux(sound.encode(None) if not hole_s else [])
    return path


@pytest.mark.parametrize("source", ["s.mp4", "s.mov", "s.mkv"])
@pytest.mark.parametrize("target", ["a.mp4", "a.mov", "a.mkv"])
def test_packets_are_copied_with_their_times_up_to_the_end(tmp_path: Path, source: str, target: str) -> None:
    made = make_sound(tmp_path / source)
    write_video(tmp_path / target, made)
    before, after = packets(made), packets(tmp_path / target)
    heard = {time_s: data for time_s, data in after.items() if time_s >= 0}
    assert max(heard) == pytest.approx(1.45, abs=0.07)
    ours, theirs = np.asarray(sorted(heard)), np.asarray(sorted(before))
    nearest = theirs[np.abs(theirs - ours[:, None]).argmin(axis=1)]
    assert np.abs(nearest - ours).max() < 0.002
    assert [heard[time_s] for time_s in ours.tolist()] == [before[time_s] for time_s in nearest.tolist()]
    assert onset_s(tmp_path / target) == pytest.approx(onset_s(made), abs=0.003)


@pytest.mark.parametrize("target", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("start_s", [0.0, 0.303, 0.6])
def test_sound_starts_where_the_pictures_do(tmp_path: Path, target: str, start_s: float) -> None:
    made = make_sound(tmp_path / "s.mp4")
    write_video(tmp_path / target, made, start_s)
    assert onset_s(tmp_path / target) == pytest.approx(onset_s(made) - start_s, abs=0.003)
    with av.open(str(tmp_path / target)) as container:
        assert next(container.decode(video=0)).time == 0


@pytest.mark.parametrize(
    ("name", "codec", "hole_s", "pictures_s", "target"),
    [
        ("s.mp4", "aac", 0.0, (), "a.webm"),
        ("s.mkv", "pcm_s16le", 0.0, (), "a.mp4"),
        ("s.mkv", "aac", 0.2, (), "a.mp4"),
        ("s.mkv", "aac", 0.0, (0.0, 0.04, 1.5), "a.mp4"),
        ("s.ts", "aac", 0.0, (0.0, 0.04), "a.mp4"),
    ],
)
def test_other_sound_is_encoded(
    tmp_path: Path, name: str, codec: str, hole_s: float, pictures_s: tuple[float, ...], target: str
) -> None:
    made = make_sound(tmp_path / name, codec, hole_s, pictures_s)
    container = "webm" if target.endswith("webm") else "mp4"
    with av.open(str(tmp_path / f"o.{container}"), "w", format=container) as output:
        assert CopiedSound.open(made, 0.0, output) is None
    write_video(tmp_path / target, made)
    assert onset_s(tmp_path / target) == pytest.approx(onset_s(made), abs=0.01)


@pytest.mark.parametrize("target", ["a.mp4", "a.webm"])
def test_six_channels_stay_below_full_scale(tmp_path: Path, target: str) -> None:
    made = tmp_path / "s.mkv"
    tone = np.round(26000 * np.sin(np.arange(48000) / 20)).astype(np.int16)  # A peak of 0.8.
    with av.open(str(made), "w") as output:
        sound = output.add_stream("pcm_s16le", rate=48000, layout="5.1")
        chunk = av.AudioFrame.from_ndarray(np.repeat(tone, 6)[None], "s16", "5.1")
        chunk.sample_rate, chunk.pts, chunk.time_base = 48000, 0, Fraction(1, 48000)
        output.mux(sound.encode(chunk))
    write_video(tmp_path / target, made, count=30)
    with av.open(str(tmp_path / target)) as container:
        peaks = [np.abs(frame.to_ndarray()).max() for frame in container.decode(audio=0)]
    assert 0.5 < max(peaks) < 0.95


@pytest.mark.parametrize("target", ["a.mp4", "a.mov", "a.m4v", "a.mkv", "a.webm"])
def test_a_repeated_time_of_the_sound_costs_no_picture(tmp_path: Path, target: str) -> None:
    made = make_sound(tmp_path / "s.mkv", repeats=True)
    write_video(tmp_path / target, made, count=80)
    with av.open(str(tmp_path / target)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 80
    with av.open(str(tmp_path / target)) as container:
        heard_s = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    assert heard_s == pytest.approx(80 / 30, abs=0.1)
    assert onset_s(tmp_path / target) == pytest.approx(onset_s(made), abs=0.07)
