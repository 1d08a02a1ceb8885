from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from visavis.base.address import Address
from visavis.capture.datagram_source import MOST_DECODED, Datagram, DatagramSource, Hello, Inbox
from visavis.capture.tracked import TrackedFrame, state_of
from visavis.errors import DeviceError, InputError
from visavis.types import FaceState

PHONE, OTHER = ("192.168.1.7", 5000), ("192.168.1.8", 5000)
HERE = Address("test")


class Jaw:
    """Reads a number as jawOpen, "none" as no face and "hello" as nothing."""

    def decode(self, datagram: bytes) -> tuple[FaceState | None, ...]:
        text = datagram.decode()
        if text in ("none", "hello"):
            return (None,) if text == "none" else ()
        return (state_of({"jawOpen": float(text)}),)


class FastClock:
    """The computer's clock, forty times as fast."""

    def now_s(self) -> float:
        return 40 * time.perf_counter()

    def sleep_s(self, duration_s: float) -> None:
        time.sleep(max(duration_s, 0) / 40)


def jaw(state: FaceState | None) -> float | None:
    return None if state is None else round(state["jawOpen"], 3)


def seen(frame: TrackedFrame) -> float | None:
    return jaw(frame.faces[0].state) if frame.faces else None


def datagrams(*texts: str, sender: tuple[str, int] = PHONE) -> list[Datagram]:
    return [Datagram(text.encode(), sender) for text in texts]


