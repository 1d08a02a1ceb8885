"""Accuracy of voice activity and pitch on real speech, and the time for each frame.

    python benchmarks/speech.py grid_s1_av.tar ravdess_speech_16k.tar --out benchmarks/results/speech.json

Voice activity is compared with GRID's word alignments (a row is speech if its middle lies in a word), on the
second half of the clips in the order of their names. The detector's three numbers were fitted on the first
half. The clips follow each other in one stream. Noise has a ratio to the power of the rows with words.
The WebRTC detector runs in the same run, if the package webrtcvad-wheels is installed. Pitch is the median of
voiced rows for each speaker of RAVDESS, calm and neutral clips. Times are for one thread.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import tarfile
import time
from pathlib import Path

import av
import numpy as np
from threadpoolctl import threadpool_limits

from visavis.base.files import json_text, write_json
from visavis.base.machine import machine, versions
from visavis.base.waveform import mono
from visavis.reaction.spectrum import HISTORY, spectra
from visavis.reaction.speech import SPEECH_CHANNELS, SpeechReader, speech_features, speech_samples
from visavis.types import AudioChunk

BLOCK = 640
UNIT_S = 1 / 25_000  # GRID's alignments.
CONDITIONS = {"clean": None, "white 10 dB": 10.0, "pink 10 dB": 10.0, "pink 0 dB": 0.0}
SPEECH, VOICED = SPEECH_CHANNELS.index("speech"), SPEECH_CHANNELS.index("voiced")


def sound_of(data: bytes) -> np.ndarray:
    """A file's sound at 16 kHz."""
    with av.open(io.BytesIO(data)) as container:
        rate_hz = container.streams.audio[0].rate
        to_float = av.AudioResampler(format="fltp")
        frames = [part for frame in container.decode(audio=0) for part in to_float.resample(frame)]
    return speech_samples(mono(np.concatenate([frame.to_ndarray().T for frame in frames])), rate_hz)


