"""What the witness counts and logs of real conversations, and what it does not."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from support import scripted_server as scripted
from support.pictures import jpeg
from support.talking import closed_with, fetch, receive, serving, talk
from visavis.serve.logs import FIELDS, JsonFormatter
from visavis.serve.protocol import encode_frame, encode_sound
from visavis.serve.server import Server


def metric(server: Server, name: str) -> float:
    found = re.search(rf"^visavis_{re.escape(name)} (\S+)$", fetch(server, "metrics"), re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.fixture
def server(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.INFO, "visavis.serve.witness")
    with serving(scripted.ScriptedPipeline) as running:
        yield running


def events(caplog: pytest.LogCaptureFixture, message: str) -> list[dict[str, Any]]:
    return [getattr(one, FIELDS) for one in caplog.records if one.message == message]


def test_a_conversation_is_counted_and_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with talk(server, "?session=a-name-that-is-secret") as client:
        receive(client)
        for number, picture in ((1, jpeg()), (2, b"no picture"), (3, jpeg())):
            client.send(encode_frame(number, float(number), picture))
            receive(client)
        client.send(encode_sound(16000, 3.0, bytes(320)))
        assert metric(server, "sessions") == metric(server, "expression_spacing") == 1
        assert metric(server, "tasks") > 1
    assert metric(server, "frames_received_total") == 3
    assert metric(server, "frames_answered_total") == 2
    assert metric(server, 'frames_dropped_total{reason="bad_frame"}') == 1
    assert metric(server, 'errors_total{code="bad_frame"}') == 1
    assert metric(server, "answer_seconds_count") == 3
    assert metric(server, 'stage_seconds_count{stage="decode"}') == 2
    assert metric(server, "frames_waiting") == 0
    assert metric(server, "received_bytes_total") > 2 * len(jpeg())
    [opened], [closed] = events(caplog, "conversation opened"), events(caplog, "conversation closed")
    assert opened == {"conversation": 1, "path": "/ws", "address": "127.0.0.0/24"}
    assert closed.pop("duration_s") >= 0
    assert closed == opened | {
        "reason": "client_left",
        "code": 1000,
        "frames": 3,
        "answered": 2,
        "dropped": 0,
        "refused": 1,
    }
    text = "".join(JsonFormatter().format(one) for one in caplog.records)
    assert "secret" not in text
    assert "127.0.0.1" not in text


@pytest.mark.parametrize(
    ("message", "reason", "code"),
    [
        ("{not json", "bad_message", 4400),
        ('{"type": "not json"}', "bad_message", 4400),
        (b"VV\x07\x01" + bytes(20), "bad_version", 4406),
    ],
)
def test_the_reason_of_a_close_is_logged_without_the_clients_words(
    server: Server, caplog: pytest.LogCaptureFixture, message: bytes | str, reason: str, code: int
) -> None:
    caplog.set_level(logging.INFO)
    with talk(server) as client:
        receive(client)
        client.send('{"type": "express", "label": "not json"}')
        assert "not json" in str(receive(client))  # The client may see its own words.
        client.send(message)
        assert closed_with(client) == code
    assert metric(server, f'conversations_closed_total{{reason="{reason}"}}') == 1
    [closed] = events(caplog, "conversation closed")
    assert (closed["reason"], closed["code"]) == (reason, code)
    assert "not json" not in "".join(JsonFormatter().format(one) for one in caplog.records)


@pytest.mark.parametrize("code", [4429, 1011])
def test_a_client_cannot_blame_the_server(
    server: Server, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    caplog.set_level(logging.INFO)
    with talk(server) as client:
        receive(client)
        client.close(code)
    metric(server, "sessions")
    [closed] = events(caplog, "conversation closed")
    assert (closed["reason"], closed["code"]) == ("client_left", code)


def test_metrics_of_requests(server: Server) -> None:
    fetch(server, "live")
    assert metric(server, 'http_requests_total{status="200"}') >= 1
