"""The page's figures of speed, run by Node: received frames, drawn frames and their delay."""

from __future__ import annotations

import pytest

from support.node import in_node, needs_node

pytestmark = needs_node


def test_what_is_drawn_is_timed_from_when_its_frame_was_sent() -> None:
    body = """
        const figures = new Figures();
        const now = () => performance.timeOrigin + performance.now();
        const before = figures.drawnMs;
        figures.came({ dropped: 2, sent: { atMs: now() - 100 } });
        figures.came({ dropped: 5, sent: null });
        const waiting = figures.drawnMs;
        figures.drawn();
        figures.drawn();
        const drawn = figures.drawnMs;
        figures.begin();
        console.log(JSON.stringify([before, waiting, drawn, figures.drawnMs, figures.moments,
                                    figures.dropped, figures.problems, figures.roundTripsPerS > 0]));"""
    before, waiting, drawn, after, *counts = in_node("figures.js", "Figures", body)
    nothing = [None, None]
    assert (before, waiting, after) == (nothing, nothing, nothing)
    assert drawn[0] == drawn[1] == pytest.approx(100, abs=60)
    assert counts == [2, 5, 0, True]
