from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.base.osc import HEADER, LARGEST_DATAGRAM, FloatBundles, Message, bundles, decode, encode
from visavis.errors import InputError

osc_bundle = pytest.importorskip("pythonosc.osc_bundle")
packet = pytest.importorskip("pythonosc.osc_packet")
builder = pytest.importorskip("pythonosc.osc_message_builder")

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
ARGUMENTS = st.lists(
    st.floats(width=32, allow_nan=False) | st.integers(-(2**31), 2**31 - 1) | TEXT | st.booleans()
)


def bundle(*elements: bytes) -> bytes:
    return HEADER + b"".join(struct.pack(">i", len(each)) + each for each in elements)


def test_golden_message() -> None:
    assert encode("/ab", "x", 1.0, 2, True) == b"/ab\0,sfiT\0\0\0x\0\0\0\x3f\x80\0\0\0\0\0\x02"


def test_bundles_say_immediately() -> None:
    # osc-js holds a bundle of any other time back: findings/osc-js-bundles-wait.sh.
    (only,) = bundles([encode("/a")])
    assert only[8:16] == bytes(7) + b"\1"
    assert osc_bundle.OscBundle(only).timestamp == 0


@given(TEXT, ARGUMENTS)
def test_what_is_encoded_is_decoded(address: str, arguments: list[float | str]) -> None:
    message = encode(f"/{address}", *arguments)
    assert len(message) % 4 == 0
    assert decode(message) == [Message(f"/{address}", tuple(arguments))]


@given(TEXT, ARGUMENTS)
def test_another_library_reads_the_same(address: str, arguments: list[float | str]) -> None:
    (read,) = packet.OscPacket(encode(f"/{address}", *arguments)).messages
    assert (read.message.address, read.message.params) == (f"/{address}", arguments)


def test_types_of_another_library() -> None:
    message = builder.OscMessageBuilder("/all")
    values = [1, 0.5, "text", b"bytes", 2**40, 0.1, True, False, None, [3, [4]]]
    for value, kind in zip(values, [*"ifsbhdTFN", None], strict=True):
        message.add_arg(value, kind)
    assert decode(message.build().dgram) == [Message("/all", (*values[:-1], 3, 4))]


def test_bundles_hold_all_messages_in_order_and_fit_into_a_frame() -> None:
    messages = [encode("/VMC/Ext/Blend/Val", f"Name{number}", number / 100) for number in range(100)]
    packed = list(bundles(messages))
    assert all(len(each) <= LARGEST_DATAGRAM for each in packed)
    assert len(packed) == -(-sum(len(each) + 4 for each in messages) // (LARGEST_DATAGRAM - 60))
    assert [m.arguments[0] for each in packed for m in decode(each)] == [f"Name{i}" for i in range(100)]
    assert list(bundles([])) == []
    assert len(list(bundles([bytes(4000), bytes(4)]))) == 2


def test_floats_are_put_into_ready_bundles() -> None:
    messages = [(f"/some/long/address/{n}", f"word{n}", n, True, *[0.0] * (1 + n % 4)) for n in range(100)]
    floats = np.linspace(-1, 1, sum(1 + n % 4 for n in range(100)))
    ready = FloatBundles(messages)
    for values in (floats, np.zeros(len(floats)), floats[::-1]):
        rest = iter(values.tolist())
        made = [
            encode(*(next(rest) if isinstance(part, float) else part for part in each)) for each in messages
        ]
        assert ready.fill(values) == list(bundles(made))
    assert len(ready.fill(floats)) > 2


def test_bundles_in_bundles() -> None:
    assert decode(bundle(encode("/a"), bundle(encode("/b")), encode("/c"))) == [
        Message(f"/{x}") for x in "abc"
    ]


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"no slash\0\0\0\0",
        b"/never ends",
        b"/a\0\0i\0\0\0\0\0\0\1",
        b"/a\0\0,i\0\0\0\0",
        b"/a\0\0,Z\0\0\0\0\0\0",
        b"/\xff\0\0,\0\0\0",
        b"/a\0\0,b\0\0\xff\xff\xff\xff",
        b"/a\0\0,b\0\0\0\0\0\7abc\0",
        b"#bundle\0\0\0",
        HEADER + struct.pack(">i", -4),
        HEADER + struct.pack(">i", 0),
        HEADER + struct.pack(">i", 400) + encode("/a"),
        bundle(bundle(bundle(bundle(bundle(encode("/deep")))))),
    ],
)
def test_damaged_packets_are_refused(damaged: bytes) -> None:
    with pytest.raises(InputError, match="not an OSC packet"):
        decode(damaged)


def is_read_or_refused(packet_of_a_stranger: bytes) -> bool:
    try:
        return all(isinstance(each, Message) for each in decode(packet_of_a_stranger))
    except InputError:
        return True


@given(st.binary(max_size=200), st.sampled_from([b"", HEADER, b"/a\0\0,"]))
def test_garbage_is_refused(garbage: bytes, beginning: bytes) -> None:
    assert is_read_or_refused(beginning + garbage)


@given(st.integers(0, 127), st.integers(0, 255), st.integers(0, 128))
def test_a_changed_and_cut_packet_is_read_or_refused(place: int, value: int, length: int) -> None:
    whole = bytearray(
        bundle(encode("/VMC/Ext/Bone/Pos", "Head", *[0.5] * 7), encode("/VMC/Ext/OK", 1, 3, 0, 1))
    )
    assert len(whole) == 128
    whole[place] = value
    assert is_read_or_refused(bytes(whole[:length]))
