"""The WebSocket protocol: checked messages from a client, and close codes."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from visavis.base.reading import parse_json
from visavis.base.words import counted
from visavis.channels import EXPRESSIONS
from visavis.errors import VisavisError
from visavis.reaction.sound_stream import RATES_HZ
from visavis.reaction.style import CONTROLS, Style
from visavis.serve.messages import (
    CalibrateMessage,
    ExpressMessage,
    FaceTokensMessage,
    FrameMessage,
    GuideMessage,
    ListenMessage,
    Message,
    OutputMessage,
    PaceMessage,
    ProfileMessage,
    RecordMessage,
    ResumeMessage,
    SettingsMessage,
    SoundMessage,
    Wish,
)

PROTOCOL_VERSION = 1
MAGIC = b"VV"
FRAME_KIND, SOUND_KIND = 1, 2
# magic, version, kind, frame id or sampling rate, client time in seconds; a JPEG file or sound follows.
HEADER = struct.Struct("<2sBBId")
MAX_MESSAGE_BYTES = 1 << 20  # ten times a 640x480 JPEG of high quality
MAX_TEXT_BYTES = 4096
MAX_TIME_S = 1e9
MAX_SOUND_S = 0.5  # maximum in one message
MAX_SEED = 2**32 - 1
SESSION_NAME = re.compile(r"[A-Za-z0-9_-]{16,64}")
_MAX_REASON_BYTES = 123  # RFC 6455, section 5.5: a control frame holds 125 bytes; two are the code


class Close(IntEnum):
    """Why the server ends a connection.

    A client reconnects after RESTARTING, FAILED, IDLE, TOO_FAST and FULL.
    """

    TOO_BIG = 1009
    FAILED = 1011
    RESTARTING = 1012
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    BAD_VERSION = 4406
    IDLE = 4408
    REPLACED = 4409
    TOO_FAST = 4420
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


Switch = FaceTokensMessage | GuideMessage | PaceMessage | ProfileMessage | RecordMessage
SWITCHES: dict[str, tuple[str, Callable[[bool], Switch]]] = {
    "face_tokens": ("on", FaceTokensMessage),
    "guide": ("on", GuideMessage),
    "pace": ("on", PaceMessage),
    "profile": ("keep", ProfileMessage),
    "record": ("on", RecordMessage),
}


def session_name(text: str | None) -> str:
    """The name of a session for viewer pages; empty if there is none.

    Raises:
        HangupError: the text is no such name.
    """
    if text and SESSION_NAME.fullmatch(text) is None:
        raise HangupError(
            Close.BAD_MESSAGE,
            "the session's name must have 16 to 64 letters, digits, - or _: reload the page, or copy its "
            "address anew",
        )
    return text or ""


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
            Close.BAD_MESSAGE, f"a frame of {counted(len(data), 'byte')}; its header alone has {HEADER.size}"
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
    if not 0 <= time_s <= MAX_TIME_S:
        raise HangupError(
            Close.BAD_MESSAGE, f"frame time {time_s}; expected seconds from 0 to {MAX_TIME_S:.0e}"
        )
    return FrameMessage(frame_id, time_s, bytes(data[HEADER.size :]))


def _sound(rate_hz: int, time_s: float, pcm: bytes) -> SoundMessage:
    problem = ""
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        problem = f"sound at {rate_hz} Hz; expected {RATES_HZ[0]} to {RATES_HZ[1]} Hz"
    elif not 0 <= time_s <= MAX_TIME_S:
        problem = f"sound's time {time_s}; expected seconds from 0 to {MAX_TIME_S:.0e}"
    elif len(pcm) % 2 or not 0 < len(pcm) <= 2 * rate_hz * MAX_SOUND_S:
        problem = f"{counted(len(pcm), 'byte')} of sound; expected 16-bit samples, at most {MAX_SOUND_S:g} s"
    if problem:
        raise RefusedError("bad_sound", problem)
    return SoundMessage(rate_hz, time_s, pcm)


def _listen(message: dict[str, Any], text: str) -> ListenMessage:
    on, seed, style = (message.get(name) for name in ("on", "seed", "style"))
    known = message.keys() == {"type", "on", "seed", "style"} and isinstance(on, bool)
    if known and type(seed) is int and 0 <= seed <= MAX_SEED:
        if style is None:
            return ListenMessage(bool(on), seed, None)
        if isinstance(style, dict) and style.keys() == set(CONTROLS):
            shares = {name: style[name] for name in CONTROLS}
            if all(type(share) in (int, float) and 0 <= share <= 1 for share in shares.values()):
                return ListenMessage(bool(on), seed, Style(**shares))
    style_form = f"{{{', '.join(CONTROLS)}: 0 to 1}}"
    raise _unexpected(
        f'"type": "listen", "on": bool, "seed": 0 to {MAX_SEED}, "style": null or {style_form}', text
    )


def _unexpected(fields: str, found: str) -> RefusedError:
    return RefusedError("bad_request", f"expected {{{fields}}}; found {found[:60]!r}")


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
        raise _unexpected(f'"type": "{kind}", "{name}": bool', text)
    if kind == "express":
        label = message.get("label")
        if message.keys() == {"type", "label"} and (label is None or label in EXPRESSIONS):
            return ExpressMessage(label)
        raise _unexpected(f'"type": "express", "label": null or one of {", ".join(EXPRESSIONS)}', text)
    if kind == "output":
        address, on = message.get("address"), message.get("on")
        if message.keys() == {"type", "address", "on"} and isinstance(address, str) and isinstance(on, bool):
            return OutputMessage(address, on)
        raise _unexpected('"type": "output", "address": text, "on": bool', text)
    if kind == "resume":
        token = message.get("token")
        if message.keys() == {"type", "token"} and (token is None or isinstance(token, str)):
            return ResumeMessage(token)
        raise _unexpected('"type": "resume", "token": text or null', text)
    if kind == "listen":
        return _listen(message, text)
    if kind == "settings" and message.keys() == {"type", "read_expressions", "mirror"}:
        read_expressions, mirror = message["read_expressions"], message["mirror"]
        if isinstance(read_expressions, bool) and isinstance(mirror, bool):
            return SettingsMessage(read_expressions, mirror)
    raise HangupError(
        Close.BAD_MESSAGE,
        f"expected a message of type settings, calibrate, listen, output, express, resume, "
        f"{', '.join(SWITCHES)}, with the fields that docs/reference/protocol.md names; found {text[:60]!r}",
    )


def encode_frame(frame_id: int, time_s: float, jpeg: bytes) -> bytes:
    """The binary message that :func:`decode_message` reads as a :class:`FrameMessage`."""
    return HEADER.pack(MAGIC, PROTOCOL_VERSION, FRAME_KIND, frame_id, time_s) + jpeg


def encode_sound(rate_hz: int, time_s: float, pcm: bytes) -> bytes:
    """The binary message that :func:`decode_message` reads as a :class:`SoundMessage`."""
    return HEADER.pack(MAGIC, PROTOCOL_VERSION, SOUND_KIND, rate_hz, time_s) + pcm
