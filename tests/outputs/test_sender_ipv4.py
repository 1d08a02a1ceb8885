from __future__ import annotations

import socket

import pytest

from support.samples import sample
from visavis.outputs.formats.vmc import Encoder
from visavis.outputs.sender import Datagrams


def test_a_name_with_both_kinds_of_addresses_is_reached_by_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        kind = (socket.SOCK_DGRAM, socket.IPPROTO_UDP, "")
        return [(socket.AF_INET6, *kind, ("::1", port, 0, 0)), (socket.AF_INET, *kind, ("127.0.0.1", port))]

    with socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        connection = Datagrams(("localhost", receiver.getsockname()[1]), Encoder())
        monkeypatch.setattr(socket, "getaddrinfo", found)
        connection.open()
        connection.send(sample())
        connection.close()
        assert receiver.recv(2000).startswith(b"#bundle")
