from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import hdr
from support.sounds import write_wav
from support.takes import film, onsets_s
from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.capture.media import CONVERTS_HDR, LARGEST_SKEW_S, LONGEST_STEP_BACK_S, FileClock, rgb
from visavis.capture.sound import Soundtrack
from visavis.capture.video import VideoFile
from visavis.errors import InputError

DAY_S = 86_400.0


def flashes_and_beeps(path: Path, seconds: float) -> tuple[list[float], list[float], list[float], list[str]]:
    """Times of all pictures, of the first picture of each flash and of each beep, and the notes."""
    with VideoFile(path) as video, Soundtrack(path) as sound:
        frames = list(video)
        samples = np.concatenate([chunk.samples for chunk in sound.until(seconds)])
    bright = np.asarray([frame.image_rgb.mean() > 100 for frame in frames])
    starts = np.flatnonzero(np.diff(bright, prepend=False) & bright)
    times_s = [frame.time_s for frame in frames]
    return times_s, [times_s[i] for i in starts], onsets_s(samples, SPEECH_RATE_HZ), video.notes


def test_joined_takes_go_on_with_pictures_and_sound_in_step(tmp_path: Path) -> None:
    take, joined = film(tmp_path / "take.ts"), tmp_path / "joined.ts"
    joined.write_bytes(3 * take.read_bytes())
    times_s, flashes_s, beeps_s, notes = flashes_and_beeps(joined, 6.5)
    assert len(times_s) == 150
    assert np.diff(times_s).max() < 0.15
    assert times_s[-1] == pytest.approx(5.96, abs=0.15)
    assert flashes_s == pytest.approx([1.0, 3.0, 5.0], abs=0.15)
    assert beeps_s == pytest.approx(flashes_s, abs=0.045)
    assert [note.partition(" at ")[0] for note in notes] == 2 * ["the clock of the file starts again"]


@pytest.mark.parametrize(
    ("name", "gap_s"),
    [
        *(("gap.mkv", gap_s) for gap_s in (400.0, 3 * DAY_S)),
        *(("gap.ts", gap_s) for gap_s in (400.0, DAY_S)),  # Its clock starts again after 26.5 hours.
        *(("gap.mp4", gap_s) for gap_s in (400.0, DAY_S / 5)),  # It holds no longer gap.
    ],
)
def test_a_gap_is_kept_up_to_a_limit(tmp_path: Path, name: str, gap_s: float) -> None:
    path = film(
        tmp_path / name, pictures=lambda t: t + gap_s * (t >= 0.5), sound=lambda t: t + gap_s * (t >= 0.5)
    )
    kept_s = gap_s if gap_s < 600 else 0.0
    times_s, flashes_s, beeps_s, notes = flashes_and_beeps(path, kept_s + 2.5)
    assert len(times_s) == 50
    assert flashes_s == pytest.approx([kept_s + 1.0], abs=0.1)
    assert beeps_s == pytest.approx(flashes_s, abs=0.08)
    assert ["VISAVIS_MAX_GAP_S" in note for note in notes] == ([] if kept_s else [True])


def test_the_longest_gap_can_be_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_MAX_GAP_S", "5")
    path = film(tmp_path / "a.mkv", pictures=lambda t: t + 9 * (t >= 0.5), sound=lambda t: t + 9 * (t >= 0.5))
    assert flashes_and_beeps(path, 3.0)[1] == pytest.approx([1.0], abs=0.1)
    monkeypatch.setenv("VISAVIS_MAX_GAP_S", "long")
    with pytest.raises(InputError, match="VISAVIS_MAX_GAP_S=long: expected a positive number of seconds"):
        VideoFile(path)


def test_sound_whose_packets_repeat_a_time_stays_in_step(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", sound=lambda t: t - 0.072 * (0.45 < t < 0.55))
    _, flashes_s, beeps_s, notes = flashes_and_beeps(path, 2.5)
    assert beeps_s == pytest.approx(flashes_s, abs=0.045)
    assert notes == []


def test_a_gap_in_the_pictures_alone_is_no_gap_of_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISAVIS_MAX_GAP_S", "3")
    path = film(tmp_path / "a.mkv", 8.0, 7.0, pictures=lambda t: t if t < 1 or t > 6.5 else t / 1e3 + 1)
    _, flashes_s, beeps_s, notes = flashes_and_beeps(path, 8.0)
    assert flashes_s == pytest.approx([7.0], abs=0.05)
    assert beeps_s == pytest.approx([7.0], abs=0.05)
    assert notes == []


def packet(stream: int, time_s: float) -> Any:
    """What the clock reads of a packet."""
    ticks = round(time_s * 1000)
    return SimpleNamespace(
        stream_index=stream, pts=ticks, dts=ticks, duration=40, time_base=Fraction(1, 1000)
    )


@given(
    packets=st.lists(
        st.tuples(st.integers(0, 1), st.floats(0, 1e7, allow_nan=False) | st.floats(0, 5)), max_size=60
    )
)
def test_whatever_a_file_says_its_clock_goes_on(packets: list[tuple[int, float]]) -> None:
    clock = FileClock()
    reached_s: float | None = None
    ends_s: dict[int, float] = {}
    for stream, time_s in packets:
        moved = packet(stream, time_s)
        clock.repair(moved)
        now_s = moved.pts / 1000
        if reached_s is not None:
            assert now_s <= reached_s + clock.longest_gap_s + 0.01
        if stream in ends_s:
            assert now_s >= ends_s[stream] - LONGEST_STEP_BACK_S - LARGEST_SKEW_S
        ends_s[stream] = now_s + 0.04
        reached_s = max(now_s + 0.04, reached_s or now_s + 0.04)
    assert len(clock.notes) <= 5


def test_one_wild_packet_moves_nothing_behind_it() -> None:
    clock = FileClock()
    times_s = [0.0, 0.04, 0.08, DAY_S, 0.12, 0.16, 0.2]
    moved = [packet(0, time_s) for time_s in times_s]
    for each in moved:
        clock.repair(each)
    assert [each.pts / 1000 for each in moved] == pytest.approx([0, 0.04, 0.08, 0.12, 0.12, 0.16, 0.2])


def two_videos(path: Path, marked: int) -> Path:
    """Two video streams: 64x48 and 96x64, one of them marked as default."""
    with av.open(str(path), "w") as output:
        streams = []
        for number, (width, height) in enumerate([(64, 48), (96, 64)]):
            stream = output.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.disposition = av.stream.Disposition.default if number == marked else 0
            streams.append(stream)
        for stream in streams:
            output.mux(stream.encode(av.VideoFrame(stream.width, stream.height, "yuv420p")))
            output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("marked", "size"), [(0, (64, 48)), (1, (96, 64))])
