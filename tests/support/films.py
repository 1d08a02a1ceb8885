"""Reading videos back: pictures with their alpha, and when the sound begins."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext


def read_rgba(path: Path) -> np.ndarray:
    """(N, H, W, 4) uint8: the frames of a video. FFmpeg's own VP9 decoder skips alpha; libvpx reads it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.codec_context.name != "vp9":
            return np.stack([frame.to_ndarray(format="rgba") for frame in container.decode(stream)])
        decoder = VideoCodecContext.create("libvpx-vp9", "r")
        frames = []
        for packet in container.demux(stream):
            frames += decoder.decode(packet if packet.size else None)
    return np.stack([frame.to_ndarray(format="rgba") for frame in frames])


def onset_s(path: Path) -> float:
    """When the sound first becomes loud."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.abs(frame.to_ndarray()[0]) > 0.2
            if loud.any():
                return float(frame.time + loud.argmax() / frame.sample_rate)
    raise AssertionError("the file stays silent")
