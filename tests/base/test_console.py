"""Texts on the terminal: they are printed as they are."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

from visavis.base import console

# Rich would draw an emoji, and take the rest as markup.
NAME = "clips/:on:/:cat: [bold]x[/] [link=foo]y.mp4"


@pytest.mark.parametrize(
    "prints",
    [
        console.print_error,
        console.print_note,
        console.print_line,
        lambda text: console.print_table([text, "n"], [[text, "1"]]),
    ],
)
def test_a_name_is_printed_as_it_is(
    prints: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    prints(NAME)
    out, err = capsys.readouterr()
    assert NAME in out + err


@pytest.mark.parametrize(
    "prints",
    [console.print_note, console.print_line, lambda text: console.print_table(["", "n"], [[text, "1"]])],
)
def test_a_name_with_line_breaks_and_other_controls_stays_on_its_line(
    prints: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    prints("a\nb\x1b[31m\u2028c.mp4: happy \N{LATIN SMALL LETTER E WITH ACUTE}")
    out, err = capsys.readouterr()
    assert "a\\nb\\x1b[31m\\u2028c.mp4: happy \N{LATIN SMALL LETTER E WITH ACUTE}" in out + err


def test_an_error_sends_no_control_character_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_error("a\nb\x1b[31m.mp4: no video")
    assert "a b\\x1b[31m.mp4: no video\n" in capsys.readouterr().err


def test_the_bar_shows_a_name_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")  # Whatever this terminal can do.
    monkeypatch.setenv("COLUMNS", "200")
    with console.progress(NAME, 2) as step:
        step()
    assert NAME in capsys.readouterr().err


def test_without_a_terminal_long_work_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock_s = iter([0.0, *range(1, 10_000)])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock_s))
    with console.progress("corpus", 1000) as step:
        for _ in range(59):
            step()
        assert capsys.readouterr().err == ""
        for _ in range(941):
            step()
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "corpus: 60 of 1000 frames after 1 min",
        "corpus: 120 of 1000 frames after 2 min",
        "corpus: 240 of 1000 frames after 4 min",
    ]
    assert len(lines) == 5
