"""What a corpus costs: processor time of each step, and the time with one and with two workers.

    python benchmarks/corpus.py CALL.mp4 [--seconds 120] [--rounds 3] [--engines local ray] [--out R.json]

CALL shows two people side by side; it is repeated forwards and backwards. Engines and numbers of workers
alternate in each round, so that a busy computer disturbs them alike; the speed-up is a ratio within a round.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np

from visavis.base.console import print_note
from visavis.base.files import json_text, write_json
from visavis.base.machine import machine, versions
from visavis.base.ray_cluster import import_ray, ray_started
from visavis.capture.video import VideoFile
from visavis.corpus.build import build_corpus, plan
from visavis.corpus.engines import open_engine
from visavis.corpus.job import finish
from visavis.corpus.recording import CorpusSettings, list_recordings
from visavis.corpus.watching import Worker, watch_segment

SEGMENT_S = 10.0
FPS = 25
CLIPS = 20
CLIP_S = 8


def write_call(source: Path, target: Path, seconds: float) -> Path:
    """The source, there and back, as a video with a key frame every two seconds."""
    with VideoFile(source) as video:
        pictures = [frame.image_rgb for frame, _ in zip(video, range(300), strict=False)]
    pictures += pictures[::-1]
    with av.open(str(target), "w") as output:
        stream = output.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "g": str(2 * FPS)})
        stream.height, stream.width = (side // 2 * 2 for side in pictures[0].shape[:2])
        stream.pix_fmt = "yuv420p"
        for number in range(round(seconds * FPS)):
            picture = pictures[number % len(pictures)][: stream.height, : stream.width]
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    return target


def processor_s(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor time of a call in this process, and its result."""
    start_s = time.process_time()
    result = work()
    return time.process_time() - start_s, result


def measure_steps(call: Path, folder: Path) -> dict[str, float]:
    """Processor time of planning, watching and finishing short clips, and of a worker's start."""
    clips = [write_call(call, folder / "clip0.mp4", CLIP_S)]
    for number in range(1, CLIPS):
        clips.append(folder / f"clip{number}.mp4")
        clips[-1].write_bytes(clips[0].read_bytes())
    recordings = list_recordings(clips, "train", pairs=False)
    settings = CorpusSettings(parquet=True)
    plan_s, todo = processor_s(lambda: plan(folder / "steps", recordings, settings))
    start_s, worker = processor_s(Worker)
    watch_s, finish_s = 0.0, 0.0
    for job in todo.jobs[:3]:
        watch_s += processor_s(lambda job=job: watch_segment(job, 0, worker, lambda: None))[0] / 3
        finish_s += processor_s(lambda job=job: finish(job))[0] / 3
    people_frames = 2 * CLIP_S * FPS
    return {
        "plan_ms_per_clip": round(1e3 * plan_s / CLIPS, 2),
        "worker_start_s": round(start_s, 2),
        "watch_ms_per_person_and_frame": round(1e3 * watch_s / people_frames, 2),
        "finish_ms_per_clip": round(1e3 * finish_s, 2),
        "finish_ms_per_second_of_call": round(1e3 * finish_s / CLIP_S, 2),
    }


def ray_task_ms(count: int = 2000) -> float:
    """Wall time that Ray Data needs for a task that does nothing, on one processor."""
    ray = import_ray("ray.data", "this measurement")
    with ray_started(ray, None, 1):
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = ray.data.from_items([{"n": n} for n in range(count)], override_num_blocks=count)
        start_s = time.perf_counter()
        for _ in rows.map(lambda row: row, compute=ray.data.TaskPoolStrategy(1), num_cpus=1).iter_rows():
            pass
        return round(1e3 * (time.perf_counter() - start_s) / count, 2)


def build_s(engine: str, jobs: int, call: Path, root: Path) -> float:
    """Wall time between two finished segments in the middle of a build: slope of the best line.

    The first segments have the start of the workers in them. Ray tells of a segment when the next one is
    ready, and of the last two together.
    """
    todo = plan(root, list_recordings([call], "train", pairs=False), CorpusSettings(segment_s=SEGMENT_S))
    ends_s: list[float] = []
    build_corpus(todo, open_engine(engine, jobs), lambda _: ends_s.append(time.perf_counter()))
    frames = [segment.frames or 0 for segment in todo.jobs[0].segments]
    if len(ends_s) > len(frames):  # One engine tells of each frame.
        ends_s = [ends_s[sum(frames[: n + 1]) - 1] for n in range(len(frames)) if frames[n]]
    middle_s = ends_s[1:-2]
    return float(np.polyfit(range(len(middle_s)), middle_s, 1)[0])


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("call", type=Path)
    parser.add_argument("--seconds", type=float, default=120.0, help="length of the call")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="*", default=["local", "ray"], choices=["local", "ray"])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        steps = measure_steps(given.call, folder)
        if "ray" in given.engines:
            steps["ray_ms_per_task"] = ray_task_ms()
        print_note(str(steps))
        call = write_call(given.call, folder / "call.mp4", given.seconds)
        times: dict[str, dict[str, list[float]]] = {engine: {"1": [], "2": []} for engine in given.engines}
        for turn in range(given.rounds):
            for engine in given.engines:
                for jobs in (1, 2):
                    root = folder / f"{engine}{jobs}{turn}"
                    times[engine][str(jobs)].append(round(build_s(engine, jobs, call, root), 2))
                print_note(f"round {turn + 1}, {engine}: {times[engine]}, load {os.getloadavg()[0]:.1f}")
    speed_up = {
        engine: round(median(a / b for a, b in zip(found["1"], found["2"], strict=True)), 2)
        for engine, found in times.items()
    }
    result = {
        "steps": steps,
        "seconds_per_segment": times,
        "speed_up_of_two_workers": speed_up,
        "load_average": os.getloadavg()[0],
        "machine": machine(),
        "versions": versions(),
    }
    print(json_text(result))
    if given.out:
        write_json(given.out, result)


if __name__ == "__main__":
    main()
