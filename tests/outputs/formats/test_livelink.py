from __future__ import annotations

import socket

import pytest

from support.live_link_packets import packet
from support.samples import no_face, sample
from visavis.base.address import Address
from visavis.errors import InputError
from visavis.live_link import Packet
from visavis.outputs.formats.livelink import connect


def sent(address: str, *samples: object) -> list[bytes]:
    """What a receiver on this computer gets."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.2)
        connection = connect(Address.parse(address.format(port=receiver.getsockname()[1])))
        connection.open()
        for each in samples:
            assert connection.send(each) == ""
        connection.close()
        datagrams = []
        while True:
            try:
                datagrams.append(receiver.recv(4096))
            except TimeoutError:
                return datagrams


def test_one_packet_for_each_face() -> None:
    values = [0.0] * 61
    values[17], values[53] = 0.5, -0.25
    face = sample(time_s=1.5, jawOpen=0.5, pitch=0.25)
    assert sent("livelink://127.0.0.1:{port}", face) == [packet(values, frame=90)]


def test_without_a_face_nothing_is_sent() -> None:
    assert sent("livelink://127.0.0.1:{port}", no_face()) == []


def test_the_address_names_the_sender() -> None:
    (datagram,) = sent("livelink://127.0.0.1:{port}/Anna%20B", sample(jawOpen=0.5))
    assert Packet.decode(datagram).subject == "Anna B"


@pytest.mark.parametrize(
    ("address", "message"),
    [("livelink://localhost?fps=30", "no option fps"), (f"livelink://localhost/{'n' * 256}", "at most 255")],
)
def test_addresses_that_are_not_understood(address: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        connect(Address.parse(address))


def test_the_ports_default() -> None:
    assert connect(Address.parse("livelink://10.0.0.5")).endpoint == ("10.0.0.5", 11111)
