"""The log: no flood, no lines that break, no address of a computer."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

import pytest

from visavis.base.console import print_error, print_note
from visavis.serve import logs
from visavis.serve.logs import FIELDS, IN_S, MOST_LINES, Brake, JsonFormatter, TextFormatter, shortened


def record(text: str = "a line", line: int = 1, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("visavis", logging.WARNING, "file.py", line, text, (), None)
    setattr(made, FIELDS, fields)
    return made


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_repeated_lines_are_counted_and_summed() -> None:
    clock = Clock()
    brake = Brake(clock)
    passed = [brake.filter(record(f"number {number}")) for number in range(10_000)]
    assert sum(passed) == MOST_LINES
    assert brake.filter(record(line=2))  # Another place has its own budget,
    assert brake.filter(record(address="192.0.2.0/24"))  # and so have another network
    assert brake.filter(record(address="192.0.2.0/24", reason="idle"))  # and another reason.
    clock.now_s += IN_S
    late = record()
    assert brake.filter(late)
    assert late.getMessage() == f"a line (and {10_000 - MOST_LINES} more such lines in the last while)"
    fresh = record()
    assert brake.filter(fresh)
    assert fresh.getMessage() == "a line"


def test_many_networks_are_no_way_around_the_brake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_PLACES", 10)
    brake = Brake(Clock())
    assert sum(brake.filter(record(address=str(number))) for number in range(1000)) == 10 + MOST_LINES


def test_json_is_one_object_a_line() -> None:
    line = JsonFormatter().format(record('a "quoted"\nline', conversation=3, reason="idle"))
    assert "\n" not in line
    values = json.loads(line)
    assert values.pop("time").endswith("Z")
    assert values == {
        "level": "warning",
        "process": os.getpid(),
        "logger": "visavis",
        "message": 'a "quoted"\nline',
        "conversation": 3,
        "reason": "idle",
    }


def test_text_has_the_fields_too() -> None:
    assert (
        TextFormatter()
        .format(record(reason="idle", code=4408))
        .endswith('WARNING a line reason="idle" code=4408')
    )


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_an_error_is_logged_without_its_words(formatter: logging.Formatter) -> None:
    def fail() -> None:
        try:
            raise OSError(28, "No space left on device", "secret.npz")
        except OSError as error:
            raise ExceptionGroup("secret", [KeyError("secret"), ValueError("secret")]) from error

    made = record("a task failed\nfuture: ValueError('secret')")
    made.name = "asyncio"
    try:
        fail()
    except ExceptionGroup as error:
        made.exc_info = (type(error), error, error.__traceback__)
    text = formatter.format(made)
    assert "secret" not in text.replace('"secret', "")  # Lines of this file are no words of a client.
    for expected in ("a task failed", "ExceptionGroup", "KeyError", "ValueError", "No space left", "in fail"):
        assert expected in text


def test_notes_and_errors_are_lines_of_a_log_in_json(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    try:
        logs.configure("json")
        for number in range(2 * MOST_LINES):
            print_note(f"visavis is at {number}")
        print_error("it\nfails")
    finally:
        logs.configure(None)
    print_note("as ever")
    *lines, last = capfd.readouterr().err.splitlines()
    assert last == "as ever"
    events = [json.loads(line) for line in lines]
    assert [event["message"] for event in events[:-1]] == [
        f"visavis is at {number}" for number in range(2 * MOST_LINES)
    ]
    assert (events[-1]["level"], events[-1]["message"]) == ("error", "it fails")
    assert {event["process"] for event in events} == {os.getpid()}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("a socket", ""),
        ("", ""),
    ],
)
def test_addresses_are_shortened(address: str, network: str) -> None:
    assert shortened(address) == network
