"""The server's metrics in the text format of Prometheus."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Upper bounds in seconds.
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PREFIX = "visavis_"
# Name -> what it is.
HELP = {
    "frames_received_total": "Pictures that clients sent.",
    "frames_answered_total": "Pictures that were answered with a moment.",
    "frames_dropped_total": "Pictures without a moment, by reason.",
    "errors_total": "Errors that were sent to clients, by code.",
    "received_bytes_total": "Bytes of messages from clients.",
    "sent_bytes_total": "Bytes of messages to clients.",
    "conversations_opened_total": "WebSockets that were opened.",
    "conversations_closed_total": "WebSockets that were closed, by reason.",
    "http_requests_total": "HTTP requests, by status.",
    "connections_ended_total": "Connections that the server ended, by reason.",
    "sessions_begun_total": "Sessions that began, with those that went on.",
    "sessions_resumed_total": "Sessions that went on with a token.",
    "sessions_refused_total": "Sessions that could not begin, by reason.",
    "answer_seconds": "Time from a picture's arrival to its answer.",
    "stage_seconds": "Time of one stage of an answer.",
    "frames_waiting": "Pictures that came and are not yet answered.",
    "sessions": "Sessions now.",
    "sessions_limit": "Most sessions at a time (--sessions).",
    "connections": "Connections now.",
    "connections_limit": "Most connections at a time (--max-connections).",
    "abandoned_work": "Pieces of work that still run though nobody waits for them.",
    "work_waiting": "Pieces of work that no thread has begun.",
    "frames_per_second": "Pictures a second that each session may have answered.",
    "expression_spacing": "How many times more rarely than usual expressions are read.",
    "tasks": "Tasks of the event loop.",
    "stopping": "1 while the server stops.",
    "cpu_seconds_total": "Processor time of this process.",
    "resident_memory_bytes": "Memory of this process.",
    "open_fds": "Open files of this process.",
    "threads": "Threads of this process.",
}
Labels = tuple[tuple[str, str], ...]
Row = tuple[str, Labels, float]


class Metrics:
    """Counters and histograms; used in the event loop alone.

    Attributes:
        frames_waiting: number of pictures that came and are not yet answered.
    """

    def __init__(self) -> None:
        self.frames_waiting = 0
        self._counters: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, _Histogram]] = {}

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        values, key = self._counters.setdefault(name, {}), tuple(labels.items())
        values[key] = values.get(key, 0) + amount

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add a time to a histogram."""
        self._histograms.setdefault(name, {}).setdefault(tuple(labels.items()), _Histogram()).add(seconds)

    def text(
        self,
        gauges: Mapping[str, float],
        counts: Mapping[str, Mapping[str, float] | float],
        process: str = "",
    ) -> str:
        """Everything in the text format.

        Args:
            gauges: present values, by name.
            counts: counters of other parts, by name, some of them by reason.
            process: name of this process, where several serve one port; empty for none.
        """
        lines: list[str] = []
        marks: Labels = (("process", process),) if process else ()
        for name, values in self._counters.items():
            lines += _family(name, "counter", [(name, key, value) for key, value in values.items()], marks)
        for name, count in counts.items():
            rows: list[Row] = [(name, (), count)] if isinstance(count, float | int) else []
            if isinstance(count, Mapping):
                rows = [(name, (("reason", reason),), one) for reason, one in count.items()]
            lines += _family(name, "counter", rows, marks)
        for name, histograms in self._histograms.items():
            rows = [row for key, one in histograms.items() for row in one.rows(name, key)]
            lines += _family(name, "histogram", rows, marks)
        for name, value in gauges.items():
            lines += _family(name, "gauge", [(name, (), value)], marks)
        for name, value in _process().items():
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += _family(name, kind, [(name, (), value)], marks, "process_")
        return "\n".join(lines) + "\n"


class _Histogram:
    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS_S) + 1)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        self._counts[sum(seconds > bound for bound in BUCKETS_S)] += 1
        self._sum_s += seconds

    def rows(self, name: str, labels: Labels) -> Iterable[Row]:
        total = 0
        for bound, count in zip((*BUCKETS_S, float("inf")), self._counts, strict=True):
            total += count
            yield (
                f"{name}_bucket",
                (*labels, ("le", "+Inf" if bound == float("inf") else f"{bound:g}")),
                total,
            )
        yield f"{name}_sum", labels, self._sum_s
        yield f"{name}_count", labels, total


def _family(name: str, kind: str, rows: Iterable[Row], marks: Labels, prefix: str = PREFIX) -> list[str]:
    lines = [f"# HELP {prefix}{name} {HELP[name]}", f"# TYPE {prefix}{name} {kind}"]
    for row, labels, value in rows:
        shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in (*marks, *labels))
        lines.append(f"{prefix}{row}{{{shown}}} {value:.12g}" if shown else f"{prefix}{row} {value:.12g}")
    return lines


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _process() -> dict[str, float]:
    """Processor time, memory and open files, under the names that all programs use."""
    facts = {"cpu_seconds_total": time.process_time()}
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        facts["resident_memory_bytes"] = pages * os.sysconf("SC_PAGE_SIZE")
        facts["open_fds"] = len(os.listdir("/proc/self/fd"))
        facts["threads"] = len(os.listdir("/proc/self/task"))
    return facts
