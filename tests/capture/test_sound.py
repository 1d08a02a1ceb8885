from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from visavis.capture.sound import write_wav
from visavis.errors import InputError
from visavis.waveform import SPEECH_RATE_HZ


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
