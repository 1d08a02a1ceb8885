"""Benchmarks of the stages on the embedded portrait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from visavis.avatar.parameters import Animator
from visavis.avatar.puppet import Puppet
from visavis.base.clock import Clock, SystemClock
from visavis.capture.portrait import DURATION_S, FPS, PortraitClip
from visavis.errors import InputError
from visavis.pipeline import Pipeline

# What is timed, by name; the networks run in one thread, as everywhere in visavis by default.
TIMED = {
    "track": "a frame to face states, one thread",
    "expression": "expression and action units in a stream, where not each frame is read, one thread",
    "puppet": "an avatar pose to a picture of 512 px",
    "pipeline": "a frame to face, expression and avatar pose, one thread",
}
WARM_UP_S = 1.0
PUPPET_PX = 512


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of one call.

    Attributes:
        calls: number of timed calls after the warm-up.
        p50_ms, p95_ms, max_ms: percentiles and the longest, in milliseconds.
    """

    calls: int
    p50_ms: float
    p95_ms: float
    max_ms: float

    @classmethod
    def of(cls, times_ms: Sequence[float]) -> Timing:
        """The summary of single times in milliseconds."""
        p50, p95 = np.percentile(times_ms, (50, 95))
        return cls(len(times_ms), float(p50), float(p95), float(max(times_ms)))


def measure_speed(
    names: Sequence[str],
    *,
    duration_s: float = DURATION_S,
    make_pipeline: Callable[[], Pipeline] = Pipeline,
    clock: Clock | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> dict[str, Timing]:
    """Time stages on the embedded portrait; its first second is the warm-up.

    Args:
        names: names from :data:`TIMED`.
        duration_s: seconds of the clip to use.
        make_pipeline: makes the pipeline to time.
        clock: measures the times.
        on_step: called after each frame.

    Raises:
        InputError: a name is unknown, there is no name, or the clip is not longer than the warm-up.
        WeightsError: an embedded network is missing or was changed.
    """
    unknown = sorted(set(names) - TIMED.keys())
    if unknown or not names:
        raise InputError(f"benchmarks are {', '.join(TIMED)}; found {', '.join(unknown) or 'none'}")
    if duration_s * FPS < WARM_UP_S * FPS + 1:
        raise InputError(
            f"a benchmark needs more than its warm-up of {WARM_UP_S:g} s; found {duration_s:g} s"
        )
    clock = clock or SystemClock()
    times_ms: dict[str, list[float]] = {}
    if {"track", "expression", "pipeline"} & set(names):
        times_ms |= _time_pipeline(make_pipeline(), duration_s, on_step)
    if "puppet" in names:
        times_ms["puppet"] = _time_puppet(duration_s, clock, on_step)
    skip = round(WARM_UP_S * FPS)
    return {name: Timing.of(times_ms[name][skip:]) for name in TIMED if name in names}


def bench_steps(names: Sequence[str], duration_s: float = DURATION_S) -> int:
    """How many times :func:`measure_speed` will call ``on_step``."""
    passes = bool({"track", "expression", "pipeline"} & set(names)) + ("puppet" in names)
    return passes * round(duration_s * FPS)


def _time_pipeline(
    pipeline: Pipeline, duration_s: float, on_step: Callable[[], None]
) -> dict[str, list[float]]:
    times_ms: dict[str, list[float]] = {"track": [], "expression": [], "pipeline": []}
    with PortraitClip(duration_s) as clip:
        for frame in clip:
            timings = pipeline.step(frame).timings_ms
            times_ms["track"].append(timings["face"])
            times_ms["expression"].append(timings["expression"])
            times_ms["pipeline"].append(sum(timings.values()))
            on_step()
    return times_ms


def _time_puppet(duration_s: float, clock: Clock, on_step: Callable[[], None]) -> list[float]:
    puppet, animator, times_ms = Puppet.load(), Animator(), []
    for index in range(round(duration_s * FPS)):
        # Idle: the avatar blinks, breathes, looks around and sways.
        pose = animator.update(None, None, index / FPS)
        start_s = clock.now_s()
        puppet.draw(pose, PUPPET_PX)
        times_ms.append(1e3 * (clock.now_s() - start_s))
        on_step()
    return times_ms
