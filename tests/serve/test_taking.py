"""Recordings that a page asks for, and expressions that it shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest

from support.pictures import jpeg
from support.talking import next_of, receive, talk
from visavis.motion.motion3 import read_motion3
from visavis.serve import taking
from visavis.serve.protocol import encode_frame
from visavis.serve.server import Server
from visavis.track import Track


def show(socket: Any, picture: bytes, number: int) -> dict[str, Any]:
    socket.send(encode_frame(number, 10 + 0.04 * number, picture))
    return next_of(socket, "moment")


def ask(socket: Any, **wish: object) -> dict[str, Any]:
    socket.send(json.dumps(wish))
    return receive(socket)


def fetch(server: Server, take: str, file: str, folder: Path) -> Path:
    with urlopen(f"{server.url}takes/{take}/{file}", timeout=10) as answer:  # noqa: S310
        (folder / file).write_bytes(answer.read())
    return folder / file


def test_a_recording_holds_the_frames_between_start_and_stop(server: Server, tmp_path: Path) -> None:
    with talk(server) as socket:
        receive(socket)
        show(socket, jpeg(), 1)
        assert ask(socket, type="record", on=True) == {"type": "record", "on": True, "take": None}
        moments = [show(socket, jpeg(level=128 if number != 4 else 0), number) for number in range(2, 7)]
        take = ask(socket, type="record", on=False)["take"]
        show(socket, jpeg(), 7)
        track = Track.load(fetch(server, take, "visavis.npz", tmp_path))
        motion = read_motion3(fetch(server, take, "visavis.motion3.json", tmp_path))
        with pytest.raises(HTTPError, match="404"):
            fetch(server, "another", "visavis.npz", tmp_path)
        with pytest.raises(HTTPError, match="404"):
            fetch(server, take, "visavis.txt", tmp_path)
    np.testing.assert_allclose(track.time_s, 0.04 * np.arange(5), atol=1e-9)
    assert track.found.tolist() == [True, True, False, True, True]
    assert track.fps == pytest.approx(25)
    np.testing.assert_allclose(track.face[0], moments[0]["state"], atol=1e-4)
    assert np.isfinite(track.expression[track.found]).all()
    assert motion.duration_s == pytest.approx(4 / 25, abs=0.05)


def test_nothing_to_record(server: Server) -> None:
    with talk(server) as socket:
        receive(socket)
        assert ask(socket, type="record", on=False)["code"] == "not_recorded"
        ask(socket, type="record", on=True)
        assert ask(socket, type="record", on=False)["code"] == "not_recorded"
        show(socket, jpeg(), 1)


def test_a_long_recording_ends_by_itself(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(taking, "MOST_FRAMES", 3)
    with talk(server) as socket:
        receive(socket)
        ask(socket, type="record", on=True)
        for number in range(6):
            show(socket, jpeg(), number)
        take = ask(socket, type="record", on=False)["take"]
        assert len(Track.load(fetch(server, take, "visavis.npz", tmp_path))) == 3


def test_a_recording_is_forgotten_with_its_session(server: Server, tmp_path: Path) -> None:
    with talk(server) as socket:
        receive(socket)
        ask(socket, type="record", on=True)
        show(socket, jpeg(), 1)
        show(socket, jpeg(), 2)
        take = ask(socket, type="record", on=False)["take"]
        ask(socket, type="record", on=True)
        with pytest.raises(HTTPError, match="404"):
            fetch(server, take, "visavis.npz", tmp_path)


@pytest.mark.parametrize("label", ["joy", 3, ["happy"]])
def test_no_such_expression(server: Server, label: object) -> None:
    with talk(server) as socket:
        receive(socket)
        assert ask(socket, type="express", label=label)["code"] == "bad_request"
