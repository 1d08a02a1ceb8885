"""The inbox: newest first, surplus never leaves a client without an answer, and each waits its turn."""

from __future__ import annotations

import asyncio

import pytest

from visavis.base.clock import ManualClock
from visavis.serve.inbox import FrameInbox
from visavis.serve.load import LEAST_FPS, Counters, Load, Pace
from visavis.serve.messages import FrameMessage


def frame(number: int) -> FrameMessage:
    return FrameMessage(number, float(number), b"")


def slowed(clock: ManualClock) -> Load:
    load = Load(clock)
    load.sessions = 2
    while load.fps > LEAST_FPS:
        clock.sleep_s(0.1)
        load.answered(1.0)
    return load


def test_surplus_is_dropped_only_where_another_frame_waits() -> None:
    counters = Counters()
    inbox = FrameInbox(ManualClock(), counters)
    inbox.offer_surplus(frame(1))
    inbox.offer_surplus(frame(2))
    assert asyncio.run(inbox.take(Load(ManualClock()))).message.id == 1
    inbox.offer(frame(3))
    inbox.offer(frame(4))
    assert (inbox.dropped, dict(counters.dropped)) == (2, {"rate": 1, "newer": 1})


def test_under_load_a_frame_waits_for_its_turn_and_that_is_no_latency(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = ManualClock()
    load, waits = slowed(clock), list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.sleep_s(seconds)

    async def use() -> None:
        inbox = FrameInbox(clock)
        monkeypatch.setattr(asyncio, "sleep", sleep)
        for number in range(3):
            inbox.offer(frame(number))
            waiting = await inbox.take(load)
            assert waiting.since_s == pytest.approx(clock.now_s())

    asyncio.run(use())
    assert waits == pytest.approx([0.8 / LEAST_FPS] * 3)


def test_clients_that_ask_are_told_of_a_new_rate_once() -> None:
    clock = ManualClock()
    load, inbox = slowed(clock), FrameInbox(clock)

    def answer() -> Pace | None:
        inbox.offer(frame(1))
        clock.sleep_s(1.0)
        return inbox.answered(asyncio.run(inbox.take(load)), load)

    assert answer() is None
    inbox.paced = True
    assert answer() == Pace(LEAST_FPS, "load")
    assert answer() is None
