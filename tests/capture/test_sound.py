from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.capture.sound import Soundtrack, write_wav
from visavis.errors import InputError


def read(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, SPEECH_RATE_HZ)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float) / 32768


def clicks(path: Path, starts_s: list[float], rate_hz: int = 44100) -> Path:
    """Stereo sound: half a second of noise at each start, nothing between them, as real files have it."""
    noise = (0.3 * np.random.default_rng(0).normal(size=(2, rate_hz // 2))).astype(np.float32)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=rate_hz, layout="stereo")
        for start_s in starts_s:
            frame = av.AudioFrame.from_ndarray(
                (noise * 32767).clip(-32768, 32767).astype(np.int16).T.reshape(1, -1),
                format="s16",
                layout="stereo",
            )
            frame.sample_rate, frame.pts = rate_hz, round(start_s * rate_hz)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def loud(samples: np.ndarray, start_s: float, end_s: float) -> bool:
    part = samples[round(start_s * SPEECH_RATE_HZ) : round(end_s * SPEECH_RATE_HZ)]
    return bool(np.abs(part).max() > 0.05)


def test_a_tone_keeps_pitch_and_length(make_video, tmp_path: Path) -> None:
    source = make_video(count=60, sound_hz=440)
    assert write_wav(source, tmp_path / "a.wav", 0.0, 2.0)
    samples = read(tmp_path / "a.wav")
    assert len(samples) == 32000
    spectrum = np.abs(np.fft.rfft(samples[8000:24000]))
    assert spectrum.argmax() == 440


@pytest.mark.parametrize(("start_s", "at_s"), [(0.0, 1.0), (0.75, 0.25), (-0.5, 1.5)])
def test_sound_stays_beside_the_pictures(tmp_path: Path, start_s: float, at_s: float) -> None:
    source = clicks(tmp_path / "a.mkv", [1.0])
    assert write_wav(source, tmp_path / "a.wav", start_s, 2.5)
    samples = read(tmp_path / "a.wav")
    assert len(samples) == 40000
    assert not loud(samples, 0, at_s - 0.02)
    assert loud(samples, at_s, at_s + 0.02)
    assert loud(samples, at_s + 0.45, at_s + 0.5)
    assert not loud(samples, at_s + 0.52, 2.5)


def test_holes_are_silent_and_what_follows_is_in_time(tmp_path: Path) -> None:
    source = clicks(tmp_path / "a.mkv", [0.0, 2.0])
    write_wav(source, tmp_path / "a.wav", 0.0, 3.0)
    samples = read(tmp_path / "a.wav")
    assert loud(samples, 0, 0.02)
    assert not loud(samples, 0.52, 1.98)
    assert loud(samples, 2.0, 2.02)


def test_sound_is_cut_with_the_pictures(tmp_path: Path) -> None:
    write_wav(clicks(tmp_path / "a.mkv", [0.0]), tmp_path / "a.wav", 0.0, 0.2)
    samples = read(tmp_path / "a.wav")
    assert len(samples) == 3200
    assert loud(samples, 0.18, 0.2)


def tone(path: Path, rate_hz: int, layout: str) -> bytes:
    """A second of 440 Hz as MPEG sound, which may simply be joined."""
    wave_440 = (9000 * np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz)).astype(np.int16)
    channels = 2 if layout == "stereo" else 1
    with av.open(str(path), "w", format="mp2") as output:
        stream = output.add_stream("mp2", rate=rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave_440, channels)[None], "s16", layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path.read_bytes()


def test_rate_and_channels_may_change_on_the_way(tmp_path: Path) -> None:
    source = tmp_path / "joined.mp2"
    parts = [tone(tmp_path / "a.mp2", 44100, "stereo"), tone(tmp_path / "b.mp2", 48000, "mono")]
    source.write_bytes(b"".join(parts))
    write_wav(source, tmp_path / "a.wav", 0.0, 2.0)
    samples = read(tmp_path / "a.wav")
    for start in (4000, 20000):
        assert np.abs(np.fft.rfft(samples[start : start + 8000])).argmax() * 2 == 440


def test_a_silent_video_gives_no_file(make_video, tmp_path: Path) -> None:
    assert not write_wav(make_video(), tmp_path / "a.wav", 0.0, 1.0)
    assert not (tmp_path / "a.wav").exists()


def test_what_cannot_be_opened_or_written_is_named(make_video, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(InputError, match=r"text\.mp4: cannot be opened for its sound"):
        write_wav(tmp_path / "text.mp4", tmp_path / "a.wav", 0.0, 1.0)
    with pytest.raises(InputError, match=r"none/a\.wav: cannot be written"):
        write_wav(make_video(sound_hz=200), tmp_path / "none" / "a.wav", 0.0, 1.0)


def heard(path: Path, *times_s: float) -> tuple[np.ndarray, Soundtrack]:
    """The sound of a file, asked for up to each of the times; it has neither holes nor overlaps."""
    samples = [np.zeros(0)]
    with Soundtrack(path) as sound:
        for time_s in times_s:
            for chunk in sound.until(time_s):
                assert chunk.sample_rate_hz == SPEECH_RATE_HZ
                assert round(chunk.time_s * SPEECH_RATE_HZ) == sum(map(len, samples))
                samples.append(chunk.samples)
            assert sum(map(len, samples)) >= time_s * SPEECH_RATE_HZ or not sound.has_sound
    return np.concatenate(samples), sound


def test_a_soundtrack_is_what_a_wav_file_of_it_holds(tmp_path: Path) -> None:
    source = clicks(tmp_path / "a.mkv", [0.3, 1.5])
    write_wav(source, tmp_path / "a.wav", 0.3, 2.0)  # Without pictures, where its sound starts is time 0.
    samples, sound = heard(source, *(k / 25 for k in range(51)))
    np.testing.assert_allclose(samples[:32000], read(tmp_path / "a.wav"), atol=1e-6)
    assert sound.end_s == pytest.approx(1.7, abs=0.01)


def test_a_soundtrack_runs_in_step_with_the_pictures_and_ends_in_silence(make_video) -> None:
    source = make_video(count=30, sound_hz=440)
    with Soundtrack(source) as sound:
        first = list(sound.until(0.5))
        assert sum(len(chunk.samples) for chunk in first) < 0.7 * SPEECH_RATE_HZ
        assert sound.end_s is None
    samples, sound = heard(source, 1.0, 5.0)
    assert sound.end_s == pytest.approx(1.0, abs=0.15)
    assert loud(samples, 0.5, 0.9)
    assert not loud(samples, 1.2, 5.0)


def test_pictures_that_start_late_take_their_sound_with_them(make_video) -> None:
    source = make_video("late.mkv", times_s=[0.5 + k / 25 for k in range(25)], count=25, sound_hz=440)
    with Soundtrack(source) as sound:
        list(sound.until(5.0))
    # A second of sound from 0, heard from half a second on.
    assert sound.end_s < 0.8


def test_a_soundtrack_of_a_silent_video_is_empty(make_video) -> None:
    samples, sound = heard(make_video(), 2.0)
    assert not sound.has_sound
    assert len(samples) == 0


def test_a_soundtrack_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.wav: no such file; expected a file with sound"):
        Soundtrack(tmp_path / "none.wav")
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(InputError, match=r"text\.wav: cannot be opened for its sound"):
        Soundtrack(tmp_path / "text.wav")


@pytest.mark.parametrize(("hole_s", "kept_s"), [(500.0, 500.0), (9 * 86_400.0, 0.5)])
def test_a_long_hole_takes_no_more_memory_than_a_second_of_sound(
    tmp_path: Path, hole_s: float, kept_s: float
) -> None:
    source = clicks(tmp_path / "a.mkv", [0.0, hole_s])
    with Soundtrack(source) as sound:
        lengths = [len(chunk.samples) for chunk in sound.until(1000.0)]
    assert max(lengths) <= SPEECH_RATE_HZ
    assert sound.end_s == pytest.approx(kept_s + 0.5, abs=0.01)
    assert write_wav(source, tmp_path / "a.wav", 0.0, 3.0)
    assert len(read(tmp_path / "a.wav")) == 3 * SPEECH_RATE_HZ
