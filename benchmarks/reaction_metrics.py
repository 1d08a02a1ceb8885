"""Speed of the reaction metrics, compared with the straightforward implementation.

    pip install -e '.[metrics,bench]'
    python benchmarks/reaction_metrics.py --out benchmarks/results/reaction_metrics.json

The peer does what the challenge's code does: tslearn's compiled dynamic time warping for each pair, and numpy
in loops over pairs, channels and lags. Both get the same simulated series and must agree to 1e-4. Rounds take
turns: the peer (one thread), ours on one thread, ours on two. BLAS has one thread. The machine's limit
is its rate of multiply-adds in a float32 matrix product; a cell of warping costs as much as 25 of them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits
from tslearn.metrics import dtw

from visavis.base.files import write_json
from visavis.base.machine import machine, versions
from visavis.metrics import reaction
from visavis.metrics.checked_items import Work
from visavis.metrics.reaction_file import read_reactions
from visavis.metrics.reaction_suite import score_reactions

GROUPS = ((0, 15, 1 / 15), (15, 17, 1.0), (17, 25, 1 / 8))
CHANNELS = 25
Arrays = dict[str, np.ndarray]


def simulated(items: int, listeners: int, predictions: int, frames: int) -> Arrays:
    """Smoothed noise in 0..1 of REACT's shapes; every listener is appropriate for every item."""
    random = np.random.default_rng(0)

    def series(*shape: int) -> np.ndarray:
        noise = random.random((*shape, frames + 14, CHANNELS), np.float32)
        sums = noise.cumsum(axis=-2, dtype=np.float64)
        return ((sums[..., 14:, :] - np.roll(sums, 14, axis=-2)[..., 14:, :]) / 14).astype(np.float32)

    return {
        "predictions": series(items, predictions),
        "listeners": series(listeners),
        "speakers": series(items),
        "neighbours": np.ones((items, listeners), np.uint8),
    }


def peer_ccc(x: np.ndarray, y: np.ndarray) -> float:
    """Mean CCC, one channel after the other."""
    found = []
    for c in range(x.shape[1]):
        r = np.corrcoef(x[:, c], y[:, c])[0, 1]
        spread = np.var(x[:, c]) + np.var(y[:, c]) + (np.mean(x[:, c]) - np.mean(y[:, c])) ** 2
        found.append(2 * r * np.std(x[:, c]) * np.std(y[:, c]) / (spread + 1e-8))
    return float(np.mean(found))


def peer_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Weighted dynamic time warping of the three groups of channels."""
    return sum(weight * dtw(x[:, a:b], y[:, a:b]) for a, b, weight in GROUPS)


def peer_lag(x: np.ndarray, y: np.ndarray) -> int:
    """The lag of the largest mean correlation, one lag and one channel after the other."""
    means = []
    for lag in range(-49, 50):
        late, early = max(lag, 0), max(-lag, 0)
        a, b = x[late : len(x) - early], y[early : len(y) - late]
        means.append(np.mean([np.corrcoef(a[:, c], b[:, c])[0, 1] for c in range(x.shape[1])]))
    return abs(49 - int(np.argmax(means)))


def peer_pairs(values: np.ndarray) -> float:
    """Mean squared distance of all pairs of rows."""
    flat = values.reshape(len(values), -1)
    total = sum(float(((a - b) ** 2).sum()) for a in flat for b in flat)
    return total / (len(flat) * (len(flat) - 1) * flat.shape[1])


def peer(data: Arrays) -> dict[str, Callable[[], float]]:
    """The straightforward implementation of each metric."""
    items, real, speakers = data["predictions"], data["listeners"], data["speakers"]
    return {
        "fr_corr": lambda: sum(max(peer_ccc(y, x) for y in real) for p in items for x in p) / len(items),
        "fr_dist": lambda: sum(min(peer_distance(x, y) for y in real) for p in items for x in p) / len(items),
        "fr_div": lambda: float(np.mean([peer_pairs(p) for p in items])),
        "fr_var": lambda: float(np.var(items, axis=2, ddof=1).mean()),
        "fr_dvs": lambda: float(np.mean([peer_pairs(items[:, k]) for k in range(items.shape[1])])),
        "fr_syn": lambda: float(np.mean([peer_lag(p[0], s) for p, s in zip(items, speakers, strict=True)])),
    }


def ours(data: Arrays, threads: int) -> dict[str, Callable[[], float]]:
    """Each metric of visavis."""
    work = Work(threads=threads)
    near = (data["predictions"], data["listeners"], data["neighbours"])
    return {
        "fr_corr": lambda: reaction.fr_corr(*near, work),
        "fr_dist": lambda: reaction.fr_dist(*near, work),
        "fr_div": lambda: reaction.fr_div(near[0], work),
        "fr_var": lambda: reaction.fr_var(near[0], work),
        "fr_dvs": lambda: reaction.fr_dvs(near[0], work),
        "fr_syn": lambda: reaction.fr_syn(near[0], data["speakers"], work),
    }


def multiply_adds_per_s() -> float:
    """Of a float32 matrix product on one thread, by CPU time; the best of some."""
    a = np.random.default_rng(0).random((512, 512), np.float32)
    times_s = []
    for _ in range(30):
        start_s = time.process_time()
        a @ a
        times_s.append(time.process_time() - start_s)
    return 512**3 / min(times_s)


def peak_bytes(items: int, frames: int) -> int:
    """What the whole suite allocates at most while it reads a file of so many items."""
    data = simulated(items, 2, 10, frames)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.npz"
        np.savez(path, **data)
        del data
        tracemalloc.start()
        score_reactions(**read_reactions(path), work=Work(threads=2))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


Times = dict[str, dict[str, list[float]]]


def measure(data: Arrays, rounds: int) -> tuple[Times, Times]:
    """Wall and CPU times in seconds, by implementation and metric."""
    suites = {"peer": peer(data), "one_thread": ours(data, 1), "two_threads": ours(data, 2)}
    expected = {name: function() for name, function in suites["peer"].items()}
    for name, function in suites["one_thread"].items():  # This also compiles the kernels.
        np.testing.assert_allclose(function(), expected[name], rtol=1e-4)
    wall_s: Times = {suite: {name: [] for name in expected} for suite in suites}
    cpu_s: Times = {suite: {name: [] for name in expected} for suite in suites}
    for _ in range(rounds):
        for suite, functions in suites.items():
            for name, function in functions.items():
                start_s, start_cpu_s = time.perf_counter(), time.process_time()
                function()
                wall_s[suite][name].append(time.perf_counter() - start_s)
                cpu_s[suite][name].append(time.process_time() - start_cpu_s)
    return wall_s, cpu_s


def medians_ms(times_s: Times) -> dict[str, dict[str, float]]:
    """Median of each metric, and of a round of all."""
    return {
        suite: {name: round(1e3 * float(np.median(times)), 2) for name, times in metrics.items()}
        | {"suite": round(1e3 * float(np.median(np.sum(list(metrics.values()), axis=0))), 2)}
        for suite, metrics in times_s.items()
    }


def times_faster(p50_ms: dict[str, dict[str, float]], suites: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Than the peer."""
    return {
        suite: {name: round(p50_ms["peer"][name] / value, 1) for name, value in p50_ms[suite].items()}
        for suite in suites
    }