def test_of_several_streams_the_default_one_is_read(
    tmp_path: Path, marked: int, size: tuple[int, int]
) -> None:
    with VideoFile(two_videos(tmp_path / "a.mkv", marked)) as video:
        assert video.size == size
        assert video.notes == [f"2 video streams; number {marked + 1} is read, the one marked as default"]


def animated(path: Path) -> Path:
    """Twenty pictures, 40 ms each, that get brighter."""
    pictures = cv2.Animation()
    pictures.frames = [np.full((48, 64, 3), 12 * k, np.uint8) for k in range(20)]
    pictures.durations = np.full(20, 40, np.int32)
    assert cv2.imwriteanimation(str(path), pictures)
    return path


def test_an_animated_webp_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"an animated WebP is not read as a video; save it as MP4$"):
        VideoFile(animated(tmp_path / "a.webp"))


def test_of_an_animated_avif_the_animation_is_read(tmp_path: Path) -> None:
    """Its first stream is a still, and is marked as default, too."""
    with VideoFile(animated(tmp_path / "a.avif")) as video:
        frames = list(video)
        assert not video.notes
    assert [frame.time_s for frame in frames] == pytest.approx([0.04 * k for k in range(20)])
    assert frames[0].image_rgb.mean() + 200 < frames[-1].image_rgb.mean()


def spoiled(path: Path, codec: bytes) -> Path:
    """The file with an unknown codec in place of this one."""
    path.write_bytes(path.read_bytes().replace(codec, b"ZZZZZ"[: len(codec)]))
    return path


def test_a_video_of_an_unknown_codec_is_refused(make_video) -> None:
    path = spoiled(make_video(count=5), b"avc1")
    with pytest.raises(InputError, match=r"clip\.mp4: its video cannot be read: its codec is not known"):
        VideoFile(path)


def test_sound_of_an_unknown_codec_is_refused_and_costs_no_picture(tmp_path: Path) -> None:
    path = spoiled(film(tmp_path / "clip.mov", codec="pcm_s16le"), b"sowt")
    with VideoFile(path) as video:
        assert len(list(video)) == 50
        assert video.notes == ["1 audio stream left out: its codec is not known"]
    with pytest.raises(InputError, match=r"clip\.mov: the sound cannot be read: its codec is not known"):
        Soundtrack(path)


@pytest.mark.parametrize(
    ("channels", "rate_hz", "highest", "told"),
    [
        (1, 500, "768000", "500 samples a second; expected 1000 Hz to 768000 Hz"),
        (
            1,
            16_000,
            "15999",
            r"16000 samples .* to 15999 Hz \(VISAVIS_MAX_SAMPLING_RATE_HZ changes this limit",
        ),
        (9, 16_000, "768000", "9 channels, and does not say which"),
    ],
)
def test_sound_that_cannot_be_mixed_or_resampled_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int, rate_hz: int, highest: str, told: str
) -> None:
    monkeypatch.setenv("VISAVIS_MAX_SAMPLING_RATE_HZ", highest)
    path = tmp_path / "s.wav"
    write_wav(path, bytes(1800), rate_hz, channels)
    with pytest.raises(InputError, match=told):
        Soundtrack(path)


@pytest.mark.parametrize("channels", [1, 2, 6, 8, 10, 16, 24])
def test_sound_of_other_numbers_of_channels_is_heard(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "s.wav"
    write_wav(path, np.full(1600 * channels, 5000, "<i2").tobytes(), channels=channels)
    with Soundtrack(path) as sound:
        assert max(np.abs(chunk.samples).max() for chunk in sound.until(0.1)) > 0.05


@pytest.mark.skipif(not CONVERTS_HDR, reason="this PyAV cannot convert HDR")
@pytest.mark.parametrize(("curve", "primaries"), [(hdr.HLG, hdr.BT2020), (hdr.HLG, 3), (1, 1)])
def test_only_hdr_comes_in_the_colors_of_srgb(curve: int, primaries: int) -> None:
    picture = hdr.frame()
    picture.colorspace, picture.color_range = hdr.BT2020, hdr.LIMITED
    picture.color_trc, picture.color_primaries = curve, primaries
    shown, stored = rgb(picture)[32, 32::64], picture.to_ndarray(format="rgb24")[32, 32::64]
    if primaries == hdr.BT2020:
        assert np.abs(shown - hdr.COLORS).max() <= 8
        assert np.abs(stored - hdr.COLORS).max() > 50
    else:  # SDR, and primaries that are not known.
        assert (shown == stored).all()
