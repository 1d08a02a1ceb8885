from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.capture.prefetch import Prefetch


@settings(max_examples=20, deadline=None)
@given(items=st.lists(st.integers() | st.none(), max_size=20), depth=st.integers(1, 5))
def test_gives_the_same_items_in_the_same_order(items: list[int | None], depth: int) -> None:
    with Prefetch((item for item in items), depth) as stream:
        assert list(stream) == items


def test_error_comes_after_the_items_before_it() -> None:
    def items() -> Generator[int, None, None]:
        yield from range(5)
        raise LookupError("broken")

    got: list[int] = []

    def take_all(stream: Prefetch[int]) -> None:
        for item in stream:
            got.append(item)  # noqa: PERF402 (extend drops what came before an error)

    with Prefetch(items(), 2) as stream, pytest.raises(LookupError, match="broken"):
        take_all(stream)
    assert got == list(range(5))


def test_runs_no_further_ahead_than_asked() -> None:
    made: list[int] = []

    def items() -> Generator[int, None, None]:
        for index in range(100):
            made.append(index)
            yield index

    with Prefetch(items(), 3) as stream:
        next(iter(stream))
        time.sleep(0.2)
        assert len(made) <= 5  # One taken, three waiting, one in hand.


def test_leaving_early_stops_the_thread_and_closes_the_generator() -> None:
    closed = threading.Event()

    def items() -> Generator[int, None, None]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    with Prefetch(items(), 2) as stream:
        next(iter(stream))
    assert closed.is_set()
    assert threading.active_count() == before


def test_chained() -> None:
    with Prefetch((i for i in range(50)), 2) as first, Prefetch((i * i for i in first), 2) as second:
        assert list(second) == [i * i for i in range(50)]
