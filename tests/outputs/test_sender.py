from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from time import perf_counter, sleep

import numpy as np
import pytest

from support.samples import sample
from visavis.errors import InputError
from visavis.outputs import sender
from visavis.outputs.sample import Sample
from visavis.outputs.sender import Datagrams, Sender


class Scripted:
    """A receiver that notes what it gets; `fails` and `waits` are asked before each sample."""

    def __init__(self, repeat_s: float | None = None, waits: int = 1) -> None:
        self.repeat_s, self.waits = repeat_s, waits
        self.got: list[float] = []
        self.at_s: list[float] = []
        self.opened_at_s: list[float] = []
        self.closed = 0
        self.unreachable = 0
        self.lost_at: set[int] = set()
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Event()
        self.message = ""

    def open(self) -> None:
        self.opened_at_s.append(perf_counter())
        if self.unreachable > 0:
            self.unreachable -= 1
            raise OSError("nobody answers")

    def send(self, each: Sample) -> str:
        self.entered.set()
        self.free.wait(5)
        if len(self.got) in self.lost_at:
            self.lost_at.remove(len(self.got))
            raise InputError("the receiver went away")
        self.got.append(each.time_s)
        self.at_s.append(perf_counter())
        return self.message

    def close(self) -> None:
        self.closed += 1


def wait_for(happened: Callable[[], bool], within_s: float = 4.0) -> None:
    end_s = perf_counter() + within_s
    while not happened():
        assert perf_counter() < end_s, "it did not happen in time"
        sleep(0.002)


def test_samples_arrive_in_order_and_are_counted() -> None:
    receiver = Scripted()
    with Sender("here", receiver) as outlet:
        assert outlet.status.light == "waiting"
        for time_s in range(5):
            outlet.send(sample(time_s))
            wait_for(lambda count=time_s: len(receiver.got) > count)
        wait_for(lambda: outlet.status.sent == 5)
        status = outlet.status
    assert receiver.got == [0, 1, 2, 3, 4]
    assert (status.address, status.light, status.message, status.dropped) == ("here", "sending", "", 0)
    assert 0 < status.p95_ms < 500
    assert receiver.closed == 1


@pytest.mark.parametrize(("waits", "got"), [(1, [0, 5]), (3, [0, 3, 4, 5])])
def test_the_newest_samples_win_and_drops_are_counted(waits: int, got: list[float]) -> None:
    receiver = Scripted(waits=waits)
    with Sender("here", receiver) as outlet:
        receiver.free.clear()
        outlet.send(sample(0))
        assert receiver.entered.wait(2)
        for time_s in range(1, 6):
            outlet.send(sample(time_s))
        assert outlet.status.dropped == 5 - waits
        receiver.free.set()
        wait_for(lambda: outlet.status.sent == 1 + waits)
    assert receiver.got == got
    assert (outlet.status.sent, outlet.status.dropped) == (1 + waits, 5 - waits)


def test_datagrams_lose_nothing_to_a_thread_that_starts_late() -> None:
    class Silent:
        def encode(self, each: Sample) -> Sequence[bytes]:
            begun.wait(5)
            return []

    begun = threading.Event()
    with Sender("here", Datagrams(("127.0.0.1", 9), Silent())) as outlet:
        for time_s in range(sender.DATAGRAMS_WAIT):
            outlet.send(sample(time_s))
        begun.set()
    assert (outlet.status.sent, outlet.status.dropped) == (sender.DATAGRAMS_WAIT, 0)


def test_the_waiting_sample_is_sent_before_the_end() -> None:
    receiver = Scripted()
    outlet = Sender("here", receiver)
    outlet.send(sample(7))
    outlet.close()
    assert receiver.got == [7]
    outlet.send(sample(8))
    outlet.close()
    assert receiver.got == [7]


def test_the_last_sample_is_repeated() -> None:
    receiver = Scripted(repeat_s=0.03)
    with Sender("here", receiver) as outlet:
        sleep(0.1)
        assert receiver.got == []  # There is nothing to repeat yet.
        outlet.send(sample(1))
        wait_for(lambda: len(receiver.got) >= 4)
        outlet.send(sample(2))
        wait_for(lambda: receiver.got[-1] == 2)
        status = outlet.status
    assert set(receiver.got) == {1, 2}
    assert np.diff(receiver.at_s[:4]).min() > 0.02
    assert (status.sent, status.dropped) == (2, 0)