def main() -> None:
    """Measure, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--items", type=int, default=6)
    parser.add_argument("--listeners", type=int, default=4)
    parser.add_argument("--predictions", type=int, default=10)
    parser.add_argument("--frames", type=int, default=750)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--note", help="about the machine's state, for the result")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    size = {"items": args.items, "listeners": args.listeners, "predictions": args.predictions}
    data = simulated(**size, frames=args.frames)
    with threadpool_limits(1):
        wall_s, cpu_s = measure(data, args.rounds)
        limit = multiply_adds_per_s()
        peaks = {str(items): peak_bytes(items, 200) for items in (10, 40)}
    p50_ms, cpu_p50_ms = medians_ms(wall_s), medians_ms(cpu_s)
    cells = args.items * args.listeners * args.predictions * args.frames**2
    cells_per_cpu_s = {
        suite: cells / (1e-3 * cpu_p50_ms[suite]["fr_dist"]) for suite in ("peer", "one_thread")
    }
    result = {
        "note": args.note,
        "size": {**size, "frames": args.frames, "channels": CHANNELS, "rounds": args.rounds},
        "p50_ms": p50_ms,
        "cpu_p50_ms": cpu_p50_ms,
        "times_faster": times_faster(p50_ms, ("one_thread", "two_threads")),
        "times_faster_by_cpu_time": times_faster(cpu_p50_ms, ("one_thread",)),
        "warping": {
            "cells_per_cpu_s": {suite: round(value) for suite, value in cells_per_cpu_s.items()},
            "multiply_adds_per_cpu_s_of_a_matrix_product": round(limit),
            "share_of_that_limit_one_thread": round(CHANNELS * cells_per_cpu_s["one_thread"] / limit, 3),
        },
        "peak_bytes_by_items": peaks,
        "machine": machine(),
        "versions": versions() | {name: version(name) for name in ("numba", "tslearn")},
    }
    print(f"{'metric':10}{'peer ms':>11}{'1 thread':>11}{'faster':>8}{'2 threads':>11}{'faster':>8}")
    for name in p50_ms["peer"]:
        one, two = (result["times_faster"][suite][name] for suite in ("one_thread", "two_threads"))
        times = (p50_ms["peer"][name], p50_ms["one_thread"][name], p50_ms["two_threads"][name])
        print(f"{name:10}{times[0]:11.1f}{times[1]:11.1f}{one:8.1f}{times[2]:11.1f}{two:8.1f}")
    print(
        json.dumps(
            {key: result[key] for key in ("times_faster_by_cpu_time", "warping", "peak_bytes_by_items")}
        )
    )
    if args.out:
        write_json(args.out, result)


if __name__ == "__main__":
    main()
