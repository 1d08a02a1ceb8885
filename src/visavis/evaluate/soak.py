"""A long load on a server of its own: answers, latency, drops, memory, and recovery from killed processes."""

from __future__ import annotations

import asyncio
import os
import random
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.request import urlopen

import numpy as np

from visavis.base.machine import machine, versions
from visavis.errors import DeviceError, InputError
from visavis.evaluate.load_attacks import ATTACKS, attacked
from visavis.evaluate.load_clients import Client, Wish, require_server
from visavis.serve.guard import NEW_PER_ADDRESS
from visavis.serve.resume import SECRET_VARIABLE

WARM_S, LINGER_S = 4.0, 1.0  # These first and last seconds do not count.
WINDOWS = 30  # at most; each has figures of its own
SHORTEST_WINDOW_S = 5.0
NEW_PER_CLIENT = 12  # connections a minute; more than --kill-every takes
START_S = 60.0
READY = re.compile(rb"visavis is at http://([^/\s]+)/")
PERCENTILES = (50, 95, 99)
OnWindow = Callable[[dict[str, Any]], None]
# What must not grow: its figure of each window.
LEVELS = ("server_memory_mb", "server_handles", "server_threads", "server_tasks")
TASKS = re.compile(rb"^visavis_tasks(?:{.*})? (\d+)$", re.MULTILINE)
MOST_REASONS = 20


@dataclass(frozen=True, slots=True)
class Soak:
    """What is tried.

    Attributes:
        clients: number of honest clients.
        seconds: how long.
        wish: how the honest clients behave.
        workers: processes of the server.
        attacks: names of hostile clients, of :data:`~visavis.evaluate.load_attacks.ATTACKS`.
        kill_every_s: a process of the server is killed after each such time; None kills none.

    Raises:
        InputError: an attack is unknown, or processes are killed though nobody replaces the only one.
    """

    clients: int
    seconds: float
    wish: Wish
    workers: int = 1
    attacks: tuple[str, ...] = ()
    kill_every_s: float | None = None

    def __post_init__(self) -> None:
        if unknown := set(self.attacks) - set(ATTACKS):
            raise InputError(
                f"no attack is called {', '.join(sorted(unknown))}; there are {', '.join(ATTACKS)}"
            )
        if self.kill_every_s is not None and self.workers < 2:
            raise InputError("a killed server needs others that go on: use at least 2 workers")


@contextmanager
def server(workers: int, sessions: int) -> Generator[tuple[str, int], None, None]:
    """Start ``visavis serve`` on a free port; gives the address of its WebSocket and its process.

    Raises:
        DeviceError: it ends at once, or is not there after a minute.
    """
    command = [sys.executable, "-m", "visavis", "serve", "--port", "0", "--max-per-address", "1024"]
    command += ["--workers", str(workers), "--sessions", str(sessions)]
    command += ["--max-new-per-address", str(max(NEW_PER_ADDRESS, NEW_PER_CLIENT * sessions))]
    environment = {SECRET_VARIABLE: secrets.token_urlsafe(32), "PYTHONUNBUFFERED": "1"} | os.environ
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment) as process:  # noqa: S603 - our own
        try:
            yield _address(process), process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _address(process: subprocess.Popen[bytes]) -> str:
    told = b""
    deadline_s = perf_counter() + START_S
    for line in process.stderr or ():
        told += line
        if found := READY.search(told):
            return f"ws://{found[1].decode()}/ws"
        if perf_counter() > deadline_s:
            break
    raise DeviceError(f"the server did not start: {told.decode(errors='replace').strip()[-300:]}")


async def soak(
    url: str,
    pid: int | None,
    clips: Sequence[Sequence[bytes]],
    wanted: Soak,
    on_window: OnWindow = lambda window: None,
) -> dict[str, Any]:
    """Load a server.

    Args:
        url: address of its WebSocket.
        pid: its process, for processor time, memory and kills (Linux); None if it is not here.
        clips: JPEG files of each clip.
        wanted: what is tried.
        on_window: called with the figures of each window.

    Returns:
        Results as JSON data: of the whole time, and of each window. Processor time and memory are null
        without ``pid``.

    Raises:
        DeviceError: no server answers.
        InputError: the address is none of a WebSocket, or there is no such process.
    """
    if pid is not None and sys.platform == "linux" and not cpu_s([pid]):
        raise InputError(f"there is no process {pid}; name the server's, or leave out --pid")
    await require_server(url)
    end_s = perf_counter() + WARM_S + wanted.seconds
    leave_s = end_s + LINGER_S
    honest = [Client(url, clips[n % len(clips)], wanted.wish, 7 * n) for n in range(wanted.clients)]
    tasks = [asyncio.create_task(client.run(leave_s)) for client in honest]
    kills: list[float] = []
    if wanted.kill_every_s is not None and pid is not None:
        tasks.append(asyncio.create_task(_kill(pid, wanted.kill_every_s, end_s, kills)))
    with attacked(wanted.attacks, url) as tallies:
        await asyncio.sleep(WARM_S)
        for client in honest:
            client.counting = True
        windows = await _windows(url, honest, pid, end_s, wanted.seconds, on_window)
        for client in honest:
            client.counting = False
        await asyncio.gather(*tasks)
    return {
        "asked": asdict(wanted),
        "machine": machine(),
        "versions": versions(),
        "kills": len(kills),
        "attacks": [
            {"name": name, **tally.figures()} for name, tally in zip(wanted.attacks, tallies, strict=True)
        ],
        **_figures(honest, sum(window["seconds"] for window in windows), windows),
        "windows": windows,
    }


