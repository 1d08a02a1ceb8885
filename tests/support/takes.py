"""Films with a beep, whose packets may have any times: joined takes, gaps, repeated times."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE_HZ = 16_000
FPS = 25
BASE = Fraction(1, 90_000)
Times = Callable[[float], float]


def unchanged(time_s: float) -> float:
    """Times as they are."""
    return time_s


def film(
    path: Path,
    seconds: float = 2.0,
    beep_s: float = 1.0,
    pictures: Times = unchanged,
    sound: Times = unchanged,
    codec: str = "mp2",
) -> Path:
    """A film with a beep of 0.1 s; white while it beeps, else black.

    Args:
        path: the file; its ending chooses the container.
        seconds: length.
        beep_s: start of the beep.
        pictures: time in the file of a picture, from its true time.
        sound: the same of a packet of sound.
        codec: of the sound.
    """
    with av.open(str(path), "w") as output:
        video = output.add_stream("mpeg4", rate=FPS)
        video.width, video.height, video.pix_fmt, video.time_base = 64, 48, "yuv420p", BASE
        audio = output.add_stream(codec, rate=RATE_HZ, layout="mono")
        packets: list[tuple[float, av.Packet]] = []
        for index in range(round(seconds * FPS)):
            bright = beep_s <= index / FPS < beep_s + 0.1
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 235 * bright, np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            packets += [(float(p.pts * p.time_base), p) for p in video.encode(frame)]
        packets += [(float(p.pts * p.time_base), p) for p in video.encode(None)]
        time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
        loud = (time_s >= beep_s) & (time_s < beep_s + 0.1)
        samples = (16000 * np.sin(2 * np.pi * 1000 * time_s) * loud).astype(np.int16)[None]
        chunk = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        chunk.sample_rate, chunk.pts = RATE_HZ, 0
        packets += [(float(p.pts * p.time_base), p) for p in [*audio.encode(chunk), *audio.encode(None)]]
        for when_s, packet in sorted(packets, key=lambda each: each[0]):
            moved_s = (pictures if packet.stream is video else sound)(when_s)
            packet.pts = packet.dts = round(moved_s / packet.time_base)
            output.mux(packet)
    return path


def onsets_s(samples: np.ndarray, rate_hz: int) -> list[float]:
    """Where each beep begins."""
    loud = np.flatnonzero(np.abs(samples) > 0.1)
    first = np.diff(loud, prepend=-rate_hz) > rate_hz // 5
    return [float(at) / rate_hz for at in loud[first]]
