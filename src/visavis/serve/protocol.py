"""The WebSocket protocol: checked messages from a client, and close codes."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from visavis.base.reading import parse_json
from visavis.capture.image_header import image_size
from visavis.errors import InputError, VisavisError
from visavis.reaction.sound_stream import RATES_HZ
from visavis.reaction.temperament import CONTROLS, Temperament

PROTOCOL_VERSION = 1
MAGIC = b"VV"
FRAME_KIND, SOUND_KIND = 1, 2
# magic, version, kind, frame id or sampling rate, client time in seconds; a JPEG file or sound follows.
HEADER = struct.Struct("<2sBBId")
MAX_MESSAGE_BYTES = 1 << 20  # ten times a 640x480 JPEG of high quality
MAX_TEXT_BYTES = 4096
MAX_IMAGE_PIXELS = 4_000_000
MAX_TIME_S = 1e9
MAX_SOUND_S = 0.5  # maximum in one message
MAX_SEED = 2**32 - 1
_MAX_REASON_BYTES = 123  # RFC 6455, section 5.5: a control frame holds 125 bytes; two are the code


class Close(IntEnum):
    """Why the server ends a connection; a client reconnects after RESTARTING, FAILED, IDLE and FULL."""

    TOO_BIG = 1009
    FAILED = 1011
    RESTARTING = 1012
    BAD_MESSAGE = 4400
    BAD_VERSION = 4406
    IDLE = 4408
    FULL = 4429


class HangupError(VisavisError):
    """The conversation cannot go on.

    Attributes:
        close: the close code.
    """

    def __init__(self, close: Close, message: str) -> None:
        super().__init__(message)
        self.close = close

    @property
    def reason(self) -> str:
        """The message, cut to the size of a close frame."""
        return str(self).encode()[:_MAX_REASON_BYTES].decode(errors="ignore")


class RefusedError(VisavisError):
    """A request that is refused; the conversation goes on.

    Attributes:
        code: a short name for programs.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class FrameMessage:
    """One picture from the client.

    Attributes:
        id: the client's number of the picture.
        time_s: time at which the client took the picture, on the client's own clock.
        jpeg: the file, not yet checked.
    """

    id: int
    time_s: float
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class SettingsMessage:
    """The person's settings.

    Attributes:
        read_emotions: whether emotions may be read.
        mirror: whether the avatar moves like a mirror image.
    """

    read_emotions: bool
    mirror: bool


@dataclass(frozen=True, slots=True)
class CalibrateMessage:
    """The face is neutral now."""


@dataclass(frozen=True, slots=True)
class GuideMessage:
    """Whether a guided calibration should run."""

    on: bool


@dataclass(frozen=True, slots=True)
class ProfileMessage:
    """Whether the person's profile should be kept or forgotten."""

    keep: bool


@dataclass(frozen=True, slots=True)
class WordsMessage:
    """Whether answers should contain the face's token."""

    on: bool


@dataclass(frozen=True, slots=True)
class SoundMessage:
    """A stretch of the person's sound.

    Attributes:
        rate_hz: samples per second.
        time_s: time of the first sample, on the clock of the frames.
        pcm: mono samples, 16-bit integers, little-endian.
    """

    rate_hz: int
    time_s: float
    pcm: bytes


@dataclass(frozen=True, slots=True)
class ListenMessage:
    """Whether the avatar should listen instead of mirror, and which listener it is.

    Attributes:
        on: whether the avatar listens.
        seed: a different seed gives a different listener.
        temperament: temperament of the listener; None draws it at random.
    """

    on: bool
    seed: int
    temperament: Temperament | None


Wish = SettingsMessage | CalibrateMessage | GuideMessage | ProfileMessage | WordsMessage | ListenMessage
Message = FrameMessage | SoundMessage | Wish
Switch = WordsMessage | GuideMessage | ProfileMessage
SWITCHES: dict[str, tuple[str, Callable[[bool], Switch]]] = {
    "words": ("on", WordsMessage),
    "guide": ("on", GuideMessage),
    "profile": ("keep", ProfileMessage),
}


def decode_message(data: bytes | str) -> Message:
    """Check one message from a client.

    Raises:
        HangupError: the message breaks the protocol.
        RefusedError: a malformed message of sound, or request for tokens, a listener, a guide or a profile.
    """
    return _decode_text(data) if isinstance(data, str) else _decode_binary(data)


def _decode_binary(data: bytes) -> FrameMessage | SoundMessage:
    if len(data) > MAX_MESSAGE_BYTES:
        raise HangupError(
            Close.TOO_BIG, f"a message of {len(data)} bytes; at most {MAX_MESSAGE_BYTES} are taken"
        )
    if len(data) < HEADER.size:
        raise HangupError(
            Close.BAD_MESSAGE, f"a frame of {len(data)} bytes; its header alone has {HEADER.size}"
        )
    magic, version, kind, frame_id, time_s = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise HangupError(Close.BAD_MESSAGE, f"a frame must begin with {MAGIC!r}; found {magic!r}")
    if version != PROTOCOL_VERSION:
        raise HangupError(
            Close.BAD_VERSION, f"protocol {version}; this server speaks {PROTOCOL_VERSION}: reload the page"
        )
    if kind == SOUND_KIND:
        return _sound(frame_id, time_s, bytes(data[HEADER.size :]))
    if kind != FRAME_KIND:
        raise HangupError(
            Close.BAD_MESSAGE,
            f"binary message of kind {kind}; expected {FRAME_KIND} (a frame) or {SOUND_KIND} (sound)",
        )
    if not (math.isfinite(time_s) and 0 <= time_s <= MAX_TIME_S):
        raise HangupError(
            Close.BAD_MESSAGE, f"frame time {time_s}; expected seconds from 0 to {MAX_TIME_S:.0e}"
        )
    return FrameMessage(frame_id, time_s, bytes(data[HEADER.size :]))


