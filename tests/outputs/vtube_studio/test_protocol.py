"""Sessions with VTube Studio: requests, answers, events, and what others send."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from visavis.errors import DeviceError
from visavis.outputs.vtube_studio import protocol
from visavis.outputs.vtube_studio.errors import VTubeStudioError
from visavis.outputs.vtube_studio.protocol import Data, StudioSession

Talk = Callable[[ServerConnection, dict[str, Any]], None]
ERROR = {"errorID": 202, "message": "gone"}


@contextmanager
def session_with(talk: Talk) -> Iterator[tuple[StudioSession, list[tuple[str, Data]], list[dict[str, Any]]]]:
    """A session with a server that handles each request like this; the events, and the requests."""
    requests: list[dict[str, Any]] = []
    events: list[tuple[str, Data]] = []

    def handle(connection: ServerConnection) -> None:
        for text in connection:
            requests.append(json.loads(text))
            talk(connection, requests[-1])

    with serve(handle, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        session = StudioSession(
            "127.0.0.1", server.socket.getsockname()[1], lambda *event: events.append(event)
        )
        try:
            yield session, events, requests
        finally:
            session.close()
            server.shutdown()
            thread.join()


def answer(connection: ServerConnection, kind: str, data: object, request_id: object) -> None:
    connection.send(json.dumps({"messageType": kind, "data": data, "requestID": request_id}))


def test_requests_are_numbered_and_answers_may_come_in_any_order() -> None:
    def later(connection: ServerConnection, request: dict[str, Any]) -> None:
        if len(requests) == 3:
            for one in reversed(requests):
                answer(connection, "Response", {"n": one["data"]["n"]}, one["requestID"])

    with session_with(later) as (session, _, requests):
        got: dict[int, Data] = {}
        for number in range(3):
            session.post("Kind", {"n": number}, lambda data, error, n=number: got.update({n: data}))
        assert session.unanswered("Kind") == 3
        while len(got) < 3:
            session.pump(0.1)
        assert got == {number: {"n": number} for number in range(3)}
        assert session.unanswered("Kind") == 0
        ids = [one["requestID"] for one in requests]
        assert len(set(ids)) == 3
        assert all(one.isascii() and 1 <= len(one) <= 64 for one in ids)
        assert {(one["apiName"], one["apiVersion"]) for one in requests} == {("VTubeStudioPublicAPI", "1.0")}


def test_events_foreign_answers_and_noise_are_never_taken_for_the_answer() -> None:
    def noisy(connection: ServerConnection, request: dict[str, Any]) -> None:
        for noise in ("", "{", "[]", "7", "[" * 9999, b"\xff", '{"messageType": 7}', "{}"):
            connection.send(noise)
        answer(connection, "TestEvent", {"counter": 1}, request["requestID"])
        answer(connection, "APIError", ERROR, "visavis0")
        answer(connection, "Response", {"mine": False}, None)
        answer(connection, "Response", [], request["requestID"])
        answer(connection, "Response", {"mine": True}, request["requestID"])
        answer(connection, "Response", {"mine": "twice"}, request["requestID"])

    with session_with(noisy) as (session, events, _):
        assert session.ask("Kind") == {"mine": True}
        assert session.ask("Kind") == {"mine": True}
        assert events == [("TestEvent", {"counter": 1})] * 2


@pytest.mark.parametrize(("data", "number"), [(ERROR, 202), ({}, -1), ({"errorID": True}, -1)])
def test_an_error_is_raised_with_its_number(data: dict[str, Any], number: int) -> None:
    def refuse(connection: ServerConnection, request: dict[str, Any]) -> None:
        answer(connection, "APIError", data, request["requestID"])

    with session_with(refuse) as (session, _, _), pytest.raises(VTubeStudioError) as raised:
        session.ask("Kind")
    assert raised.value.number == number


def test_silence_ends_the_session() -> None:
    with session_with(lambda *_: None) as (session, _, _):
        session.post("Kind", wait_s=0.1)
        session.pump(0.05)
        with pytest.raises(DeviceError, match="does not answer any more"):
            session.pump(0.2)


def test_a_closed_connection_ends_the_session() -> None:
    def leave(connection: ServerConnection, request: dict[str, Any]) -> None:
        connection.close()

    with session_with(leave) as (session, _, _):
        with pytest.raises(DeviceError, match="closed the connection"):
            session.ask("Kind")
        with pytest.raises(DeviceError, match="closed the connection"):
            session.post("Kind")
        session.close()


def test_a_flood_of_events_does_not_keep_the_session_busy_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MOST_AT_ONCE", 3)

    def flood(connection: ServerConnection, request: dict[str, Any]) -> None:
        for _ in range(9):
            answer(connection, "TestEvent", {}, "x")

    with session_with(flood) as (session, events, _):
        session.post("Kind")
        session.pump(5)
        assert 1 <= len(events) <= 3


def test_nobody_there_or_somebody_else_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def other() -> None:
            connection, _ = server.accept()
            connection.recv(4096)
            connection.sendall(b"SSH-2.0-other\r\n")
            connection.close()

        thread = Thread(target=other)
        thread.start()
        with pytest.raises(DeviceError, match=f"port {port}\\): another program answers there"):
            StudioSession("127.0.0.1", port, lambda *_: None)
        thread.join()
    with pytest.raises(DeviceError, match=f"port {port}\\) cannot be reached: start it, and switch on"):
        StudioSession("127.0.0.1", port, lambda *_: None)
