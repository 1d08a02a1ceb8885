import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from visavis.base.batching import Answers, Arrays, BatchedNetwork
from visavis.base.networks import open_session

LONG_S = 20.0


class Held:
    """Doubles numbers; its first run waits until it is released. An item of NaN is an error."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.started, self.released = threading.Event(), threading.Event()

    def run(self, names: Sequence[str] | None, feed: Arrays, /) -> Answers:
        (numbers,) = feed.values()
        self.sizes.append(len(numbers))
        if len(self.sizes) == 1:
            self.started.set()
            assert self.released.wait(LONG_S)
        if np.isnan(numbers).any():
            raise ValueError(f"no number among {len(numbers)}")
        return [2 * numbers, -numbers] if names is None else [2 * numbers]


def queued(network: BatchedNetwork, held: Held, calls: Sequence[tuple[Any, Arrays]]) -> list[Any]:
    """The calls' answers or errors; the first call runs alone, the others wait for its end together."""
    with ThreadPoolExecutor(len(calls)) as pool:
        results = [pool.submit(network.run, *calls[0])]
        assert held.started.wait(LONG_S)
        for number, call in enumerate(calls[1:], 1):
            results.append(pool.submit(network.run, *call))
            while len(network._waiting) < number:
                time.sleep(0.001)
        held.released.set()
        return [result.exception(LONG_S) or result.result() for result in results]


def numbers(*values: float) -> Arrays:
    return {"numbers": np.asarray(values, np.float32)}


def test_calls_that_find_the_network_busy_share_the_next_run() -> None:
    held = Held()
    network = BatchedNetwork(held, most_items=4)
    feeds = [numbers(0), numbers(1), numbers(2, 3), numbers(4), numbers(5), numbers()]
    answers = queued(network, held, [(None, feed) for feed in feeds])
    assert held.sizes == [1, 4, 1]
    for feed, (twice, minus) in zip(feeds, answers, strict=True):
        np.testing.assert_array_equal(twice, 2 * feed["numbers"])
        np.testing.assert_array_equal(minus, -feed["numbers"])
    network.run(None, numbers(6, 7, 8, 9, 10))
    assert held.sizes[-1] == 5  # Larger than a shared run, and nobody waits: it is free again.


def test_only_calls_of_one_kind_share_a_run() -> None:
    held = Held()
    network = BatchedNetwork(held)
    wide = {"numbers": np.ones((1, 2), np.float32)}
    calls = [
        (None, numbers(0)),
        (None, numbers(1)),
        (["twice"], numbers(2)),
        (None, wide),
        (None, numbers(3)),
    ]
    answers = queued(network, held, calls)
    assert sorted(held.sizes) == [1, 1, 1, 2]
    assert [len(answer) for answer in answers] == [2, 2, 1, 2, 2]


def test_an_error_reaches_only_its_own_caller() -> None:
    held = Held()
    network = BatchedNetwork(held)
    values = (0, 1, np.nan, 3)
    answers = queued(network, held, [(None, numbers(value)) for value in values])
    assert held.sizes[:2] == [1, 3]
    assert [isinstance(answer, ValueError) for answer in answers] == [False, False, True, False]
    assert str(answers[2]) == "no number among 1"
    assert network.run(None, numbers(4))[0] == 8


def test_an_error_of_a_call_alone_leaves_the_network_free() -> None:
    held = Held()
    held.released.set()
    network = BatchedNetwork(held)
    with pytest.raises(ValueError, match="no number"):
        network.run(None, numbers(np.nan))
    assert network.run(None, numbers(1))[0] == 2


def test_an_interrupted_run_does_not_keep_the_others_waiting() -> None:
    class Interrupted(Held):
        def run(self, names: Sequence[str] | None, feed: Arrays, /) -> Answers:
            answer = super().run(names, feed)
            if len(self.sizes) == 2:
                raise KeyboardInterrupt
            return answer

    held = Interrupted()
    network = BatchedNetwork(held)
    answers = queued(network, held, [(None, numbers(n)) for n in range(4)])
    assert [isinstance(answer, KeyboardInterrupt) for answer in answers] == [False, True, False, False]
    assert network.run(None, numbers(4))[0] == 8


def test_lanes_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=LONG_S)

    class Meeting(Held):
        def run(self, names: Sequence[str] | None, feed: Arrays, /) -> Answers:
            both.wait()
            return list(feed.values())

    network = BatchedNetwork(Meeting(), lanes=2)
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(lambda n: network.run(None, numbers(n)), range(2)))


# Inputs that are rounded to 8 bits make the last digits of a sum larger.
@pytest.mark.parametrize(
    ("name", "int8_weights", "close"),
    [("face", False, 2e-5), ("face", True, 2e-3), ("expression", None, 2e-5)],
)
def test_shared_runs_of_real_networks_answer_as_calls_alone(
    name: str, int8_weights: bool | None, close: float
) -> None:
    session = open_session(name, 1, int8_weights)
    spec = session.get_inputs()[0]
    pictures = np.random.default_rng(1).integers(0, 256, (16, *spec.shape[1:])).astype(np.uint8)
    alone = [session.run(None, {spec.name: picture[None]}) for picture in pictures]
    network = BatchedNetwork(session)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda picture: network.run(None, {spec.name: picture[None]}), pictures))
    for one, other in zip(alone, together, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, atol=close)