def test_without_repetition_the_last_sample_is_sent_once() -> None:
    receiver = Scripted()
    with Sender("here", receiver) as outlet:
        outlet.send(sample(1))
        sleep(0.1)
    assert receiver.got == [1]


def test_a_lost_receiver_is_found_again() -> None:
    receiver = Scripted()
    receiver.lost_at = {1}
    with Sender("here", receiver) as outlet:
        outlet.send(sample(0))
        wait_for(lambda: receiver.got == [0])
        outlet.send(sample(1))
        wait_for(lambda: outlet.status.light == "lost")
        assert outlet.status.message == "the receiver went away"
        lost_s = perf_counter()
        outlet.send(sample(2))
        wait_for(lambda: receiver.got == [0, 2], within_s=3)
        assert perf_counter() - lost_s < 1
        status = outlet.status
    assert (status.light, status.message, status.sent, status.dropped) == ("sending", "", 2, 1)
    assert receiver.closed == 2


def test_a_receiver_that_comes_late_is_tried_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "FIRST_PAUSE_S", 0.03)
    monkeypatch.setattr(sender, "LONGEST_PAUSE_S", 0.1)
    receiver = Scripted()
    receiver.unreachable = 4
    with Sender("here", receiver) as outlet:
        outlet.send(sample(3))
        wait_for(lambda: receiver.got == [3])
    pauses_s = np.diff(receiver.opened_at_s)
    assert pauses_s[0] > 0.025
    assert (pauses_s > np.asarray([0.025, 0.055, 0.095, 0.095])).all()


def test_the_longest_pause_lets_a_receiver_come_back_within_three_seconds() -> None:
    assert sender.LONGEST_PAUSE_S < 3
    assert sender.FIRST_PAUSE_S < sender.LONGEST_PAUSE_S


def test_the_end_does_not_wait_for_a_pause() -> None:
    receiver = Scripted()
    receiver.unreachable = 1000
    outlet = Sender("here", receiver)
    wait_for(lambda: outlet.status.light == "lost")
    start_s = perf_counter()
    outlet.close()
    assert perf_counter() - start_s < 0.2
    assert outlet.status.message == "nobody answers"


def test_a_receiver_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "CLOSING_S", 0.1)
    receiver = Scripted()
    receiver.free.clear()
    outlet = Sender("here", receiver)
    outlet.send(sample(0))
    assert receiver.entered.wait(2)
    durations_s = []
    for time_s in range(1, 300):
        each = sample(time_s)
        start_s = perf_counter()
        outlet.send(each)
        durations_s.append(perf_counter() - start_s)
    assert np.median(durations_s) < 1e-4
    assert np.percentile(durations_s, 95) < 1e-3
    start_s = perf_counter()
    outlet.close()
    assert perf_counter() - start_s < 1
    receiver.free.set()


def test_what_a_receiver_says_is_shown() -> None:
    receiver = Scripted()
    receiver.message = "confirm in the program"
    with Sender("here", receiver) as outlet:
        outlet.send(sample(0))
        wait_for(lambda: outlet.status.sent == 1)
        assert (outlet.status.light, outlet.status.message) == ("sending", "confirm in the program")


class Words:
    def encode(self, each: Sample) -> Sequence[bytes]:
        return [f"{each.time_s:g}a".encode(), f"{each.time_s:g}b".encode()]


def receiving(port: int = 0) -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    receiver.bind(("127.0.0.1", port))
    receiver.settimeout(2)
    return receiver


def test_datagrams_reach_a_receiver_that_comes_and_goes() -> None:
    receiver = receiving()
    port = receiver.getsockname()[1]
    with Sender("here", Datagrams(("127.0.0.1", port), Words())) as outlet:
        outlet.send(sample(1))
        assert [receiver.recv(10), receiver.recv(10)] == [b"1a", b"1b"]
        receiver.close()
        for time_s in range(2, 6):
            outlet.send(sample(time_s))
            wait_for(lambda count=time_s: outlet.status.sent >= count)
        with receiving(port) as again:
            outlet.send(sample(9))
            assert again.recv(10) == b"9a"
    assert (outlet.status.light, outlet.status.dropped) == ("sending", 0)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "n" * 70])
def test_an_unknown_computer_is_told(host: str) -> None:
    with Sender("here", Datagrams((host, 1), Words())) as outlet:
        wait_for(lambda: outlet.status.light == "lost")
        assert outlet.status.message == f"{host}: no computer of this name is known"
