"""The page's log of face tokens, run by Node: runs, their gaps and figures, and its size limit."""

from __future__ import annotations

from typing import Any

import pytest

from support.node import in_node, needs_node

pytestmark = needs_node
SAY = "const say = (log, tokens, fps) => tokens.forEach((w, i) => log.add(i / fps, w && { tokens: w }));"


def run(body: str) -> Any:
    return in_node("token_log.js", "MOST_RUNS, TokenLog", f"{SAY} {body}")


def test_equal_tokens_are_one_run_and_missing_faces_a_gap() -> None:
    runs = run(
        """const log = new TokenLog();
        say(log, [[417], [417], null, null, null, [417], [12, 407], [12, 407]], 25);
        console.log(JSON.stringify(log.runs.map(({ name, count }) => [name, count])));"""
    )
    assert runs == [["417", 2], [None, 3], ["417", 1], ["12·407", 2]]


def test_what_is_new_can_be_asked_for_by_number() -> None:
    numbers = run(
        """const log = new TokenLog();
        say(log, [[1], [2], [3]], 25);
        log.clear();
        say(log, [[4], [5], [6]], 25);
        console.log(JSON.stringify([0, 4, 9].map((from) => log.from(from).map(({ number }) => number))));"""
    )
    assert numbers == [[3, 4, 5], [4, 5], []]


def test_figures_are_of_the_recent_past() -> None:
    # 60 s: ten tokens in turn, five a second; then 90 s of one token.
    changes, distinct, later, left = run(
        """const log = new TokenLog();
        for (let i = 0; i < 1800; i += 1) log.add(i / 30, { tokens: [Math.floor(i / 6) % 10] });
        const figures = [log.changesPerS(60), log.distinct(60)];
        for (let i = 1800; i < 4500; i += 1) log.add(i / 30, { tokens: [77] });
        console.log(JSON.stringify([...figures, log.changesPerS(150), log.distinct(150)]));"""
    )
    assert changes == pytest.approx(5, abs=0.3)
    assert distinct == 10
    assert (later, left) == (0, 1)


def test_nothing_seen_is_no_figure() -> None:
    assert run(
        "const log = new TokenLog(); console.log(JSON.stringify([log.changesPerS(9), log.distinct(9)]))"
    ) == [0, 0]


def test_memory_is_bounded_whatever_the_rate() -> None:
    most, kept, over_a_minute = run(
        """const fast = new TokenLog(), slow = new TokenLog();
        for (let i = 0; i < 3 * MOST_RUNS; i += 1) fast.add(i / 1000, { tokens: [i] });
        for (let i = 0; i < 3000; i += 1) slow.add(i / 10, { tokens: [i] });
        console.log(JSON.stringify([MOST_RUNS, fast.runs.length, slow.runs.length]));"""
    )
    assert kept == most
    assert over_a_minute == 601