@pytest.fixture
def send() -> Iterator[Callable[..., None]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:

        def to(port: int, *texts: str) -> None:
            for text in texts:
                phone.sendto(text.encode(), ("127.0.0.1", port))

        yield to


def test_the_newest_face_wins() -> None:
    inbox = Inbox(Jaw)
    assert inbox.take(datagrams("0.1", "0.2", "0.3"), 0.0)
    assert (jaw(inbox.state), inbox.read, inbox.sender) == (0.3, 3, PHONE)
    assert inbox.take(datagrams("none"), 0.1)
    assert inbox.state is None


def test_a_datagram_that_tells_nothing_is_no_news() -> None:
    inbox = Inbox(Jaw)
    inbox.take(datagrams("0.1"), 0.0)
    assert not inbox.take(datagrams("hello"), 0.1)
    assert (jaw(inbox.state), inbox.heard_s) == (0.1, 0.1)


def test_unreadable_datagrams_are_counted_and_give_nobody_the_word() -> None:
    inbox = Inbox(Jaw)
    assert not inbox.take([Datagram(b"\xff", OTHER), *datagrams("a", "nan", sender=OTHER)], 0.0)
    assert (inbox.unreadable, inbox.read, inbox.sender) == (3, 0, None)
    inbox.take(datagrams("a\n" * 9999, sender=OTHER), 0.0)
    assert len(inbox.complaint) <= 100
    assert "\n" not in inbox.complaint
    assert inbox.take(datagrams("0.5"), 0.1)
    assert inbox.sender == PHONE


def test_another_sender_takes_over_only_after_silence() -> None:
    inbox = Inbox(Jaw)
    inbox.take([*datagrams("0.1"), *datagrams("0.9", sender=OTHER)], 0.0)
    assert not inbox.take(datagrams("0.9", sender=OTHER), 1.9)
    assert (jaw(inbox.state), inbox.others, inbox.sender) == (0.1, 2, PHONE)
    assert not inbox.take(datagrams("hello", sender=OTHER), 2.0)
    assert (inbox.state, inbox.sender) == (None, OTHER)
    assert inbox.take(datagrams("0.8", sender=OTHER), 2.1)
    assert jaw(inbox.state) == 0.8


def test_each_sender_has_its_own_decoder() -> None:
    made: list[Jaw] = []

    def make() -> Jaw:
        made.append(Jaw())
        return made[-1]

    inbox = Inbox(make)
    for now_s, sender in ((0.0, PHONE), (0.1, PHONE), (5.0, OTHER), (5.1, OTHER)):
        inbox.take(datagrams("0.1", sender=sender), now_s)
    assert len(made) == 2


def test_only_the_newest_datagrams_of_a_flood_are_decoded() -> None:
    inbox = Inbox(Jaw)
    inbox.take(datagrams(*(f"0.{number:03}" for number in range(500))), 0.0)
    assert (inbox.read, jaw(inbox.state)) == (MOST_DECODED, 0.499)


def test_frames_come_as_faces_come(send: Callable[..., None]) -> None:
    with DatagramSource(HERE, 0, Jaw) as source:
        frames = iter(source)
        got = []
        for text in ("0.1", "0.2", "bad", "0.3", "none"):
            send(source.port, text)
            if text != "bad":
                got.append(next(frames))
    assert [seen(frame) for frame in got] == [0.1, 0.2, 0.3, None]
    assert [frame.index for frame in got] == [0, 1, 2, 3]
    times_s = [frame.time_s for frame in got]
    assert times_s == sorted(set(times_s))
    assert got[0].image_rgb.shape[1::-1] == source.size
    assert (
        "4 datagrams read, the last from 127.0.0.1; 1 could not be read (could not convert" in source.status
    )


def test_a_flood_gives_few_frames_with_the_newest_face(send: Callable[..., None]) -> None:
    with DatagramSource(HERE, 0, Jaw) as source:
        send(source.port, *(f"0.{number:02}" for number in range(60)))
        frames = iter(source)
        assert seen(next(frames)) == 0.59
        began_s = time.perf_counter()
        for number in range(5):
            send(source.port, f"0.{number}")
            next(frames)
        assert time.perf_counter() - began_s > 5 / 130


def test_a_silent_sender_loses_its_face_and_the_avatar_idles(send: Callable[..., None]) -> None:
    clock = FastClock()
    with DatagramSource(HERE, 0, Jaw, clock=clock) as source:
        frames = iter(source)
        assert [seen(next(frames)) for _ in range(2)] == [None, None]
        send(source.port, "0.5")
        face = next(frame for frame in frames if frame.faces)
        idle = [next(frames) for _ in range(4)]
        assert [seen(frame) for frame in idle] == [None] * 4
        assert idle[0].time_s - face.time_s >= 0.5
        assert idle[1].time_s - idle[0].time_s >= 0.1
        send(source.port, "0.6")
        assert any(frame.faces for frame, _ in zip(frames, range(20), strict=False))


def test_closing_ends_the_frames_at_once() -> None:
    source = DatagramSource(HERE, 0, Jaw)
    threading.Timer(0.05, source.close).start()
    began_s = time.perf_counter()
    assert len(list(source)) <= 2
    assert time.perf_counter() - began_s < 0.5


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with DatagramSource(HERE, 0, Jaw) as source:
        with pytest.raises(DeviceError, match=f"UDP port {source.port}, perhaps VSeeFace") as refused:
            DatagramSource(HERE, source.port, Jaw, usual="VSeeFace")
        assert f"(test://:{source.port + 1})" in str(refused.value)
        port = source.port
    DatagramSource(HERE, port, Jaw).close()


def test_both_families_of_addresses_are_heard() -> None:
    with DatagramSource(HERE, 0, Jaw) as source, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as phone:
        try:
            phone.sendto(b"0.5", ("::1", source.port))
        except OSError:
            pytest.skip("this computer has no IPv6")
        assert seen(next(iter(source))) == 0.5


def test_a_named_host_is_the_only_one_that_is_heard(send: Callable[..., None]) -> None:
    with DatagramSource(Address("test", "127.0.0.1"), 0, Jaw) as source:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            try:
                stranger.bind(("127.0.0.2", 0))
            except OSError:
                pytest.skip("this system has one address of its own only")
            stranger.sendto(b"0.9", ("127.0.0.1", source.port))
        send(source.port, "0.1")
        assert seen(next(iter(source))) == 0.1
        assert "1 of other senders ignored" in source.status


def test_an_unknown_host_is_refused() -> None:
    with pytest.raises(InputError, match=r"no computer or phone is called 'nobody\.invalid'"):
        DatagramSource(Address("test", "nobody.invalid"), 0, Jaw)


def waiting(phone: socket.socket) -> int:
    """Takes the datagrams that wait; returns how many they were."""
    phone.setblocking(False)
    for count in range(1000):
        try:
            phone.recvfrom(100)
        except BlockingIOError:
            return count
    raise AssertionError("a flood of requests")


@pytest.mark.parametrize("always", [True, False])
def test_a_sender_is_asked_while_it_is_silent_or_always(always: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(2.0)
        hello = Hello(phone.getsockname()[1], lambda port: b"%d" % port, every_s=0.05, always=always)
        with DatagramSource(Address("test", "127.0.0.1"), 0, Jaw, hello=hello) as source:
            frames = iter(source)
            assert seen(next(frames)) is None
            data, back = phone.recvfrom(100)
            assert (int(data), back[1]) == (source.port, source.port)
            assert seen(next(frames)) is None
            assert waiting(phone) >= 1
            steps_s = []
            for number in range(20):
                began_s = time.monotonic()
                phone.sendto(b"0.%d" % number, back)
                next(frames)
                if number == 0:
                    waiting(phone)
                steps_s.append(time.monotonic() - began_s)
            asked = waiting(phone) > 0
            assert asked == always or (
                asked and max(steps_s) >= hello.every_s
            )  # A busy computer is silent, too.
