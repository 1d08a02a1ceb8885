"""The engine on Ray Data: the same work on several machines that share the corpus's folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from visavis.base.ray_cluster import import_ray, ray_started
from visavis.base.words import writable_text
from visavis.corpus.job import work
from visavis.corpus.layout import Outcome
from visavis.corpus.segments import RecordingJob
from visavis.corpus.watching import Worker
from visavis.errors import InputError, VisavisError

# Ray hands out segments in at most this many portions, because it keeps a record of each.
MOST_PORTIONS = 20_000
_JOB: TypeAdapter[RecordingJob] = TypeAdapter(RecordingJob)
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


class RayData:
    """Several segments at a time, each in a task of Ray.

    Args:
        jobs: number of processes that process segments; None for one for each processor of Ray's machines.
        address: address of a running cluster, as in ``ray.init``; None starts Ray on this machine.
        open_worker: opens the networks of a process.

    Raises:
        MissingExtraError: Ray or pyarrow is not installed.
    """

    def __init__(
        self, jobs: int | None = None, address: str | None = None, open_worker: Callable[[], Worker] = Worker
    ) -> None:
        self._ray = import_ray("ray.data", "--engine ray")
        self._jobs = jobs
        self._address = address
        self._open_worker = open_worker

    def run(self, jobs: Sequence[RecordingJob], advance: Callable[[int], None]) -> Iterator[Outcome]:
        """See :class:`~visavis.corpus.engines.Engine`."""
        ray = self._ray
        for name in (name for job in jobs for name in (str(job.root), *(one.path for one in job.sources))):
            if writable_text(name) != name:
                raise InputError(f"{name}: Ray takes only names in UTF-8; rename it, or use --engine local")
        with ray_started(ray, self._address, self._jobs):
            count = min(self._jobs or 10**9, int(ray.cluster_resources().get("CPU", 1)))
            rows = [
                {"job": _JOB.dump_json(job), "segment": number}
                for job in jobs
                for number in range(len(job.segments))
            ]
            context = ray.data.DataContext.get_current()
            context.enable_progress_bars = False
            context.print_on_execution_start = False
            # Tasks and not actors: their processes are used again too, and nothing is told about restarts.
            pool = ray.data.TaskPoolStrategy(count)
            items = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_PORTIONS))
            finished = items.map(_work, fn_args=(self._open_worker,), compute=pool, num_cpus=1)
            try:
                for row in finished.iter_rows():
                    advance(row["frames"])
                    if row["error"]:
                        raise InputError(row["error"])
                    if row["outcome"]:
                        yield _OUTCOME.validate_json(row["outcome"])
            except ray.exceptions.RayError as error:
                told = str(error).strip().splitlines() or [type(error).__name__]
                raise InputError(
                    f"Ray: {told[-1]}; what is finished is kept: run the command again"
                ) from error


@cache
def _worker(open_worker: Callable[[], Worker]) -> Worker:
    """The networks of this process, which Ray uses for many segments."""
    return open_worker()


def _work(row: dict[str, Any], open_worker: Callable[[], Worker]) -> dict[str, Any]:
    job, number = _JOB.validate_json(row["job"]), row["segment"]
    told = {"frames": job.segments[number].frames or 0, "outcome": b"", "error": ""}
    try:
        outcome = work(job, number, _worker(open_worker), lambda: None)
    except VisavisError as error:  # Ray would keep only the text of the traceback.
        return {**told, "error": str(error)}
    return told if outcome is None else {**told, "outcome": _OUTCOME.dump_json(outcome)}
