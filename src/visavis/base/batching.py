"""Merging of calls: threads that ask one network at the same time share one run."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
Answers = list[NDArray[Any]]
# A run takes at most this many items; larger ones gain nothing and let the first caller wait.
MOST_ITEMS = 8


class AnyNetwork(Protocol):
    """What calls a network: ONNX Runtime's session, or a :class:`BatchedNetwork` around it."""

    def run(self, output_names: Sequence[str] | None, feed: Arrays, /) -> Answers:
        """The outputs of these names, in this order; None gives all."""


@dataclass(slots=True, eq=False)
class _Call:
    names: Sequence[str] | None
    feed: Arrays
    woken: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    answers: Answers | None = None

    @property
    def items(self) -> int:
        return len(next(iter(self.feed.values())))

    @property
    def kind(self) -> tuple[object, ...]:
        """Calls of one kind can share a run."""
        names = None if self.names is None else tuple(self.names)
        return names, *((name, array.dtype, array.shape[1:]) for name, array in self.feed.items())


class BatchedNetwork:
    """A network for many threads; calls that find it busy wait and share the next run.

    The first axis of every input and output counts the items. A call that finds the network free runs at once
    and alone, so one thread pays nothing. Answers do not depend on which calls share a run, apart from
    rounding. If a shared run fails, each of its calls runs alone: an error reaches only the caller that
    caused it.

    Args:
        network: its ``run`` can be used in several threads, as ONNX Runtime's can.
        most_items: largest number of items that calls share; a call of so many runs at once and alone.
        lanes: number of runs at the same time.
    """

    def __init__(self, network: AnyNetwork, most_items: int = MOST_ITEMS, lanes: int = 1) -> None:
        self._network = network
        self._most_items = most_items
        self._free = lanes
        self._waiting: deque[_Call] = deque()
        self._lock = threading.Lock()

    def run(self, output_names: Sequence[str] | None, feed: Arrays, /) -> Answers:
        """Ask the network; this waits for the answer.

        Args:
            output_names: names of the wanted outputs; None for all.
            feed: the inputs by name, each (N, ...).

        Returns:
            The outputs, each (N, ...).
        """
        call = _Call(output_names, feed)
        if call.items >= self._most_items:
            return self._network.run(output_names, feed)
        self._enter(call)
        if call.leads:
            together = [call]
            try:
                together += self._joining(call)
                self._run_together(together)
            finally:
                self._leave(together)
        if call.answers is None:
            return self._network.run(output_names, feed)
        return call.answers

    def _enter(self, call: _Call) -> None:
        """Return when the call leads a run, or when another call's run has taken it."""
        with self._lock:
            if self._free:
                self._free -= 1
                call.leads = True
                return
            self._waiting.append(call)
        try:
            call.woken.wait()
        except BaseException:  # An interrupt: nobody may wait for this call.
            with self._lock:
                if call in self._waiting:
                    self._waiting.remove(call)
            if call.leads:
                self._leave([])
            raise

    def _joining(self, leader: _Call) -> list[_Call]:
        """Take the waiting calls that can share the leader's run, first come first."""
        with self._lock:
            left, room = deque[_Call](), self._most_items - leader.items
            taken = []
            for call in self._waiting:
                if call.kind == leader.kind and call.items <= room:
                    taken.append(call)
                    room -= call.items
                else:
                    left.append(call)
            self._waiting = left
        return taken

    def _run_together(self, calls: Sequence[_Call]) -> None:
        """Answer the calls; calls of a shared run that fails stay without answers."""
        leader = calls[0]
        if len(calls) == 1:
            leader.answers = self._network.run(leader.names, leader.feed)
            return
        feed = {name: np.concatenate([call.feed[name] for call in calls]) for name in leader.feed}
        try:
            answers = self._network.run(leader.names, feed)
        except Exception:  # noqa: BLE001 - each call runs again alone, and gets its own error.
            return
        ends = np.cumsum([call.items for call in calls])
        parts = [np.split(answer, ends[:-1]) for answer in answers]
        for call, *own in zip(calls, *parts, strict=True):
            call.answers = own

    def _leave(self, done: Sequence[_Call]) -> None:
        """Wake the callers, and hand the lane to the call that has waited longest."""
        with self._lock:
            if self._waiting:
                following = self._waiting.popleft()
                following.leads = True
                following.woken.set()
            else:
                self._free += 1
        for call in done:
            call.woken.set()
