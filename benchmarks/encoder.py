"""Time, size and quality of the settings for H.264, on the pictures that ``visavis run --out`` writes.

    python benchmarks/encoder.py clip.mp4 --frames 100

The pictures are composed first and kept in memory (2.5 MB each for a clip of 1280x720). Times are of this
process, in processor milliseconds a picture, the least of ``--rounds`` rounds in turns. PSNR and SSIM are of
the brightness; SSIM is that of Wang et al. 2004, with a Gaussian window of 11 pixels.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from contextlib import closing
from fractions import Fraction
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import cv2
import numpy as np

from visavis.avatar.puppet import Puppet
from visavis.base.files import json_text
from visavis.base.machine import machine, versions
from visavis.capture.video import VideoFile
from visavis.drawing.panels import Composer
from visavis.pipeline import Pipeline
from visavis.recording.video_writer import FAST_H264, H264, planes_of
from visavis.types import FloatArray, ImageArray

SETTINGS: dict[str, Mapping[str, str]] = {
    "veryfast 21": {"preset": "veryfast", "crf": "21"},
    "default": H264,
    "superfast 21": {"preset": "superfast", "crf": "21"},
    "superfast 23": {"preset": "superfast", "crf": "23"},
    "ultrafast 23": {"preset": "ultrafast", "crf": "23"},
    "fast": FAST_H264,
}


def composed(clip: Path, frames: int) -> tuple[list[ImageArray], float]:
    """The pictures as planes (H * 3 / 2, W), and how many a second."""
    pictures, puppet = [], Puppet.load()
    with VideoFile(clip) as source, closing(Pipeline(mirror=False)) as pipeline:
        composer = Composer(source.size)
        width, height = composer.size
        for frame in islice(source, frames):
            moment = pipeline.step(frame)
            image = composer.compose(moment, puppet.draw(moment.pose, composer.avatar_px))
            pictures.append(planes_of(image, np.empty((height * 3 // 2, width), np.uint8)))
        return pictures, source.fps


def encode(pictures: list[ImageArray], fps: float, options: Mapping[str, str], path: Path) -> float:
    """Write a video; processor seconds of the encoder."""
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = pictures[0].shape[0] * 2 // 3, pictures[0].shape[1]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count, stream.codec_context.max_b_frames = 1, 0
        stream.codec_context.options = dict(options)
        spent_s = 0.0
        for index, planes in enumerate([*pictures, None]):
            frame = None if planes is None else av.VideoFrame.from_numpy_buffer(planes, format="yuv420p")
            if frame is not None:
                frame.pts = index
            before_s = time.process_time()
            packets = stream.encode(frame)
            spent_s += time.process_time() - before_s
            output.mux(packets)
        return spent_s


def quality(pictures: list[ImageArray], path: Path) -> dict[str, float]:
    """PSNR and SSIM of the brightness of a video."""
    squares, likeness = [], []
    with av.open(str(path)) as container:
        for planes, frame in zip(pictures, container.decode(video=0), strict=True):
            here = frame.to_ndarray()[: frame.height].astype(np.float32)
            there = planes[: frame.height].astype(np.float32)
            squares.append(float(((here - there) ** 2).mean()))
            likeness.append(ssim(here, there))
    psnr_db = 10 * np.log10(255**2 / np.mean(squares))
    return {"psnr_db": round(float(psnr_db), 2), "ssim": round(float(np.mean(likeness)), 4)}


def ssim(a: FloatArray, b: FloatArray) -> float:
    """Structural similarity of two pictures (H, W) in 0..255."""

    def mean(x: FloatArray) -> FloatArray:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5), np.float32)

    mean_a, mean_b = mean(a), mean(b)
    variances = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2
    shared = mean(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_a * mean_b + c1) * (2 * shared + c2)
    return float((likeness / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))).mean())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    pictures, fps = composed(options.clip, options.frames)
    spent_s: dict[str, list[float]] = {name: [] for name in SETTINGS}
    rows: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for name, settings in SETTINGS.items():
                path = Path(folder) / "video.mp4"
                spent_s[name].append(encode(pictures, fps, settings, path))
                kilobytes = path.stat().st_size / 1e3 * fps / len(pictures)
                if name not in rows:
                    rows[name] = {"kb_per_s": round(kilobytes, 1), **quality(pictures, path)}
    for name, row in rows.items():
        row["cpu_ms"] = round(1e3 * min(spent_s[name]) / len(pictures), 2)
    size = pictures[0].shape[1], pictures[0].shape[0] * 2 // 3
    result = {"machine": machine(), "versions": versions(), "clip": options.clip.name, "size": size}
    print(json_text({**result, "settings": rows}))


if __name__ == "__main__":
    main()
