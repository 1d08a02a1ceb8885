"""Speed of the outputs: samples at 60 Hz, receivers that vanish, and the cost of ``visavis run``.

    python benchmarks/outputs.py T.npz --seconds 600 --clip clip.mp4 --out benchmarks/results/outputs.json

A receiver in a process of its own counts the datagrams of each UDP format, and stands in for VTube Studio.
Halfway it is killed, and two seconds later a new one listens; what VTube Studio misses in between does not
count as dropped. The output ``nothing`` has no work: its p95 is how long the system takes to wake a thread.
``--seconds 60`` tells as much on a quiet machine. With ``--clip``, the processor time of
``visavis run --track`` is measured with all outputs and without any, in turns.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from visavis.avatar.parameters import Animator
from visavis.base.files import json_text, write_json
from visavis.base.machine import machine, versions
from visavis.outputs import Sample, Sender, open_outputs
from visavis.track import Track
from visavis.types import FaceState

RATE_HZ = 60
DOWN_S = 2.0
FORMATS = ("osf", "livelink", "vmc", "vrchat")
NAMES = (*FORMATS, "vts")
# `visavis run --track --send` in the same real time, with no output.
PACED = """
from contextlib import nullcontext
from visavis.__main__ import main
from visavis.outputs import registry
from visavis.recording import record

at_once = record.record_source
registry.open_outputs = lambda addresses: nullcontext(())
record.record_source = lambda *given, **named: at_once(*given, **named | {"real_time": True})
main()
"""


def free_port(kind: int) -> int:
    """A port that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Nothing:
    """A receiver without work: its times are those in which the system wakes a thread up."""

    repeat_s: float | None = None
    waits = 4
    at_once = False

    def open(self) -> None:
        """Nothing."""

    def send(self, sample: Sample) -> str:
        """Nothing."""
        return ""

    def close(self) -> None:
        """Nothing."""


class Seen:
    """What the receivers' process has got, in memory that both processes share."""

    def __init__(self) -> None:
        self._counts = multiprocessing.RawArray("q", len(NAMES))
        self._at_s = multiprocessing.RawArray("d", len(NAMES))

    def add(self, name: str, count: int = 1) -> None:
        """Count datagrams or injections."""
        self._counts[NAMES.index(name)] += count
        self._at_s[NAMES.index(name)] = time.monotonic()

    def count(self, name: str) -> int:
        """How many came."""
        return int(self._counts[NAMES.index(name)])

    def at_s(self, name: str) -> float:
        """When the last one came."""
        return float(self._at_s[NAMES.index(name)])


def receive(ports: dict[str, int], studio: int, seen: Seen, ready: Any) -> None:
    """Count datagrams and injections until killed."""
    from visavis.testing import FakeVTubeStudio

    waiting = selectors.DefaultSelector()
    for name, port in ports.items():
        each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        each.bind(("127.0.0.1", port))
        waiting.register(each, selectors.EVENT_READ, name)
    with FakeVTubeStudio(port=studio) as fake:
        ready.set()
        before = 0
        while True:
            for key, _ in waiting.select(0.02):
                key.fileobj.recv(65536)  # type: ignore[union-attr]
                seen.add(key.data)
            if len(fake.injected) > before:
                seen.add("vts", len(fake.injected) - before)
                before = len(fake.injected)


def samples_of(track: Track) -> list[Sample]:
    """What an output gets of each row of a track."""
    animator, samples = Animator(mirror=False), []
    for index, found in enumerate(track.found):
        time_s = float(track.time_s[index])
        state = FaceState(track.face[index]) if found else None
        samples.append(Sample(time_s, state, animator.update(state, None, time_s)))
    return samples


