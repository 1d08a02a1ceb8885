"""Time for each frame, and memory, of the embedded listener with a recorded person.

    visavis run talk.mp4 --track talk.npz
    export OMP_NUM_THREADS=1
    python benchmarks/listener.py talk.npz talk.mp4 --minutes 60 --out benchmarks/results/listener_speed.json

A frame is everything from a face and 40 ms of sound to the listener's face: speech features, the speaker's
token, the network, the draw, the decoded face. The recording is played again and again, on one thread. With
ten listeners, all ten hear the same. Growth is the increase of the peak resident memory after one minute.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from visavis.base.files import json_text, write_json
from visavis.base.machine import machine, versions
from visavis.capture.sound import Soundtrack
from visavis.reaction.clip import faces_at_25_hz, start_of
from visavis.reaction.listener import ListenerModel
from visavis.reaction.speech import FRAME_RATE_HZ, SpeechReader
from visavis.track import Track
from visavis.types import AudioChunk

RATE_HZ = 16_000
BLOCK = RATE_HZ // FRAME_RATE_HZ


def recording(track: Path, audio: Path) -> tuple[np.ndarray, np.ndarray]:
    """(T, 58) faces and (T, 640) sound of the frames that have both."""
    person = Track.load(track)
    face = faces_at_25_hz(person)
    with Soundtrack(audio) as sound:
        end_s = start_of(person) + len(face) / FRAME_RATE_HZ
        samples = np.concatenate([chunk.samples for chunk in sound.until(end_s)])
    count = min(len(face), len(samples) // BLOCK)
    return face[:count], samples[: count * BLOCK].reshape(count, BLOCK)


def most_kb() -> int:
    """The most resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def play(listener: ListenerModel, face: np.ndarray, sound: np.ndarray, count: int, frames: int) -> dict:
    """Times of a frame in milliseconds, and the growth of memory in MB."""
    stream, reader = listener.start(seed=1, samples=count), SpeechReader(0.0)
    took, start_kb = np.ones(frames), 0  # Written to now: its memory is no growth.
    for frame in range(frames):
        row = frame % len(face)
        chunk = AudioChunk(sound[row], RATE_HZ, frame / FRAME_RATE_HZ)
        start_s = time.perf_counter()
        (speech,) = reader.push(chunk)
        stream.faces(stream.step(face[row], speech))
        took[frame] = (time.perf_counter() - start_s) * 1e3
        if frame == min(60 * FRAME_RATE_HZ, frames // 2):
            start_kb = most_kb()
    return {
        "frames": frames,
        "p50_ms": round(float(np.percentile(took, 50)), 2),
        "p95_ms": round(float(np.percentile(took, 95)), 2),
        "grown_mb": round((most_kb() - start_kb) / 1024, 2),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("track", type=Path, help="of visavis run --track")
    parser.add_argument("audio", type=Path, help="the video that it is of, or its sound")
    parser.add_argument("--minutes", type=float, default=2.0, help="of stream, with one listener")
    parser.add_argument("--out", type=Path, help="JSON")
    args = parser.parse_args()
    face, sound = recording(args.track, args.audio)
    listener = ListenerModel.default()
    frames = round(args.minutes * 60 * FRAME_RATE_HZ)
    result = {
        "one_listener": play(listener, face, sound, 1, frames),
        "ten_listeners": play(listener, face, sound, 10, min(frames, 1500)),
        "machine": machine(),
        "versions": versions(),
    }
    print(json_text(result))
    if args.out:
        write_json(args.out, result)


if __name__ == "__main__":
    main()
