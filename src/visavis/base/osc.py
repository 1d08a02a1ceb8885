"""Open Sound Control 1.0: messages and bundles as bytes, and bytes as messages.

The decoder is for packets from strangers. It reads each byte once, does not follow deep nesting, and refuses
a packet as a whole if any part of it is damaged. https://opensoundcontrol.stanford.edu/spec-1_0.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visavis.base.words import counted
from visavis.errors import InputError

Argument = float | str | bytes | bool | None

# The payload of one Ethernet frame of 1,500 bytes: a larger datagram would be sent in several parts, and the
# loss of one part would lose them all.
LARGEST_DATAGRAM = 1472
BUNDLE = b"#bundle\0"
# "Immediately": receivers must not wait for a time that their clock has not reached yet.
HEADER = BUNDLE + struct.pack(">q", 1)
DEEPEST_NESTING = 4

# Type tag -> its format. Colors, MIDI messages and time tags are read as whole numbers.
FIXED = {tag: struct.Struct(f">{code}") for tag, code in zip("ifhdtrmc", "ifqdQIII", strict=True)}
SIZE, FLOAT = FIXED["i"], FIXED["f"]
EMPTY: dict[str, Argument] = {"T": True, "F": False, "N": None, "I": None}


class Message(NamedTuple):
    """One message.

    Attributes:
        address: such as ``/VMC/Ext/Blend/Val``.
        arguments: numbers, strings, blobs and truth values, without the brackets of arrays.
    """

    address: str
    arguments: tuple[Argument, ...] = ()


def encode(address: str, *arguments: float | str | bool) -> bytes:
    """A message. An ``int`` is sent as ``i``, a ``float`` as ``f``, a truth value without a payload."""
    tags, payload = "", b""
    for argument in arguments:
        if isinstance(argument, float):
            tags += "f"
            payload += FLOAT.pack(argument)
        elif isinstance(argument, str):
            tags += "s"
            payload += _padded(argument)
        elif isinstance(argument, bool):
            tags += "T" if argument else "F"
        else:
            tags += "i"
            payload += SIZE.pack(argument)
    return _head(address, tags) + payload


@lru_cache(maxsize=1024)  # Each sample has the same few hundred messages.
def _head(address: str, tags: str) -> bytes:
    return _padded(address) + _padded(f",{tags}")


def bundles(messages: Iterable[bytes]) -> Iterator[bytes]:
    """Put messages into as few bundles as their order allows, each small enough for one datagram."""
    parts, length = [HEADER], len(HEADER)
    for message in messages:
        size = SIZE.size + len(message)
        if length + size > LARGEST_DATAGRAM and len(parts) > 1:
            yield b"".join(parts)
            parts, length = [HEADER], len(HEADER)
        parts += (SIZE.pack(len(message)), message)
        length += size
    if len(parts) > 1:
        yield b"".join(parts)


class FloatBundles:
    """The bundles of :func:`bundles` for messages that are sent again and again with other floats.

    Args:
        messages: address and arguments of each message, as :func:`encode` takes them; floats are places to
            fill, and everything else stays.
    """

    def __init__(self, messages: Iterable[Sequence[float | str | bool]]) -> None:
        messages = list(messages)

        def filled(value: float) -> list[bytes]:
            put = ([value if isinstance(part, float) else part for part in each] for each in messages)
            return list(bundles(encode(str(address), *rest) for address, *rest in put))

        one, other = filled(0.0), filled(1.0)
        self._words = np.frombuffer(bytearray(b"".join(one)), ">f4")  # All of OSC comes in units of 4 bytes.
        self._places = np.flatnonzero(self._words.view(">u4") != np.frombuffer(b"".join(other), ">u4"))
        ends = np.cumsum([len(bundle) for bundle in one]).tolist()
        self._parts = [slice(end - len(bundle), end) for end, bundle in zip(ends, one, strict=True)]

    def fill(self, floats: Sequence[float] | NDArray[np.floating]) -> list[bytes]:
        """The bundles with these floats (N,): those of the first message, of the second one, and so on."""
        self._words[self._places] = floats
        data = self._words.tobytes()
        return [data[part] for part in self._parts]


def decode(packet: bytes) -> list[Message]:
    """The messages of a packet, a message or a bundle, in their order; the times of bundles are ignored.

    Raises:
        InputError: the packet is no OSC, or is damaged.
    """
    try:
        return list(_messages(packet, DEEPEST_NESTING))
    except (struct.error, UnicodeDecodeError, IndexError, ValueError) as error:
        raise InputError(f"not an OSC packet ({counted(len(packet), 'byte')}): {error}") from error


def _messages(packet: bytes, depth: int) -> Iterator[Message]:
    if not packet.startswith(BUNDLE):
        yield _message(packet)
        return
    if not depth:
        raise ValueError(f"bundles are nested more than {DEEPEST_NESTING} deep")
    start = len(HEADER)
    if len(packet) < start:
        raise ValueError("the time of a bundle is cut")
    while start < len(packet):
        (size,) = struct.unpack_from(">i", packet, start)
        start += 4
        if not 0 < size <= len(packet) - start:
            raise ValueError(
                f"an element of a bundle has {counted(size, 'byte')}; left: {len(packet) - start}"
            )
        yield from _messages(packet[start : start + size], depth - 1)
        start += size


def _message(packet: bytes) -> Message:
    if not packet.startswith(b"/"):
        raise ValueError("a message must begin with a slash")
    address, start = _text(packet, 0)
    if start == len(packet):  # Old senders leave the type tags out if there are no arguments.
        return Message(address)
    tags, start = _text(packet, start)
    if not tags.startswith(","):
        raise ValueError("type tags must begin with a comma")
    arguments: list[Argument] = []
    for tag in tags[1:]:
        if fixed := FIXED.get(tag):
            arguments += fixed.unpack_from(packet, start)
            start += fixed.size
        elif tag in "sS":
            text, start = _text(packet, start)
            arguments.append(text)
        elif tag == "b":
            (size,) = struct.unpack_from(">i", packet, start)
            if not 0 <= size <= len(packet) - start - 4:
                raise ValueError(f"a blob has {counted(size, 'byte')}")
            arguments.append(packet[start + 4 : start + 4 + size])
            start += 4 + (size + 3) // 4 * 4
        elif tag in EMPTY:
            arguments.append(EMPTY[tag])
        elif tag not in "[]":
            raise ValueError(f"the type {tag!r} is not known")
    return Message(address, tuple(arguments))


def _text(packet: bytes, start: int) -> tuple[str, int]:
    """A string and the place after its padding."""
    end = packet.index(b"\0", start)
    return packet[start:end].decode(), min(start + (end - start) // 4 * 4 + 4, len(packet))


@lru_cache(maxsize=1024)
def _padded(text: str) -> bytes:
    data = text.encode()
    return data + bytes(4 - len(data) % 4)
