"""Outputs and viewer pages of a running server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from support.receivers import Shelf
from support.talking import receive, talk
from visavis.outputs.sender import Sender
from visavis.serve import broadcast
from visavis.serve.protocol import Close, encode_frame
from visavis.serve.server import Server

Jpeg = Callable[..., bytes]
NAME = "abcdefghijklmnop"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def sending(serving: Any, scripted: SimpleNamespace, shelf: Shelf) -> Iterator[Server]:
    with Sender("shelf://", shelf) as sender, serving(scripted.ScriptedPipeline, senders=(sender,)) as server:
        yield server


def show(socket: Any, jpeg: Jpeg, number: int) -> dict[str, Any]:
    """The moment of one more frame."""
    socket.send(encode_frame(number, 0.2 * number, jpeg()))
    while (message := receive(socket))["type"] != "moment":
        pass
    return message


def ended(socket: ClientConnection) -> int | None:
    """The close code, after all messages."""
    with suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=5)
    return socket.close_code


def test_the_oldest_session_is_sent(sending: Server, shelf: Shelf, jpeg: Jpeg) -> None:
    with talk(sending) as first:
        show(first, jpeg, 1)
        with talk(sending) as second:
            show(second, jpeg, 5)
            show(first, jpeg, 2)
            assert shelf.waited_for(2)
            assert [sample.time_s for sample in shelf.samples] == pytest.approx([0.2, 0.4])
            refused = {"type": "output", "address": "shelf://", "on": False}
            second.send(json.dumps(refused))
            assert receive(second)["code"] == "no_output"
    with talk(sending) as third:
        show(third, jpeg, 3)
        assert shelf.waited_for(3)


def test_the_page_sees_a_light_and_has_a_switch(
    sending: Server, shelf: Shelf, jpeg: Jpeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visavis.serve.sessions.LIGHTS_EVERY_S", 0.0)
    with talk(sending) as socket:
        show(socket, jpeg, 1)
        assert shelf.waited_for(1)
        lit = show(socket, jpeg, 2)["outputs"] or show(socket, jpeg, 3)["outputs"]
        assert lit == [{"address": "shelf://", "on": True, "light": "sending", "message": ""}]
        socket.send(json.dumps({"type": "output", "address": "shelf://", "on": False}))
        [off] = show(socket, jpeg, 4)["outputs"]
        assert not off["on"]
        show(socket, jpeg, 5)
        assert all(sample.time_s < 0.7 for sample in shelf.samples)


def test_the_log_says_once_what_a_person_must_do(
    sending: Server,
    shelf: Shelf,
    jpeg: Jpeg,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("visavis.serve.sessions.LIGHTS_EVERY_S", 0.0)
    shelf.message = "click Allow there"
    with talk(sending) as socket:
        for number in range(1, 5):
            show(socket, jpeg, number)
            assert shelf.waited_for(number)
    told = [record for record in caplog.records if record.name == broadcast.__name__]
    assert [(record.levelname, record.getMessage()) for record in told] == [
        ("WARNING", "shelf://: click Allow there")
    ]


def test_the_client_gets_the_face_that_outputs_get(sending: Server, shelf: Shelf, jpeg: Jpeg) -> None:
    with talk(sending) as socket:
        own = show(socket, jpeg, 1)["state"]
        socket.send(json.dumps({"type": "express", "label": "sad"}))
        moments = [show(socket, jpeg, number) for number in range(2, 12)]
        assert shelf.waited_for(11)
    assert moments[-1]["state"] == pytest.approx(shelf.samples[-1].state.values, abs=1e-4)
    assert moments[-1]["state"] != own


def test_a_viewer_sees_the_poses_of_the_named_session(server: Server, jpeg: Jpeg) -> None:
    address = server.url.replace("http", "ws")
    with talk(server, f"?session={NAME}") as shown, talk(server) as other:
        with connect(f"{address}ws/watch?session={NAME}") as viewer:
            for number in range(1, 200):
                show(other, jpeg, number)
                moment = show(shown, jpeg, number)
                with suppress(TimeoutError):
                    seen = json.loads(viewer.recv(timeout=0.1))
                    break
            assert seen["type"] == "pose"
            assert (seen["pose"], seen["state"]) == (moment["pose"], moment["state"])
            assert seen["mirrored"]
        # Nobody watches any more, and the session goes on.
        show(shown, jpeg, 300)


@pytest.mark.parametrize("name", ["", "short", "a" * 65, "spaces in a name here"])
def test_names_that_are_none(server: Server, name: str) -> None:
    for path in ("ws/watch", "ws") if name else ("ws/watch",):
        url = f"{server.url.replace('http', 'ws')}{path}?session={name.replace(' ', '%20')}"
        with connect(url) as socket:
            assert ended(socket) == Close.BAD_MESSAGE


def test_viewers_are_limited(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "MOST_VIEWERS", 0)
    with connect(f"{server.url.replace('http', 'ws')}ws/watch?session={NAME}") as viewer:
        assert ended(viewer) == Close.FULL
