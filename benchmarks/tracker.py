"""Videos in; how the embedded tracker agrees with MediaPipe's on them, and how long each takes, out.

    python benchmarks/tracker.py CLIP.mp4 ... --out benchmarks/results/tracker.json

Needs the extra ``mediapipe`` and VISAVIS_FACE_LANDMARKER (docs/how-to/mediapipe.md). Both trackers run
unsmoothed over the same decoded frames, in turn for each frame; the embedded one runs on one thread.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from visavis.capture.video import VideoFile
from visavis.clock import SystemClock
from visavis.face.embedded import EmbeddedTracker
from visavis.face.mediapipe import MediaPipeTracker
from visavis.machine import machine, versions
from visavis.types import FloatArray, Frame

# A weight counts as moving where the peer's standard deviation exceeds this.
MOVING = 0.03
WARM_UP_FRAMES = 10


def percentiles(times_ms: list[float]) -> dict[str, float]:
    """Median and 95th percentile after the warm-up."""
    p50, p95 = np.percentile(times_ms[WARM_UP_FRAMES:], (50, 95))
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2)}


def compare(path: Path) -> dict[str, object]:
    """Run both trackers over one clip."""
    clock = SystemClock()
    trackers = {"visavis": EmbeddedTracker(smooth=False), "mediapipe": MediaPipeTracker(smooth=False)}
    states: dict[str, list[FloatArray]] = {name: [] for name in trackers}
    times_ms: dict[str, list[float]] = {name: [] for name in trackers}
    with VideoFile(path) as video:
        for frame in video:
            for name, tracker in trackers.items():
                start_s = clock.now_s()
                faces = tracker.update(Frame(frame.image_rgb, frame.time_s, frame.index))
                times_ms[name].append(1e3 * (clock.now_s() - start_s))
                states[name].append(faces[0].state.values if faces else np.full(58, np.nan, np.float32))
    trackers["mediapipe"].close()
    ours, theirs = (np.stack(states[name]) for name in ("visavis", "mediapipe"))
    there = np.isfinite(theirs[:, 0])
    both = there & np.isfinite(ours[:, 0])
    a, b = ours[both], theirs[both]
    moving = np.flatnonzero((b[:, :52].std(axis=0) > MOVING) & (a[:, :52].std(axis=0) > 0))
    r = [float(np.corrcoef(a[:, c], b[:, c])[0, 1]) for c in moving]
    turn = np.degrees(np.abs(a[:, 52:55] - b[:, 52:55]).mean(axis=0))
    return {
        "frames": len(ours),
        "found_of_peer": round(float(both.sum() / max(there.sum(), 1)), 4),
        "found_beyond_peer": int((np.isfinite(ours[:, 0]) & ~there).sum()),
        "r": round(float(np.mean(r)), 3),
        "moving": len(r),
        "yaw_deg": round(float(turn[0]), 2),
        "pitch_deg": round(float(turn[1]), 2),
        "roll_deg": round(float(turn[2]), 2),
        "translation_cm": round(float(np.abs(a[:, 55:] - b[:, 55:]).mean()), 2),
        "visavis_ms": percentiles(times_ms["visavis"]),
        "mediapipe_ms": percentiles(times_ms["mediapipe"]),
    }


def main() -> None:
    """Compare on every clip, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    clips = {path.stem: compare(path) for path in args.clips}
    print(f"{'clip':28}{'frames':>7}{'found':>8}{'r':>7}{'yaw':>6}{'pitch':>6}{'ours ms':>9}{'peer ms':>9}")
    for name, c in clips.items():
        ours, peer = c["visavis_ms"], c["mediapipe_ms"]
        print(
            f"{name:28}{c['frames']:7}{c['found_of_peer']:8.3f}{c['r']:7.3f}{c['yaw_deg']:6.1f}"
            f"{c['pitch_deg']:6.1f}{ours['p50']:9.2f}{peer['p50']:9.2f}"
        )
    if args.out:
        result = {"machine": machine(), "versions": versions(), "clips": clips}
        args.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