def grid(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Sound of the second half of the clips, and for each frame whether its middle lies in a word."""
    sounds, words = [], []
    with tarfile.open(path) as tar:
        files = {Path(name).name: name for name in tar.getnames()}
        clips = sorted(name.removesuffix(".align") for name in files if name.endswith(".align"))
        for clip in clips[len(clips) // 2 :]:
            sound = sound_of(tar.extractfile(files[f"{clip}.mp4"]).read())
            middles_s = (np.arange(len(sound) // BLOCK) + 0.5) / 25
            inside = np.zeros(len(middles_s), bool)
            for line in tar.extractfile(files[f"{clip}.align"]).read().decode().splitlines():
                start, end, word = line.split()
                if word not in ("sil", "sp"):
                    inside |= (middles_s >= int(start) * UNIT_S) & (middles_s < int(end) * UNIT_S)
            sounds.append(sound)
            words.append(inside)
    return np.concatenate(sounds), np.concatenate(words)


def with_noise(sound: np.ndarray, words: np.ndarray, name: str, ratio_db: float | None) -> np.ndarray:
    """Sound and noise, seeded."""
    if ratio_db is None:
        return sound
    noise = np.random.default_rng(0).normal(size=len(sound))
    if name.startswith("pink"):
        spectrum = np.fft.rfft(noise)
        noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 200)), len(sound))
    power = np.mean(sound[np.repeat(words, BLOCK)] ** 2)
    return (sound + noise * np.sqrt(power / np.mean(noise**2)) * 10 ** (-ratio_db / 20)).astype(np.float32)


def agreement(speech: np.ndarray, words: np.ndarray) -> dict[str, float]:
    """Shares in percent: of all rows that agree, of words that are found, of the rest that is left alone."""
    shares = {"agree": speech == words, "of_words": speech[words], "of_rest": ~speech[~words]}
    return {name: round(100 * float(share.mean()), 1) for name, share in shares.items()}


def webrtc(sound: np.ndarray, aggressiveness: int) -> np.ndarray:
    """Rows either of whose two halves WebRTC's detector takes for speech."""
    import webrtcvad  # Not among our dependencies.

    detector = webrtcvad.Vad(aggressiveness)
    halves = (np.clip(sound, -1, 1) * 32767).astype("<i2").reshape(-1, BLOCK // 2)
    return (
        np.array([detector.is_speech(half.tobytes(), 16_000) for half in halves]).reshape(-1, 2).any(axis=1)
    )


def activity(path: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Agreement by condition and detector."""
    sound, words = grid(path)
    result = {}
    for name, ratio_db in CONDITIONS.items():
        heard = with_noise(sound, words, name, ratio_db)
        result[name] = {"ours": agreement(speech_features(heard, 16_000)[:, SPEECH] > 0.5, words)}
        if importlib.util.find_spec("webrtcvad"):
            for mode in (2, 3):
                result[name][f"webrtc, mode {mode}"] = agreement(webrtc(heard, mode), words)
    return result


def pitch(path: Path) -> dict[str, dict[str, float]]:
    """Of the speakers' medians, by sex: the range, and the share of voiced rows over .7 octaves away."""
    by_speaker: dict[int, list[np.ndarray]] = {}
    with tarfile.open(path) as tar:
        for name in sorted(tar.getnames()):
            fields = Path(name).stem.split("-")
            if len(fields) != 7 or fields[2] not in ("01", "02"):
                continue
            sound = sound_of(tar.extractfile(name).read())
            voiced = speech_features(sound, 16_000)[:, VOICED] > 0.5
            f0_hz = spectra(np.pad(sound, (HISTORY, 0))).f0_hz
            by_speaker.setdefault(int(fields[6]), []).append(f0_hz[voiced])
    result = {}
    for sex, odd in (("men", 1), ("women", 0)):
        own = [np.concatenate(rows) for speaker, rows in by_speaker.items() if speaker % 2 == odd]
        medians = [float(np.median(f0_hz)) for f0_hz in own]
        octaves = np.concatenate([np.log2(f0_hz / np.median(f0_hz)) for f0_hz in own])
        result[sex] = {
            "speakers": len(own),
            "rows": len(octaves),
            "lowest_median_hz": round(min(medians)),
            "highest_median_hz": round(max(medians)),
            "far_percent": round(100 * float((np.abs(octaves) > 0.7).mean()), 1),
        }
    return result


def speed() -> dict[str, dict[str, float]]:
    """Milliseconds for the 40 ms of a frame, wall clock and CPU."""
    noise = np.random.default_rng(0).normal(0, 0.05, 192_000).astype(np.float32)
    result = {}
    for rate_hz in (16_000, 44_100, 48_000, 192_000):
        reader, size = SpeechReader(), rate_hz // 25
        wall_s, cpu_s = [], []
        for index in range(1000):
            start = index * size % (len(noise) - size)
            chunk = AudioChunk(noise[start : start + size], rate_hz, index / 25)
            began_s, began_cpu_s = time.perf_counter(), time.thread_time()
            reader.push(chunk)
            cpu_s.append(time.thread_time() - began_cpu_s)
            wall_s.append(time.perf_counter() - began_s)
        result[f"{rate_hz} Hz"] = {
            "p50": round(1e3 * float(np.median(wall_s[50:])), 3),
            "p95": round(1e3 * float(np.percentile(wall_s[50:], 95)), 3),
            "cpu_p50": round(1e3 * float(np.median(cpu_s[50:])), 3),
        }
    return result


def main() -> None:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("grid", type=Path, help="GRID's clips and alignments (.tar)")
    parser.add_argument("ravdess", type=Path, help="RAVDESS's speech (.tar)")
    parser.add_argument("--note", help="about the machine's state, for the result")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with threadpool_limits(1):
        result = {
            "note": args.note,
            "activity_percent": activity(args.grid),
            "pitch": pitch(args.ravdess),
            "frame_ms": speed(),
            "machine": machine(),
            "versions": versions(),
        }
    print(json_text(result))
    if args.out:
        write_json(args.out, result)


if __name__ == "__main__":
    main()
