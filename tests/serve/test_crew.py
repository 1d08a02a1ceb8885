"""Worker threads: who waited longest comes first, errors come back, and stuck work does not stop the rest."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from visavis.errors import InputError
from visavis.serve.crew import Crew

pytestmark = pytest.mark.anyio


async def settled(crew: Crew, abandoned: int) -> None:
    async with asyncio.timeout(20):
        while crew.abandoned != abandoned:
            await asyncio.sleep(0.001)


async def held(crew: Crew, gate: threading.Event) -> asyncio.Task[bool]:
    """Work that has begun in a thread, and lasts until the gate opens."""
    begun = threading.Event()

    def work() -> bool:
        begun.set()
        return gate.wait()

    task = asyncio.create_task(crew.run(work, 0.0))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    return task


async def test_the_one_who_has_waited_longest_is_served_first() -> None:
    crew, gate, order = Crew(1), threading.Event(), list[float]()
    first = await held(crew, gate)
    rest = [
        asyncio.create_task(crew.run(lambda since_s=since_s: order.append(since_s), since_s))
        for since_s in (3.0, 1.0, 2.0)
    ]
    await asyncio.sleep(0.01)
    assert crew.waiting == 3
    gate.set()
    await asyncio.gather(first, *rest)
    crew.close()
    assert order == [1.0, 2.0, 3.0]


async def test_errors_come_back_to_whoever_waits() -> None:
    def fail() -> None:
        raise InputError("no")

    crew = Crew(2)
    with pytest.raises(InputError, match="no"):
        await crew.run(fail, 0.0)
    assert await crew.run(lambda: 7, 0.0) == 7
    crew.close()


async def test_a_stuck_thread_is_counted_and_replaced_until_it_ends() -> None:
    before = set(threading.enumerate())  # Other tests' servers may be there still.
    crew, gate = Crew(1), threading.Event()
    (await held(crew, gate)).cancel()
    await settled(crew, 1)
    assert await crew.run(lambda: 7, 0.0) == 7
    gate.set()
    await settled(crew, 0)
    names = [thread.name for thread in set(threading.enumerate()) - before]
    assert names.count("visavis-worker") <= crew.threads + 1
    crew.close()


async def test_work_that_nobody_waits_for_is_not_begun() -> None:
    crew, gate, done = Crew(1), threading.Event(), list[int]()
    busy = await held(crew, gate)
    waiting = asyncio.create_task(crew.run(lambda: done.append(1), 1.0))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.sleep(0)
    gate.set()
    await busy
    await crew.run(lambda: done.append(2), 2.0)
    assert done == [2]
    crew.close()


def test_a_program_ends_in_spite_of_stuck_work() -> None:
    program = (
        "import asyncio, time\nfrom visavis.serve.crew import Crew\n"
        "async def main():\n"
        "    task = asyncio.create_task(Crew(1).run(lambda: time.sleep(60), 0.0))\n"
        "    await asyncio.sleep(0.1)\n    task.cancel()\n"
        "asyncio.run(main())\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=20, check=False).returncode == 0