async def _windows(
    url: str, honest: Sequence[Client], pid: int | None, end_s: float, seconds: float, on_window: OnWindow
) -> list[dict[str, Any]]:
    """Figures of each part of the time."""
    window_s = max(seconds / WINDOWS, min(SHORTEST_WINDOW_S, seconds))
    windows: list[dict[str, Any]] = []
    held: dict[str, float | None] = {}
    while end_s - perf_counter() > window_s / 2:
        counts = [len(client.seen.latencies_ms) for client in honest]
        began_s, before_s = perf_counter(), cpu_s(family(pid)) if pid else {}
        await asyncio.sleep(min(window_s, end_s - began_s))
        wall_s, after_s = perf_counter() - began_s, cpu_s(family(pid)) if pid else {}
        # The last seconds of a killed process are not known.
        spent_s = sum(there_s - before_s.get(one, 0.0) for one, there_s in after_s.items())
        if pid:
            held = levels(family(pid)) | {"server_tasks": await asyncio.to_thread(_tasks, url)}
        latencies = [client.seen.latencies_ms[n:] for client, n in zip(honest, counts, strict=True)]
        answers = sum(map(len, latencies))
        windows.append(
            {
                "seconds": round(wall_s, 1),
                "answers": answers,
                "answers_per_s": round(min(map(len, latencies)) / wall_s, 1),
                "latency_ms": percentiles(np.concatenate([np.asarray(each) for each in latencies])),
                "server_cpu_ms_per_answer": round(1e3 * spent_s / max(answers, 1), 2) if pid else None,
                "server_cores": round(spent_s / wall_s, 2) if pid else None,
                **(dict.fromkeys(LEVELS) | held),
            }
        )
        on_window(windows[-1])
    return windows


def _figures(honest: Sequence[Client], wall_s: float, windows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures of the whole time."""
    seen = [client.seen for client in honest]
    rates = sorted(len(one.latencies_ms) / wall_s for one in seen)
    codes = {code for one in seen for code in one.errors}
    cpu_ms = [window["server_cpu_ms_per_answer"] for window in windows]
    return {
        "seconds": round(wall_s, 1),
        "answers": sum(len(one.latencies_ms) for one in seen),
        "answers_per_s": {"lowest": round(rates[0], 1), "median": round(rates[len(rates) // 2], 1)},
        "latency_ms": percentiles(np.concatenate([np.asarray(one.latencies_ms) for one in seen])),
        "dropped": sum(one.dropped for one in seen),
        "skipped": sum(one.skipped for one in seen),
        "errors": {code: sum(one.errors.get(code, 0) for one in seen) for code in sorted(codes)},
        "closed": [reason for one in seen for reason in one.closed][:MOST_REASONS],
        "gaps_s": [round(gap, 2) for one in seen for gap in one.gaps_s],
        "server_cpu_ms_per_answer": None if None in cpu_ms else round(float(np.median(cpu_ms)), 2),
        "rise_per_hour": {name: rise_per_hour(windows, name) for name in LEVELS},
    }


def rise_per_hour(windows: Sequence[dict[str, Any]], name: str) -> float | None:
    """Slope of the line through a level's second half, where the server is warm; None where it is unknown."""
    half = windows[len(windows) // 2 :]
    values = [window[name] for window in half]
    if None in values or len(half) < 2:
        return None
    hours = np.cumsum([window["seconds"] for window in half]) / 3600
    return round(float(np.polyfit(hours, values, 1)[0]), 2)


def _tasks(url: str) -> int | None:
    """Tasks of the event loop that answers, from the server's metrics; None if they are not given out."""
    try:
        page = url.partition("?")[0].removeprefix("ws").removesuffix("/ws")
        with urlopen(f"http{page}/metrics", timeout=5) as answer:  # noqa: S310 - http
            found = TASKS.search(answer.read())
    except OSError:
        return None
    return None if found is None else int(found[1])


def percentiles(times_ms: np.ndarray) -> dict[str, float | None]:
    """The 50th, 95th and 99th percentile; None without times."""
    return {
        f"p{q}": round(float(np.percentile(times_ms, q)), 1) if len(times_ms) else None for q in PERCENTILES
    }


async def _kill(pid: int, every_s: float, end_s: float, kills: list[float]) -> None:
    """Kill one of the server's processes now and then, never the parent."""
    choose = random.Random(1)
    await asyncio.sleep(WARM_S + every_s)
    while perf_counter() < end_s - every_s / 2:
        if workers := [child for child in family(pid) if child != pid and is_worker(child)]:
            os.kill(choose.choice(workers), signal.SIGKILL)
            kills.append(perf_counter())
        await asyncio.sleep(every_s)


def is_worker(pid: int) -> bool:
    """Whether a process serves: it is no helper of Python's multiprocessing (Linux)."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def family(pid: int) -> list[int]:
    """A process and its descendants (Linux)."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def cpu_s(pids: Sequence[int]) -> dict[int, float]:
    """User and system time of each process that is there (Linux)."""
    times_s = {}
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        times_s[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return times_s


def levels(pids: Sequence[int]) -> dict[str, float | None]:
    """What processes hold together (Linux): memory that is not shared with a file, open files, threads."""
    kb = handles = threads = 0
    for pid in pids:
        try:
            lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            facts = {line[0]: line[1] for line in lines if len(line) > 1}
            handles += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue
        kb, threads = kb + int(facts.get("RssAnon:", 0)), threads + int(facts["Threads:"])
    return dict(zip(LEVELS, (round(kb / 1024, 1), handles, threads), strict=False))
