from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.cli.send import describe
from visavis.live_link import Packet
from visavis.outputs.registry import output_schemes
from visavis.outputs.sender import Status
from visavis.track import Track


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as each:
        each.bind(("127.0.0.1", 0))
        each.settimeout(2)
        yield each


@pytest.fixture
def track(tmp_path: Path) -> Path:
    face = np.zeros((6, len(FACE_CHANNELS)), np.float32)
    face[:, FACE_INDEX["jawOpen"]] = 0.5
    nothing = np.full((6, 25), np.nan)
    Track(np.arange(6) / 30, face, nothing, np.ones(6, bool), 30.0).save(tmp_path / "t.npz")
    return tmp_path / "t.npz"


def test_a_track_is_sent_into_other_programs(
    visavis, track: Path, receiver: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    port = receiver.getsockname()[1]
    to = f"livelink://127.0.0.1:{port}/Anna"
    assert visavis("run", track, "--send", to, "--send", "osf://127.0.0.1:9", "--json") == 0
    packets = [Packet.decode(receiver.recv(4096)) for _ in range(2)]
    assert {packet.subject for packet in packets} == {"Anna"}
    assert all(packet.face is not None and packet.face[FACE_INDEX["jawOpen"]] == 0.5 for packet in packets)
    out, err = capsys.readouterr()
    assert out.startswith("{")
    told, *lines = err.splitlines()
    assert told.startswith("osf://127.0.0.1:9: nobody listens at port 9 of 127.0.0.1: start the program")
    assert [line.split(": ")[0] for line in lines] == [to, "osf://127.0.0.1:9"]
    assert all(" sent, " in line for line in lines)


def test_a_virtual_camera_shows_a_motion(
    visavis, track: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = Mock(device="OBS Virtual Camera")
    monkeypatch.setitem(sys.modules, "pyvirtualcam", Mock(Camera=lambda *_, **__: camera))
    motion = tmp_path / "m.motion3.json"
    assert visavis("run", track, "--motion", motion) == 0
    capsys.readouterr()
    assert visavis("run", motion, "--send", "camera://?size=64", "--json") == 0
    (output,) = json.loads(capsys.readouterr().out)["outputs"]
    assert output["sent"] >= 1
    assert camera.send.call_args.args[0].shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nosuch://localhost", "no output is called 'nosuch'; there are camera"),
        ("localhost:39539", "'localhost:39539' is no address; expected one such as"),
        ("livelink://localhost:70000", "Port out of range"),
        ("osf://localhost/name", "'name' means nothing here"),
        ("osf://me:secret@localhost", "has no user and no password"),
        *((f"{scheme}://a..b", "is called 'a..b'") for scheme in output_schemes() if scheme != "camera"),
    ],
)
def test_an_address_that_is_not_understood_is_one_line_and_status_2(
    visavis, track: Path, address: str, message: str
) -> None:
    assert message in visavis.error("run", track, "--send", "livelink://127.0.0.1:9", "--send", address)


def test_how_an_output_did() -> None:
    assert describe(Status("vmc://h", "sending", "", 3, 1, 0.5)) == "vmc://h: 3 samples sent, 1 dropped"
    lost = Status("vmc://h", "lost", "nobody answers", 0, 2, 0.0)
    assert describe(lost) == "vmc://h: 0 samples sent, 2 dropped; nobody answers"


def test_json_says_how_each_output_did(visavis, track: Path) -> None:
    [output] = visavis.json("run", track, "--send", "vts://127.0.0.1:9", "--json")["outputs"]
    assert output["address"] == "vts://127.0.0.1:9"
    assert output["sent"] == 0
    assert "VTube Studio" in output["message"]
