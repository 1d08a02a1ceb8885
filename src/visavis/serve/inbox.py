"""The inbox for one session's frames: the newest frame wins; under load, each session waits for its turn."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from visavis.base.clock import Clock
from visavis.serve.load import FULL_FPS, Attention, Counters, Load, Pace, is_news
from visavis.serve.messages import FrameMessage

# Under load, a frame's turn comes after this share of the time between frames at the wished rate.
TURN = 0.8


@dataclass(frozen=True, slots=True)
class Waiting:
    """A frame that waits for its answer.

    Attributes:
        message: the frame.
        since_s: the time since which it waits.
        spacing: how rarely expressions are read; see :class:`~visavis.serve.load.Load`.
    """

    message: FrameMessage
    since_s: float
    spacing: float = 1.0


class FrameInbox:
    """Holds one frame; it belongs to the event loop.

    Args:
        clock: measures waiting.
        counters: counts dropped frames of the whole server.

    Attributes:
        attention: sees each moment; it alone is used in the worker thread.
        dropped: number of frames that newer ones replaced before they were processed.
        served_s: time of the last answer, at first of the beginning.
        paced: whether the client wants to be told how often its pictures are needed.
    """

    def __init__(self, clock: Clock, counters: Counters | None = None) -> None:
        self.attention = Attention()
        self.dropped = 0
        self.served_s = self._began_s = clock.now_s()
        self.paced = False
        self._clock, self._counters = clock, counters or Counters()
        self._told = Pace(FULL_FPS, "full")
        self._frame: Waiting | None = None
        self._arrived = asyncio.Event()

    def offer(self, message: FrameMessage) -> None:
        """Put a frame into the inbox; it replaces a waiting frame, which is counted."""
        if self._frame is not None:
            self._drop("newer")
        self._frame = Waiting(message, self._clock.now_s())
        self._arrived.set()

    def offer_surplus(self, message: FrameMessage) -> None:
        """Put a frame of a client that sends too much into the inbox if no frame waits; else drop it."""
        if self._frame is None:
            self.offer(message)
        else:  # The one that waits will be answered, so the client never waits in vain.
            self._drop("rate")

    def _drop(self, reason: str) -> None:
        self.dropped += 1
        self._counters.dropped[reason] += 1

    async def take(self, load: Load) -> Waiting:
        """Wait for the newest frame; under load, not before its turn."""
        await self._arrived.wait()
        turn_s = self._began_s + TURN / load.fps if load.busy else 0.0
        if (early_s := turn_s - self._clock.now_s()) > 0:
            await asyncio.sleep(early_s)
        self._arrived.clear()
        waiting, self._frame = self._frame, None
        if waiting is None:
            raise RuntimeError("the inbox was opened by two readers")
        self._began_s = self._clock.now_s()
        return Waiting(waiting.message, max(waiting.since_s, turn_s), load.spacing)

    def answered(self, waiting: Waiting, load: Load) -> Pace | None:
        """Note that a frame was answered; returns the rate that the client should be told, if it is news."""
        self.served_s = self._clock.now_s()
        load.answered(self.served_s - waiting.since_s)
        pace = self.attention.pace(load)
        if not self.paced or not is_news(pace, self._told):
            return None
        self._told = pace
        return pace
