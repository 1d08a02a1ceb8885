"""Conversations: tokens over a real socket, floods, slow readers and frames that hang."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from support import scripted_server as scripted
from support.pictures import jpeg
from support.talking import closed_with, next_of, receive, serving, talk
from visavis.pipeline import Moment
from visavis.serve import connection
from visavis.serve.load import NOBODY_FPS
from visavis.serve.protocol import Close, encode_frame
from visavis.types import Frame


def test_a_client_goes_on_with_its_token_even_on_a_full_server() -> None:
    with serving(scripted.ScriptedPipeline, sessions=1) as server:
        with talk(server) as client:
            client.send('{"type": "resume", "token": null}')
            client.send('{"type": "settings", "read_expressions": false, "mirror": false}')
            first = next_of(client, "resume")["token"]
            token = first
            for number in range(100):
                client.send(encode_frame(number, 1.0 + number, jpeg()))
                if (message := receive(client))["type"] == "resume":
                    token = message["token"]
                    break
                time.sleep(0.02)
            assert token != first
            client.socket.close()  # lost, without a closing handshake
        with talk(server) as stranger:
            assert closed_with(stranger) == Close.FULL
        with talk(server) as client:
            client.send(json.dumps({"type": "resume", "token": token}))
            assert receive(client)["type"] == "hello"
            client.send(encode_frame(1, 1.0, jpeg()))
            assert next_of(client, "moment")["expression"] is None


@pytest.mark.parametrize("token", ["nonsense", ""])
def test_a_bad_token_is_named_and_the_session_begins_anew(server: Any, token: str) -> None:
    with talk(server) as client:
        assert receive(client)["type"] == "hello"
        client.send(json.dumps({"type": "resume", "token": token}))
        assert receive(client)["code"] == "bad_token"
        client.send(encode_frame(1, 1.0, jpeg()))
        assert receive(client)["type"] == "moment"
        assert receive(client)["type"] == "resume"


def test_a_flood_of_texts_ends_with_a_named_code(server: Any) -> None:
    with talk(server) as client:
        with suppress(ConnectionClosed):
            for _ in range(2000):
                client.send('{"type": "calibrate"}')
        assert closed_with(client) == Close.TOO_FAST


def test_clients_that_ask_are_told_when_nobody_is_there(server: Any) -> None:
    with talk(server) as client:
        receive(client)
        client.send('{"type": "pace", "on": true}')
        for number, level in enumerate((128, 0, 0, 128)):
            client.send(encode_frame(number, 3.0 * number, jpeg(level=level)))
            receive(client)
            if number == 1:
                assert receive(client) == {"type": "pace", "fps": NOBODY_FPS, "why": "nobody"}
        assert receive(client)["why"] == "full"


def test_a_flood_of_junk_leaves_others_their_rate() -> None:
    junk = b"\xff\xd8" + np.random.default_rng(0).bytes(900_000) + b"\xff\xd9"
    with serving(scripted.ScriptedPipeline) as server, talk(server) as client, talk(server) as hostile:
        done = threading.Event()

        def attack() -> None:
            number = 0
            with suppress(ConnectionClosed):
                while not done.is_set():
                    number += 1
                    hostile.send(encode_frame(number, float(number), junk))

        thread = threading.Thread(target=attack)
        thread.start()
        receive(client)
        times_s = []
        for number in range(30):
            began_s = time.monotonic()
            client.send(encode_frame(number, number / 25, jpeg()))
            receive(client)
            times_s.append(time.monotonic() - began_s)
        done.set()
        hostile.socket.shutdown(2)
        thread.join(10)
    assert np.median(times_s) < 0.05


def test_a_frame_that_hangs_ends_its_session_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALL_S", 0.3)
    gate = threading.Event()

    class Stuck(scripted.ScriptedPipeline):  # type: ignore[misc]
        def step(self, frame: Frame) -> Moment:
            if frame.time_s > 100:
                gate.wait(20)
            return super().step(frame)  # type: ignore[no-any-return]

    with serving(Stuck, sessions=2) as server, talk(server) as client, talk(server) as other:
        pool = server.config.app.state.pool
        receive(client), receive(other)
        client.send(encode_frame(1, 200.0, jpeg()))
        assert closed_with(client) == Close.FAILED
        assert (pool.counters.stalled, pool.crew.abandoned) == (1, 1)
        other.send(encode_frame(1, 1.0, jpeg()))
        assert receive(other)["type"] == "moment"
        with talk(server) as third:  # The stuck work takes a place.
            assert closed_with(third) == Close.FULL
        gate.set()