def flow(track: Track, seconds: float) -> dict[str, Any]:
    """Samples sent, dropped and received, and the sender's times, with one restart of the receivers."""
    ports = {name: free_port(socket.SOCK_DGRAM) for name in FORMATS}
    studio = free_port(socket.SOCK_STREAM)
    addresses = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
    addresses["vts"] = f"vts://127.0.0.1:{studio}"
    samples = samples_of(track)
    seen, ready, load = Seen(), multiprocessing.Event(), [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as config:
        os.environ["VISAVIS_CONFIG"] = config

        def begin() -> multiprocessing.Process:
            process = multiprocessing.Process(target=receive, args=(ports, studio, seen, ready), daemon=True)
            process.start()
            return process

        receiver = begin()
        ready.wait()
        stack = ExitStack()
        senders = dict(zip(addresses, stack.enter_context(open_outputs([*addresses.values()])), strict=True))
        senders["nothing"] = stack.enter_context(Sender("nothing", Nothing()))
        time.sleep(2.0)  # VTube Studio asks its person first.
        calls_s, back_s, restart_s = [], {}, 0.0
        late_s, down = [], 0
        count, half = round(seconds * RATE_HZ), round(seconds * RATE_HZ / 2)
        start_s = time.monotonic()
        for number in range(count):
            due_s = start_s + number / RATE_HZ
            time.sleep(max(0.0, due_s - time.monotonic()))
            late_s.append(time.monotonic() - due_s)
            if number == half:
                receiver.kill()
                down = senders["vts"].status.dropped
            if number == half + round(DOWN_S * RATE_HZ):
                receiver = begin()
                restart_s = time.monotonic()
            before_s = time.perf_counter()
            for sender in senders.values():
                sender.send(samples[number % len(samples)])
            calls_s.append(time.perf_counter() - before_s)
            if restart_s and len(back_s) < len(NAMES):
                for name in set(NAMES) - set(back_s):
                    if seen.at_s(name) > restart_s:
                        back_s[name] = round(time.monotonic() - restart_s, 2)
                down_until = senders["vts"].status.dropped
        time.sleep(0.5)
        load.append(os.getloadavg()[0])
        statuses = {name: sender.status for name, sender in senders.items()}
        stack.close()
        receiver.kill()
    return {
        "seconds": seconds,
        "rate_hz": RATE_HZ,
        "load_average": [round(each, 2) for each in load],
        "benchmark_late_ms": spread(late_s),
        "send_all_ms": spread(calls_s),
        "outputs": {
            name: {
                "samples": count,
                "sent": status.sent,
                "dropped": status.dropped - (down_until - down if name == "vts" else 0),
                "p95_ms": round(status.p95_ms, 3),
                "received": seen.count(name) if name in NAMES else None,
                "back_after_s": back_s.get(name),
            }
            for name, status in statuses.items()
        },
    }


def spread(times_s: list[float]) -> dict[str, float]:
    """Percentiles of times, in milliseconds."""
    return {f"p{part}": round(1e3 * float(np.percentile(times_s, part)), 3) for part in (50, 95, 99)}


def cost(clip: Path, rounds: int) -> dict[str, Any]:
    """Processor seconds of ``visavis run --track`` with all outputs, and without any.

    ``paced`` is without outputs in real time, as a camera's frames come: that costs more than to read a file
    as fast as possible. The receivers are in a process of their own, which is not counted.
    """
    ports = {name: free_port(socket.SOCK_DGRAM) for name in FORMATS}
    studio = free_port(socket.SOCK_STREAM)
    addresses = [f"{name}://127.0.0.1:{port}" for name, port in ports.items()]
    send = [part for each in (*addresses, f"vts://127.0.0.1:{studio}") for part in ("--send", each)]
    seconds: dict[str, list[float]] = {"without": [], "paced": [], "with": []}
    lasted_s: dict[str, float] = {}
    seen, ready = Seen(), multiprocessing.Event()
    receiver = multiprocessing.Process(target=receive, args=(ports, studio, seen, ready), daemon=True)
    receiver.start()
    ready.wait()
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"VISAVIS_CONFIG": folder}
        run = ["run", str(clip), "--track", str(Path(folder) / "track.npz")]
        commands = {
            "without": ["-m", "visavis", *run],
            "paced": ["-c", PACED, *run, *send],
            "with": ["-m", "visavis", *run, *send],
        }
        for _ in range(rounds):
            for name, command in commands.items():
                before, start_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
                subprocess.run([sys.executable, *command], check=True, capture_output=True, env=environment)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                seconds[name].append(round(spent_s, 3))
                lasted_s[name] = time.monotonic() - start_s
            if lasted_s["paced"] < 0.8 * lasted_s["with"]:
                sys.exit(f"the run to compare with took {lasted_s['paced']:.1f} s: it is not in real time")
    received = {name: seen.count(name) for name in NAMES}
    receiver.kill()
    middle = {name: float(np.median(spent)) for name, spent in seconds.items()}
    return {
        "clip": clip.name,
        "cpu_s": seconds,
        "received": received,
        "ratio": round(middle["with"] / middle["without"], 3),
        "ratio_to_paced": round(middle["with"] / middle["paced"], 3),
    }


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("track", type=Path)
    parser.add_argument("--seconds", type=float, default=600, help="0 leaves the stream out")
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "versions": versions()}
    if options.seconds:
        result["flow"] = flow(Track.load(options.track), options.seconds)
    if options.clip is not None:
        result["run"] = cost(options.clip, options.rounds)
    print(json_text(result))
    if options.out is not None:
        write_json(options.out, result)


if __name__ == "__main__":
    main()
