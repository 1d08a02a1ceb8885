"""Finding VTube Studio by its announcements."""

from __future__ import annotations

import json
import socket
from threading import Thread
from time import sleep

import pytest

from support.phones import free_port
from visavis.outputs.vtube_studio import discovery
from visavis.outputs.vtube_studio.discovery import Announcement, hear_announcement, read_announcement

ELSEWHERE = "192.0.2.1"  # An address for documents: no computer has it (RFC 5737).
DATA = {"active": True, "port": 8002, "instanceID": "93aa0d0494304fddb057ae8a295c4e59"}


def announcement(**data: object) -> bytes:
    message = {
        "apiName": "VTubeStudioPublicAPI",
        "apiVersion": "1.0",
        "timestamp": 1630159656406,
        "messageType": "VTubeStudioAPIStateBroadcast",
        "requestID": "VTubeStudioAPIStateBroadcast",
        "data": {**DATA, "windowTitle": "VTube Studio", **data},
    }
    return json.dumps(message).encode()


def test_an_announcement_is_read() -> None:
    assert read_announcement(announcement(), "127.0.0.1") == Announcement("127.0.0.1", 8002, True, True)
    assert read_announcement(announcement(active=False), ELSEWHERE) == Announcement(
        ELSEWHERE, 8002, False, False
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"[" * 9999,
        announcement()[:-5],
        announcement(port=0),
        announcement(port=1 << 16),
        announcement(port="8001"),
        announcement(port=True),
        b'{"messageType": "VTubeStudioAPIStateBroadcast", "data": 7}',
    ],
)
def test_what_is_no_announcement_is_passed_over(data: bytes) -> None:
    assert read_announcement(data, "127.0.0.1") is None


@pytest.fixture
def port() -> int:
    return free_port()


def shout(port: int, *datagrams: bytes) -> Thread:
    def run() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
            for _ in range(20):
                sleep(0.02)
                for data in datagrams:
                    mouth.sendto(data, ("127.0.0.1", port))

    thread = Thread(target=run)
    thread.start()
    return thread


def test_an_active_program_of_this_computer_is_found_at_once(port: int) -> None:
    thread = shout(port, b"noise", announcement(active=False, port=8001), announcement())
    try:
        assert hear_announcement(5, port) == Announcement("127.0.0.1", 8002, True, True)
    finally:
        thread.join()


def test_the_program_of_this_computer_comes_before_others(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = shout(port, announcement(active=False, port=8001))
    try:
        assert hear_announcement(0.3, port) == Announcement("127.0.0.1", 8001, False, True)
        monkeypatch.setattr(discovery, "_is_here", lambda host: False)
        assert hear_announcement(0.05, port) in (None, Announcement("127.0.0.1", 8001, False, False))
    finally:
        thread.join()


def test_silence_or_a_closed_port_finds_nobody(port: int) -> None:
    assert hear_announcement(0.05, port) is None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", port))
        assert hear_announcement(5, port) is None
