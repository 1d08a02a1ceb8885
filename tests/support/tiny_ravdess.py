"""A few files named as RAVDESS's, with sound like speech."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2

from support.sounds import talk, write_wav
from visavis.capture.portrait import PortraitClip
from visavis.types import FloatArray

RATE_HZ, FPS = 16_000, 25
SIZE = (256, 256)


def write_sound(path: Path, sound: FloatArray) -> None:
    """A mono WAV file at 16 kHz."""
    write_wav(path, (sound * 32767).astype("<i2").tobytes(), RATE_HZ)


def write_voices(folder: Path, actors: Sequence[int], seconds: float = 1.2) -> Path:
    """One clip of each emotion by each actor, sound alone."""
    folder.mkdir(exist_ok=True)
    for actor in actors:
        for emotion in range(1, 9):
            sound = talk(seconds, RATE_HZ, seed=100 * actor + emotion)
            write_sound(folder / f"03-01-0{emotion}-01-01-01-{actor:02}.wav", sound)
    return folder


def write_clip(path: Path, sound: FloatArray, count: int = 8) -> None:
    """The embedded portrait with a sound."""
    picture = next(iter(PortraitClip())).image_rgb
    frame = av.VideoFrame.from_ndarray(cv2.resize(picture, SIZE), format="rgb24")
    with av.open(str(path), "w") as output:
        video = output.add_stream("mpeg4", rate=FPS)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        audio = output.add_stream("aac", rate=RATE_HZ, layout="mono")
        for number in range(count):
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            output.mux(video.encode(frame))
        chunk = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        chunk.sample_rate, chunk.pts = RATE_HZ, 0
        output.mux([*audio.encode(chunk), *audio.encode(None), *video.encode(None)])
