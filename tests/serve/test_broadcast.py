"""Outputs and viewer pages of a running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.sync.client import connect

from support import scripted_server as scripted
from support.pictures import jpeg
from support.receivers import Shelf
from support.talking import closed_with, next_of, receive, serving, talk
from visavis.outputs.sender import Sender
from visavis.serve import broadcast
from visavis.serve.protocol import Close, encode_frame
from visavis.serve.server import Server

NAME = "abcdefghijklmnop"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def sending(shelf: Shelf) -> Iterator[Server]:
    with Sender("shelf://", shelf) as sender, serving(scripted.ScriptedPipeline, senders=(sender,)) as server:
        yield server


def show(socket: Any, number: int) -> dict[str, Any]:
    """The moment of one more frame."""
    socket.send(encode_frame(number, 0.2 * number, jpeg()))
    return next_of(socket, "moment")


def test_the_oldest_session_is_sent(sending: Server, shelf: Shelf) -> None:
    with talk(sending) as first:
        show(first, 1)
        with talk(sending) as second:
            show(second, 5)
            show(first, 2)
            assert shelf.waited_for(2)
            assert [sample.time_s for sample in shelf.samples] == pytest.approx([0.2, 0.4])
            refused = {"type": "output", "address": "shelf://", "on": False}
            second.send(json.dumps(refused))
            assert receive(second)["code"] == "no_output"
    with talk(sending) as third:
        show(third, 3)
        assert shelf.waited_for(3)


def test_the_page_sees_a_light_and_has_a_switch(
    sending: Server, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visavis.serve.sessions.LIGHTS_EVERY_S", 0.0)
    with talk(sending) as socket:
        show(socket, 1)
        assert shelf.waited_for(1)
        lit = show(socket, 2)["outputs"] or show(socket, 3)["outputs"]
        assert lit == [{"address": "shelf://", "on": True, "light": "sending", "message": ""}]
        socket.send(json.dumps({"type": "output", "address": "shelf://", "on": False}))
        [off] = show(socket, 4)["outputs"]
        assert not off["on"]
        show(socket, 5)
        assert all(sample.time_s < 0.7 for sample in shelf.samples)


def test_the_log_says_once_what_a_person_must_do(
    sending: Server, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("visavis.serve.sessions.LIGHTS_EVERY_S", 0.0)
    shelf.message = "click Allow there"
    with talk(sending) as socket:
        for number in range(1, 5):
            show(socket, number)
            assert shelf.waited_for(number)
    told = [record for record in caplog.records if record.name == broadcast.__name__]
    assert [(record.levelname, record.getMessage()) for record in told] == [
        ("WARNING", "shelf://: click Allow there")
    ]


def test_the_client_gets_the_face_that_outputs_get(sending: Server, shelf: Shelf) -> None:
    with talk(sending) as socket:
        own = show(socket, 1)["state"]
        socket.send(json.dumps({"type": "express", "label": "sad"}))
        moments = [show(socket, number) for number in range(2, 12)]
        assert shelf.waited_for(11)
    assert moments[-1]["state"] == pytest.approx(shelf.samples[-1].state.values, abs=1e-4)
    assert moments[-1]["state"] != own


def test_a_viewer_sees_the_poses_of_the_named_session(server: Server) -> None:
    address = server.url.replace("http", "ws")
    with talk(server, f"?session={NAME}") as shown, talk(server) as other:
        with connect(f"{address}ws/watch?session={NAME}") as viewer:
            for number in range(1, 200):
                show(other, number)
                moment = show(shown, number)
                with suppress(TimeoutError):
                    seen = json.loads(viewer.recv(timeout=0.1))
                    break
            assert seen["type"] == "pose"
            assert (seen["pose"], seen["state"]) == (moment["pose"], moment["state"])
            assert seen["mirrored"]
        # Nobody watches any more, and the session goes on.
        show(shown, 300)


@pytest.mark.parametrize("name", ["", "short", "a" * 65, "spaces in a name here"])
def test_names_that_are_none(server: Server, name: str) -> None:
    for path in ("ws/watch", "ws") if name else ("ws/watch",):
        url = f"{server.url.replace('http', 'ws')}{path}?session={name.replace(' ', '%20')}"
        with connect(url) as socket:
            assert closed_with(socket) == Close.BAD_MESSAGE


def test_viewers_are_limited(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "MOST_VIEWERS", 0)
    with connect(f"{server.url.replace('http', 'ws')}ws/watch?session={NAME}") as viewer:
        assert closed_with(viewer) == Close.FULL
