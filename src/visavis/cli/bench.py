"""The command ``visavis bench``: how fast each stage is on this computer."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import typer

from visavis.base import console
from visavis.cli.recognizer import DENSE, KeepOption, RecognizerOption, parse_keep
from visavis.errors import InputError

Benchmark = Literal["track", "expression", "puppet", "pipeline"]


def bench(
    name: Annotated[Benchmark | None, typer.Argument(help="Stages to time; all by default.")] = None,
    duration_s: Annotated[
        float, typer.Option("--duration-s", min=1.2, max=3600.0, help="Seconds of the embedded clip to use.")
    ] = 12.0,
    recognizer: RecognizerOption = DENSE,
    keep: KeepOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure speed on the embedded portrait.

    The results are median and 95th percentile, after a second of warm-up.

    Examples:

        visavis bench
        visavis bench track --json
        visavis bench expression --recognizer sparse --keep 0.3
    """
    from visavis.base.int8 import wanted
    from visavis.base.machine import machine, versions
    from visavis.evaluate import bench
    from visavis.pipeline import Pipeline

    if name == "puppet" and (keep is not None or recognizer != DENSE):
        raise InputError(
            "--recognizer and --keep have no effect on puppet, which reads no expressions; leave them out"
        )
    make_pipeline = partial(Pipeline, recognizer=recognizer, keep=parse_keep(keep))
    names = [name] if name else list(bench.TIMED)
    with console.progress("bench", bench.bench_steps(names, duration_s)) as advance:
        results = bench.measure_speed(
            names, duration_s=duration_s, make_pipeline=make_pipeline, on_step=advance
        )
    if as_json:
        console.print_json(
            {
                "input": f"the embedded portrait, {duration_s:g} s of 480x480 at 25 frames/s",
                "recognizer": recognizer,
                "keep": keep,
                "int8": wanted(),
                "machine": machine(),
                "versions": versions(),
                "results": {
                    key: {
                        "what": bench.TIMED[key],
                        "calls": timing.calls,
                        "p50_ms": round(timing.p50_ms, 3),
                        "p95_ms": round(timing.p95_ms, 3),
                        "max_ms": round(timing.max_ms, 3),
                    }
                    for key, timing in results.items()
                },
            }
        )
        return
    console.print_line(f"{'':10}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}")
    for key, timing in results.items():
        figures = "".join(f"{v:9.2f}" for v in (timing.p50_ms, timing.p95_ms, timing.max_ms))
        console.print_line(f"{key:10}{figures}   {bench.TIMED[key]}")
    about = machine()
    made = ", ".join(f"{package} {version}" for package, version in versions().items())
    console.print_line(f"on {about['processor']}, {about['threads']} threads, {about['system']}; {made}")
