"""Run the fuzzer: ``python -m fuzz [NAMES] --seconds 60``; each parser has a process of its own.

A case fails if another error than the documented ones leaves the parser, if it takes more than 10 s, or if
the process holds more than 1 GB. The failing input is left in build/fuzz.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

LONGEST_CASE_S = 10
MOST_MEMORY_MB = 1024
OUT = Path("build/fuzz")
DONE = re.compile(r"Done (\d+) runs? in (\d+) second")
PEAK = re.compile(r"rss: (\d+)Mb")


def main() -> int:
    """Run the parsers that the command line names, side by side; returns the exit status."""
    words = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    words.add_argument("names", nargs="*", help="parsers; all by default")
    words.add_argument("--seconds", type=float, default=60, help="time for each parser")
    words.add_argument("--cases", type=int, default=-1, help="cases for each parser; -1: as many as fit")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="parsers at a time")
    words.add_argument("--json", action="store_true", help="print one JSON object")
    asked = words.parse_args()
    from fuzz.parsers import PARSERS

    if unknown := set(asked.names) - set(PARSERS):
        words.error(f"no parser {', '.join(sorted(unknown))}; there are {', '.join(PARSERS)}")

    def run(name: str) -> dict[str, Any]:
        found = _run(name, asked.seconds, asked.cases, asked.seed)
        print(_line(found), file=sys.stderr, flush=True)
        return found

    with ThreadPoolExecutor(asked.jobs) as pool:
        results = list(pool.map(run, asked.names or PARSERS))
    failed = [result for result in results if result["failed"]]
    if asked.json:
        print(json.dumps({"cases": sum(result["cases"] for result in results), "parsers": results}, indent=1))
    return 1 if failed else 0


def _run(name: str, seconds: float, cases: int, seed: int) -> dict[str, Any]:
    corpus = OUT / name
    corpus.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fuzz.one", name, str(corpus), f"-seed={seed}", f"-runs={cases}"]
    command += [f"-max_total_time={max(1, round(seconds))}", f"-timeout={LONGEST_CASE_S}"]
    command += [f"-rss_limit_mb={MOST_MEMORY_MB}", f"-artifact_prefix={OUT}/{name}-", "-print_final_stats=0"]
    with tempfile.TemporaryDirectory() as files:  # libFuzzer ends its process without cleaning up.
        done = subprocess.run(
            command, env=os.environ | {"TMPDIR": files}, capture_output=True, text=True, errors="replace"
        )
    told = done.stderr + done.stdout
    count = DONE.search(told)
    peaks = [int(peak) for peak in PEAK.findall(told)]
    return {
        "parser": name,
        "cases": int(count[1]) if count else 0,
        "peak_mb": max(peaks, default=0),
        "failed": done.returncode != 0,
        "end": told[-3000:] if done.returncode else "",
    }


def _line(found: dict[str, Any]) -> str:
    end = f"FAILED; the input is in {OUT}\n{found['end']}" if found["failed"] else "ok"
    return f"{found['parser']:14} {found['cases']:>9} cases, at most {found['peak_mb']} MB: {end}"


if __name__ == "__main__":
    sys.exit(main())
