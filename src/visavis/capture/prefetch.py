"""A stream whose items are produced a few ahead, in its own thread."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Full, Queue
from typing import Generic, TypeVar

from visavis.base.closing import Closing

T = TypeVar("T")

_RETRY_S = 0.1


class Prefetch(Closing, Generic[T]):
    """Runs a generator in a thread, at most ``depth`` items ahead of the consumer.

    Order is kept. An error of the generator is raised here after all items that came before it. Leaving
    the ``with`` block stops the generator (its ``finally`` clauses run) and waits for the thread.

    Args:
        items: the stream; from now on only the thread uses it.
        depth: maximum number of waiting items.
    """

    def __init__(self, items: Generator[T, None, None], depth: int = 4) -> None:
        self._items = items
        self._queue: Queue[tuple[T] | None] = Queue(depth)
        self._stopped = threading.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._result = self._executor.submit(self._fill)

    def __iter__(self) -> Iterator[T]:
        while (item := self._queue.get()) is not None:
            yield item[0]
        self._result.result()

    def close(self) -> None:
        """Stop the thread and wait for it; the items still waiting are dropped."""
        self._stopped.set()
        self._executor.shutdown(wait=True)

    def _fill(self) -> None:
        try:
            for item in self._items:
                if not self._put((item,)):
                    return
        finally:
            self._items.close()
            self._put(None)

    def _put(self, item: tuple[T] | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_RETRY_S)
            except Full:
                continue
            return True
        return False
