from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

import pytest

from support.samples import sample
from support.senders import wait_for
from visavis.outputs import datagrams
from visavis.outputs.datagrams import DATAGRAMS_WAIT, Datagrams
from visavis.outputs.formats.vmc import Encoder
from visavis.outputs.sample import Sample
from visavis.outputs.sender import NotReadyError, Sender


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


def test_datagrams_lose_nothing_while_the_receiver_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: object, **__: object) -> list[tuple[object, ...]]:
        begun.wait(5)
        return [(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP, "", ("127.0.0.1", 9))]

    begun = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    with Sender("here", Datagrams(("127.0.0.1", 9), Words())) as outlet:
        for time_s in range(DATAGRAMS_WAIT):
            outlet.send(sample(time_s))
        begun.set()
        wait_for(lambda: outlet.status.sent == DATAGRAMS_WAIT)
    assert outlet.status.dropped == 0


class Words:
    def encode(self, each: Sample) -> Sequence[bytes]:
        return [f"{each.time_s:g}a".encode(), f"{each.time_s:g}b".encode()]


def receiving(port: int = 0) -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    receiver.bind(("127.0.0.1", port))
    receiver.settimeout(2)
    return receiver


def test_datagrams_reach_a_receiver_that_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = receiving()
    port = receiver.getsockname()[1]
    with Sender("here", Datagrams(("127.0.0.1", port), Words())) as outlet:
        outlet.send(sample(1))
        assert [receiver.recv(10), receiver.recv(10)] == [b"1a", b"1b"]
        receiver.close()
        outlet.send(sample(2))
        wait_for(lambda: outlet.message != "")
        assert outlet.status.light == "waiting"
        assert outlet.message.startswith(f"nobody listens at port {port} of 127.0.0.1: start")
        with receiving(port) as again:
            outlet.send(sample(9))
            assert [again.recv(10), again.recv(10)] == [b"9a", b"9b"]
            monkeypatch.setattr(datagrams, "REFUSED_FOR_S", 0.0)
            outlet.send(sample(10))
            assert again.recv(10) == b"10a"
            wait_for(lambda: outlet.status.light == "sending")
    assert outlet.message == ""
    # All four samples were sent, also the one that nobody received, and the one after it that arrived.
    assert (outlet.status.sent, outlet.status.dropped) == (4, 0)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "n" * 70])
def test_an_unknown_computer_is_told(host: str) -> None:
    with Sender("here", Datagrams((host, 1), Words())) as outlet:
        wait_for(lambda: outlet.status.light == "lost")
        assert outlet.status.message == f"{host}: no computer of this name is known"


def test_a_full_network_loses_the_sample_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Datagrams(("127.0.0.1", 9), Words())
    connection.open()

    class Full:
        def send(self, data: bytes) -> int:
            raise BlockingIOError

        def close(self) -> None:
            pass

    assert not connection._socket.getblocking()
    connection.close()
    monkeypatch.setattr(connection, "_socket", Full())
    with pytest.raises(NotReadyError, match="too slow"):
        connection.send(sample(1))
