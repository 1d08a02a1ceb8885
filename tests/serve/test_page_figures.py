"""The page's figures of speed, run by Node: received frames, drawn frames and their delay."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import visavis.serve

NODE = shutil.which("node")
MODULE = Path(visavis.serve.__file__).with_name("static") / "figures.js"
pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node")


def test_what_is_drawn_is_timed_from_when_its_frame_was_sent() -> None:
    script = f"""
        import {{ Figures }} from "{MODULE.as_uri()}";
        const figures = new Figures();
        const now = () => performance.timeOrigin + performance.now();
        const before = figures.drawnMs;
        figures.came({{ dropped: 2, sent: {{ atMs: now() - 100 }} }});
        figures.came({{ dropped: 5, sent: null }});
        const waiting = figures.drawnMs;
        figures.drawn();
        figures.drawn();
        const drawn = figures.drawnMs;
        figures.begin();
        console.log(JSON.stringify([before, waiting, drawn, figures.drawnMs, figures.moments,
                                    figures.dropped, figures.problems, figures.roundTripsPerS > 0]));"""
    command = [str(NODE), "--input-type=module", "-e", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    before, waiting, drawn, after, *counts = json.loads(done.stdout)
    nothing = [None, None]
    assert (before, waiting, after) == (nothing, nothing, nothing)
    assert drawn[0] == drawn[1] == pytest.approx(100, abs=60)
    assert counts == [2, 5, 0, True]
