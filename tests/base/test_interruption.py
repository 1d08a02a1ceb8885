from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator

import pytest

from visavis.base.interruption import Interruption, deaf_children

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals to the own process")


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def strike() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_signal_ends_the_work_and_later_ones_do_not_reach_it(capfd) -> None:
    with Interruption() as signals:
        with pytest.raises(KeyboardInterrupt):
            strike()
        strike()
        strike()
        assert signals.came
    assert capfd.readouterr().err.count("please wait") == 1
    with pytest.raises(KeyboardInterrupt):
        strike()


def test_a_signal_never_ends_what_is_done_with_an_item() -> None:
    done = []
    with Interruption() as signals:
        for item in signals.each(range(10)):
            if item == 3:
                strike()
            done.append(item)
        strike()
    assert done == [0, 1, 2, 3]
    assert signals.came


def test_a_signal_ends_the_waiting_for_an_item_and_cleans_up() -> None:
    closed = []

    def slow() -> Generator[int, None, None]:
        try:
            yield 1
            strike()
            yield 2
        finally:
            strike()  # A second one, while the first is being answered.
            closed.append(True)

    with Interruption() as signals:
        assert list(signals.each(slow())) == [1]
        assert signals.came
    assert closed == [True]


def test_work_that_is_over_is_not_spoiled_by_the_first_signal() -> None:
    with Interruption() as signals:
        assert list(signals.each([1, 2])) == [1, 2]
        assert not signals.came
        strike()
        assert signals.came


def test_an_outer_block_learns_of_it() -> None:
    with Interruption() as outer:
        with Interruption(), pytest.raises(KeyboardInterrupt):
            strike()
        strike()
        assert outer.came


# In a process of its own: with the first child, multiprocessing starts a process that changes the signals.
FIRST_CHILD = """
from multiprocessing import get_context
from signal import SIGINT, raise_signal
from visavis.base.interruption import deaf_children
with deaf_children():
    child = get_context("spawn").Process(target=raise_signal, args=(SIGINT,))
    child.start()
child.join()
raise SystemExit(child.exitcode)
"""


def test_children_do_not_hear_ctrl_c_while_they_start() -> None:
    assert subprocess.run([sys.executable, "-c", FIRST_CHILD]).returncode == 0
    with deaf_children():
        pass
    with pytest.raises(KeyboardInterrupt):
        strike()


def test_other_handlers_are_left_alone() -> None:
    taken: dict[int, object] = {}
    signal.signal(signal.SIGINT, taken.setdefault)  # It has no module.
    with Interruption() as signals:
        strike()
    assert (list(taken), signals.came) == ([signal.SIGINT], False)
