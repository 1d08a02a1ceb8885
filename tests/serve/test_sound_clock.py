"""The page's clock of sound, run by Node: even times from uneven arrivals, after drift and jumps."""

from __future__ import annotations

import json

import numpy as np

from support.node import in_node, needs_node

pytestmark = needs_node
PIECE = 960  # 20 ms at 48 kHz


def times_ms(arrivals_ms: np.ndarray) -> np.ndarray:
    """When pieces were taken, by their arrivals."""
    body = (
        "const clock = new SoundClock(48000);"
        f"const at = {json.dumps(arrivals_ms.tolist())};"
        f"console.log(JSON.stringify(at.map((ms, k) => clock.timeOf({PIECE} * k, {PIECE}, ms))));"
    )
    return np.asarray(in_node("sound_clock.js", "SoundClock", body))


def test_uneven_arrivals_give_even_times() -> None:
    taken = 5000 + 20.0 * np.arange(500)
    late = np.random.default_rng(0).uniform(0, 60, 500)
    late[0] = 0
    found = times_ms(taken + 20 + late)
    assert np.abs(found - taken).max() < 10
    assert np.abs(np.diff(found) - 20).max() < 10


def test_a_slow_device_is_followed() -> None:
    taken = 20.004 * np.arange(3000)  # 0.02% slow: 12 ms in a minute.
    found = times_ms(taken + 20.004)
    assert np.abs(found - taken).max() < 2


def test_after_an_interruption_time_has_gone_on() -> None:
    taken = 20.0 * np.arange(100)
    taken[50:] += 3000
    found = times_ms(taken + 20)
    assert np.abs(found - taken).max() < 1
