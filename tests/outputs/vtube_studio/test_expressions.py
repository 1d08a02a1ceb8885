"""Expressions: when they change, and which hotkey they mean."""

from __future__ import annotations

from itertools import pairwise

import pytest

from visavis.outputs.vtube_studio.expressions import HOLD_S, SETTLE_S, HeldExpression, find

FPS = 30


def changes(labels: list[str | None], start_s: float = 0.0) -> list[tuple[str | None, float]]:
    held, found = HeldExpression(), []
    last: str | None = None
    for index, label in enumerate(labels):
        now = held.update(label, start_s + index / FPS)
        if now != last:
            found.append((now, index / FPS))
        last = now
    return found


def seconds(label: str | None, duration_s: float) -> list[str | None]:
    return [label] * round(duration_s * FPS)


def test_an_expression_settles_holds_and_goes() -> None:
    found = changes(
        [*seconds("neutral", 1), *seconds("happy", 0.5), *seconds("neutral", 2), *seconds("sad", 3)]
    )
    assert [label for label, _ in found] == ["happy", None, "sad"]
    on, off, sad = (at_s for _, at_s in found)
    assert on == pytest.approx(1 + SETTLE_S, abs=1.5 / FPS)
    assert off == pytest.approx(on + HOLD_S, abs=1.5 / FPS)
    assert sad == pytest.approx(3.5 + SETTLE_S, abs=1.5 / FPS)


def test_flicker_and_a_lost_face_change_nothing_and_no_expression_lasts_less_than_a_second() -> None:
    flicker: list[str | None] = ["happy", "neutral", "sad", None] * 200
    assert changes(flicker) == []
    fast = [*seconds("happy", 0.4), *seconds("anger", 0.4)] * 20
    times_s = [at_s for _, at_s in changes(fast)]
    assert len(times_s) > 5
    assert all(b - a >= HOLD_S - 1e-9 for a, b in pairwise(times_s))


def test_a_clock_that_starts_again_does_not_hold_an_expression_for_ever() -> None:
    held = HeldExpression()
    for index in range(30):
        held.update("happy", 1000 + index / FPS)
    assert [held.update(None, index / FPS) for index in range(60)][-1] is None


HOTKEYS = [
    {"name": "Wave", "type": "TriggerAnimation", "file": "happy.motion3.json", "hotkeyID": "1"},
    {"name": "", "type": "ToggleExpression", "file": "Sad.exp3.json", "hotkeyID": "2"},
    {"name": " HAPPY ", "type": "ToggleExpression", "file": "smile.exp3.json", "hotkeyID": "3"},
    {"name": "No id", "type": "ToggleExpression", "file": "x.exp3.json"},
]
EXPRESSIONS = [{"name": "Sad", "file": "Sad.exp3.json"}, {"name": "anger", "file": "anger.exp3.json"}]


@pytest.mark.parametrize(
    ("name", "hotkey", "file"),
    [
        ("happy", "3", "smile.exp3.json"),
        ("sad", "2", "Sad.exp3.json"),
        ("anger", "", "anger.exp3.json"),
        ("Anger.exp3.json", "", "anger.exp3.json"),
        ("wave", "1", ""),
        ("2", "2", "Sad.exp3.json"),
    ],
)
def test_a_name_finds_a_hotkey_its_file_or_an_expression(name: str, hotkey: str, file: str) -> None:
    found = find(name, HOTKEYS, EXPRESSIONS)
    assert (found.hotkey, found.file) == (hotkey, file)


@pytest.mark.parametrize("name", ["fear", "No id", "x"])
def test_what_has_no_hotkey_finds_nothing(name: str) -> None:
    assert find(name, HOTKEYS, EXPRESSIONS) is None
