"""Run the fuzzer: ``python -m fuzz [NAMES] --seconds 60``; each parser has a process of its own.

A case fails if another error than the documented ones leaves the parser, if it takes more than 10 s, or if
the process holds more than 1 GB. The failing input is left in build/fuzz.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["visavis"]):
    from fuzz.parsers import PARSERS

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
    if unknown := set(asked.names) - set(PARSERS):
        words.error(f"no parser {', '.join(sorted(unknown))}; there are {', '.join(PARSERS)}")
    longest = max(1, round(asked.seconds))
    options = [f"-seed={asked.seed}", f"-runs={asked.cases}", f"-max_total_time={longest}"]
    options += [f"-timeout={LONGEST_CASE_S}", f"-rss_limit_mb={MOST_MEMORY_MB}", "-print_final_stats=0"]
    results = []
    for found in _run(asked.names or list(PARSERS), asked.jobs, options):
        print(_line(found), file=sys.stderr, flush=True)
        results.append(found)
    if asked.json:
        print(json.dumps({"cases": sum(result["cases"] for result in results), "parsers": results}, indent=1))
    return 1 if any(result["failed"] for result in results) else 0


def _run(names: Sequence[str], jobs: int, options: list[str]) -> Iterator[dict[str, Any]]:
    """What each parser's process found, as it ends; the processes are forks, so imports are paid once."""
    waiting, running = list(names), {}
    with tempfile.TemporaryDirectory() as files:  # libFuzzer ends its process without cleaning up.
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.pop(0)
                running[_start(name, options, Path(files))] = name
            pid, status = os.wait()
            name = running.pop(pid)
            yield _result(name, status, (Path(files) / name).read_text(errors="replace"))


def _start(name: str, options: list[str], files: Path) -> int:
    """Fuzz one parser in a process of its own; returns its number."""
    if pid := os.fork():
        return pid
    try:
        with open(files / name, "w") as told:
            for stream in (1, 2):
                os.dup2(told.fileno(), stream)
        tempfile.tempdir = tempfile.mkdtemp(dir=files)
        _fuzz(name, options)
    except BaseException:  # noqa: BLE001 - Nothing may go on in the fork.
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


def _fuzz(name: str, options: list[str]) -> None:
    parser, corpus = PARSERS[name], OUT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(parser.seeds()):
        parser.parse(seed)  # A parser that refuses its seed would be fuzzed at its front door only.
        (corpus / f"seed{number}").write_bytes(seed)

    def one(data: bytes) -> None:
        with suppress(*parser.refuses):
            parser.parse(data)

    atheris.Setup([sys.argv[0], str(corpus), *options, f"-artifact_prefix={OUT}/{name}-"], one)
    atheris.Fuzz()


def _result(name: str, status: int, told: str) -> dict[str, Any]:
    count = DONE.search(told)
    peaks = [int(peak) for peak in PEAK.findall(told)]
    return {
        "parser": name,
        "cases": int(count[1]) if count else 0,
        "peak_mb": max(peaks, default=0),
        "failed": status != 0,
        "end": told[-3000:] if status else "",
    }


def _line(found: dict[str, Any]) -> str:
    end = f"FAILED; the input is in {OUT}\n{found['end']}" if found["failed"] else "ok"
    return f"{found['parser']:14} {found['cases']:>9} cases, at most {found['peak_mb']} MB: {end}"


if __name__ == "__main__":
    sys.exit(main())
