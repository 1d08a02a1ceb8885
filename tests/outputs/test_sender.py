from __future__ import annotations

import threading
from time import perf_counter, sleep

import numpy as np
import pytest

from support.samples import sample
from support.senders import Scripted, wait_for
from visavis.outputs import NotReadyError, Sample, sender
from visavis.outputs.sender import Sender


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


def test_the_waiting_sample_is_sent_before_the_end() -> None:
    receiver = Scripted()
    outlet = Sender("here", receiver)
    outlet.send(sample(7))
    outlet.close()
    assert receiver.got == [7]
    outlet.send(sample(8))
    outlet.close()
    assert receiver.got == [7]


def test_a_sample_is_sent_though_the_end_comes_before_the_thread_has_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, may_run = Sender._run, threading.Event()
    monkeypatch.setattr(Sender, "_run", lambda self: may_run.wait(5) and run(self))
    receiver = Scripted()
    outlet = Sender("here", receiver)
    outlet.send(sample(7))
    end = threading.Thread(target=outlet.close)
    end.start()
    wait_for(lambda: outlet._closed)
    may_run.set()
    end.join(5)
    assert (receiver.got, outlet.status.sent, receiver.closed) == ([7], 1, 1)


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
        wait_for(lambda: receiver.got == [0, 2])
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


def test_a_receiver_that_is_not_ready_is_tried_again_without_a_new_connection() -> None:
    class Shy(Scripted):
        def send(self, each: Sample) -> str:
            message = super().send(each)
            if len(self.got) < 3:
                raise NotReadyError("click Allow")
            return message

    shy = Shy(repeat_s=0.01)
    seen = []
    with Sender("shy://", shy) as outlet:
        outlet.send(sample())
        wait_for(lambda: seen.append(outlet.status) or seen[-1].light == "sending")
    status = seen[-1]
    assert ("waiting", "click Allow") in [(one.light, one.message) for one in seen]
    assert (status.message, status.sent, status.dropped, len(shy.opened_at_s)) == ("", 0, 1, 1)


def test_what_never_waits_is_sent_where_it_comes_from() -> None:
    receiver = Scripted(at_once=True)
    with Sender("here", receiver) as outlet:
        outlet.send(sample(0))
        wait_for(lambda: outlet.status.sent == 1)
        for time_s in range(1, 20):
            outlet.send(sample(time_s))
            assert receiver.got[-1] == time_s
    assert set(receiver.threads[1:]) == {threading.current_thread().name}
    assert (outlet.status.sent, outlet.status.dropped) == (20, 0)
    assert receiver.closed == 1


@pytest.mark.parametrize("at_once", [False, True])
def test_what_waits_at_the_end_is_sent_once_and_in_order(at_once: bool) -> None:
    for _ in range(30):
        receiver = Scripted(waits=4, at_once=at_once)
        outlet = Sender("here", receiver)
        wait_for(lambda each=receiver: bool(each.opened_at_s))
        for time_s in range(4):
            outlet.send(sample(time_s))
        outlet.close()
        assert receiver.got == [0, 1, 2, 3]


def test_a_receiver_that_fails_at_once_is_opened_again() -> None:
    receiver = Scripted(waits=4, at_once=True)
    receiver.lost_at = {2, 3}
    with Sender("here", receiver) as outlet:
        for time_s in range(3):
            outlet.send(sample(time_s))
        wait_for(lambda: outlet.status.light == "lost")
        assert outlet.status.message == "the receiver went away"
        outlet.send(sample(3))
        wait_for(lambda: len(receiver.opened_at_s) == 2)
        wait_for(lambda: outlet.status.dropped == 1)
        outlet.send(sample(4))
        wait_for(lambda: len(receiver.opened_at_s) >= 3)
        outlet.send(sample(5))
        wait_for(lambda: receiver.got[-1] == 5)
    assert outlet.status.sent + outlet.status.dropped == 6


def test_a_receiver_that_is_looked_for_makes_nobody_wait() -> None:
    class Unknown(Scripted):
        def open(self) -> None:
            self.free.wait(5)

    unknown = Unknown(at_once=True)
    unknown.free.clear()
    with Sender("slow", unknown) as outlet:
        start_s = perf_counter()
        outlet.send(sample(0))
        assert perf_counter() - start_s < 0.5
        assert unknown.got == []
        unknown.free.set()
        wait_for(lambda: unknown.got == [0])


def test_a_receiver_that_makes_its_caller_wait_is_left_to_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "LONGEST_AT_ONCE_S", 0.01)
    slow = Scripted(at_once=True)
    with Sender("slow", slow) as outlet:
        outlet.send(sample(0))
        wait_for(lambda: outlet.status.sent == 1)
        slow.pause_s = 0.2
        outlet.send(sample(1))
        start_s = perf_counter()
        outlet.send(sample(2))
        assert perf_counter() - start_s < 0.15
        wait_for(lambda: slow.got == [0, 1, 2])
    assert slow.threads[1:] == [threading.current_thread().name, "send slow"]