def _sound(rate_hz: int, time_s: float, pcm: bytes) -> SoundMessage:
    problem = ""
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        problem = f"sound at {rate_hz} Hz; expected {RATES_HZ[0]} to {RATES_HZ[1]} Hz"
    elif not (math.isfinite(time_s) and 0 <= time_s <= MAX_TIME_S):
        problem = f"sound's time {time_s}; expected seconds from 0 to {MAX_TIME_S:.0e}"
    elif len(pcm) % 2 or not 0 < len(pcm) <= 2 * rate_hz * MAX_SOUND_S:
        problem = f"{len(pcm)} bytes of sound; expected 16-bit samples, {MAX_SOUND_S:g} s of them at most"
    if problem:
        raise RefusedError("bad_sound", problem)
    return SoundMessage(rate_hz, time_s, pcm)


def _listen(message: dict[str, Any], text: str) -> ListenMessage:
    on, seed, temperament = (message.get(name) for name in ("on", "seed", "temperament"))
    known = message.keys() == {"type", "on", "seed", "temperament"} and isinstance(on, bool)
    if known and type(seed) is int and 0 <= seed <= MAX_SEED:
        if temperament is None:
            return ListenMessage(bool(on), seed, None)
        if isinstance(temperament, dict) and temperament.keys() == set(CONTROLS):
            shares = {name: temperament[name] for name in CONTROLS}
            if all(type(share) in (int, float) and 0 <= share <= 1 for share in shares.values()):
                return ListenMessage(bool(on), seed, Temperament(**shares))
    raise RefusedError(
        "bad_request",
        f'expected {{"type": "listen", "on": bool, "seed": 0 to {MAX_SEED}, "temperament": null or '
        f"{{{', '.join(CONTROLS)}: 0 to 1}}}}; found {text[:60]!r}",
    )


def _decode_text(text: str) -> Wish:
    if len(text) > MAX_TEXT_BYTES:
        raise HangupError(
            Close.TOO_BIG, f"a text of {len(text)} characters; at most {MAX_TEXT_BYTES} are taken"
        )
    try:
        message = parse_json(text)
    except ValueError as error:
        raise HangupError(Close.BAD_MESSAGE, f"a text message must be JSON: {error}") from error
    kind = message.get("type") if isinstance(message, dict) else None
    if kind == "calibrate" and message.keys() == {"type"}:
        return CalibrateMessage()
    if isinstance(kind, str) and kind in SWITCHES:
        name, made = SWITCHES[kind]
        if message.keys() == {"type", name} and isinstance(message[name], bool):
            return made(message[name])
        raise RefusedError(
            "bad_request", f'expected {{"type": "{kind}", "{name}": bool}}; found {text[:60]!r}'
        )
    if kind == "listen":
        return _listen(message, text)
    if kind == "settings" and message.keys() == {"type", "read_emotions", "mirror"}:
        read_emotions, mirror = message["read_emotions"], message["mirror"]
        if isinstance(read_emotions, bool) and isinstance(mirror, bool):
            return SettingsMessage(read_emotions, mirror)
    raise HangupError(
        Close.BAD_MESSAGE,
        'expected {"type": "settings", "read_emotions": bool, "mirror": bool}, {"type": "words", "on": bool},'
        ' {"type": "guide", "on": bool}, {"type": "profile", "keep": bool}, {"type": "listen", ...} or'
        f' {{"type": "calibrate"}}; found {text[:60]!r}',
    )


def encode_frame(frame_id: int, time_s: float, jpeg: bytes) -> bytes:
    """The binary message that :func:`decode_message` reads as a :class:`FrameMessage`."""
    return HEADER.pack(MAGIC, PROTOCOL_VERSION, FRAME_KIND, frame_id, time_s) + jpeg


def encode_sound(rate_hz: int, time_s: float, pcm: bytes) -> bytes:
    """The binary message that :func:`decode_message` reads as a :class:`SoundMessage`."""
    return HEADER.pack(MAGIC, PROTOCOL_VERSION, SOUND_KIND, rate_hz, time_s) + pcm


def check_jpeg(data: bytes) -> None:
    """Check a JPEG file before it is decoded.

    Raises:
        InputError: the file is not a JPEG, is cut off or damaged, or has more than MAX_IMAGE_PIXELS pixels.
    """
    if not data.startswith(b"\xff\xd8"):
        raise InputError(f"the frame is no JPEG: it begins with {data[:4]!r}")
    if not data.endswith(b"\xff\xd9"):
        raise InputError("the frame's JPEG is cut short: its end marker is missing")
    try:
        size = image_size(data)
    except ValueError as error:
        raise InputError(f"the frame's JPEG is damaged: {error}") from error
    if size is None or not 0 < size[0] * size[1] <= MAX_IMAGE_PIXELS:
        raise InputError(f"the frame's size in pixels is {size}; send 1 to {MAX_IMAGE_PIXELS} pixels")
