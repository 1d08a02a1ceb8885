"""CPU time of tracking a frame at several picture sizes, compared with MediaPipe in the same run.

    python benchmarks/tracker.py CLIP.mp4 ... --heights 480 720 1080 --out benchmarks/results/tracker.json

Needs the extra ``mediapipe`` and VISAVIS_FACE_LANDMARKER (docs/how-to/mediapipe.md). Both trackers see the
same frames, scaled to each height, in turn for each frame. The embedded tracker runs on one thread. Times are
CPU time of the whole process, with all threads. ``visavis evaluate face CLIPS`` measures their agreement.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from visavis.base.console import print_error
from visavis.base.files import write_json
from visavis.base.machine import machine, versions
from visavis.capture.video import VideoFile
from visavis.errors import InputError, VisavisError
from visavis.face.embedded import EmbeddedTracker
from visavis.face.mediapipe import MediaPipeTracker
from visavis.types import Frame

WARM_UP_FRAMES = 10


def scaled(frame: Frame, height: int) -> Frame:
    """The frame at another height."""
    factor = height / frame.image_rgb.shape[0]
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    image = cv2.resize(frame.image_rgb, None, fx=factor, fy=factor, interpolation=how)
    return Frame(np.asarray(image, np.uint8), frame.time_s, frame.index)


def compare(path: Path, height: int, most_frames: int) -> dict[str, object]:
    """Run both trackers over one clip at one height."""
    trackers = {"visavis": EmbeddedTracker(), "mediapipe": MediaPipeTracker()}
    spent_ms: dict[str, list[float]] = {name: [] for name in trackers}
    with VideoFile(path) as video:
        for frame in video:
            if frame.index >= most_frames:
                break
            picture = scaled(frame, height)
            for name, tracker in trackers.items():
                start_s = time.process_time()
                tracker.update(picture)
                spent_ms[name].append(1e3 * (time.process_time() - start_s))
    trackers["mediapipe"].close()
    if (count := len(spent_ms["visavis"])) <= WARM_UP_FRAMES:
        raise InputError(f"{path}: {count} frames; expected more than the {WARM_UP_FRAMES} of the warm-up")
    ours, theirs = (np.percentile(spent_ms[name][WARM_UP_FRAMES:], (50, 95)) for name in trackers)
    return {
        "size": list(picture.image_rgb.shape[1::-1]),
        "frames": count,
        "visavis_ms": {"p50": round(ours[0], 2), "p95": round(ours[1], 2)},
        "mediapipe_ms": {"p50": round(theirs[0], 2), "p95": round(theirs[1], 2)},
        "ratio": round(ours[0] / theirs[0], 3),
    }


def main() -> None:
    """Compare on every clip at every height, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--heights", type=int, nargs="+", default=[480, 720, 1080])
    parser.add_argument("--frames", type=int, default=100, help="most frames of a clip")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"{'clip':28}{'size':>12}{'ours ms':>9}{'peer ms':>9}{'ratio':>7}")
    clips: dict[str, dict[str, dict[str, object]]] = {}
    for path in args.clips:
        for height in args.heights:
            found = compare(path, height, args.frames)
            clips.setdefault(path.stem, {})[str(height)] = found
            size = "x".join(map(str, found["size"]))
            ours, peer = found["visavis_ms"]["p50"], found["mediapipe_ms"]["p50"]
            print(f"{path.stem:28}{size:>12}{ours:9.2f}{peer:9.2f}{found['ratio']:7.2f}", flush=True)
    medians = {
        str(height): round(float(np.median([clip[str(height)]["ratio"] for clip in clips.values()])), 3)
        for height in args.heights
    }
    print("median ratio by height:", medians)
    if args.out:
        result = {"machine": machine(), "versions": versions(), "median_ratio": medians, "clips": clips}
        write_json(args.out, result)


if __name__ == "__main__":
    try:
        main()
    except VisavisError as error:
        print_error(str(error))
        sys.exit(2)
