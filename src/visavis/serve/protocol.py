"""WebSocket messages from a client in, checked values out; moments in, JSON text out."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import __version__
from visavis.capture.image_header import image_size
from visavis.channels import ACTION_UNITS, EXPRESSIONS
from visavis.errors import InputError, VisavisError
from visavis.pipeline import Moment
from visavis.types import Emotion, Face

PROTOCOL_VERSION = 1
MAGIC = b"VV"
FRAME_KIND = 1
# magic, version, kind, frame id, client time in seconds; a JPEG file follows.
HEADER = struct.Struct("<2sBBId")
MAX_MESSAGE_BYTES = 1 << 20  # ten times a 640x480 JPEG of high quality
MAX_TEXT_BYTES = 4096
MAX_IMAGE_PIXELS = 4_000_000
MAX_TIME_S = 1e9
MODES = ("mirror",)
_MAX_REASON_BYTES = 123  # RFC 6455, section 5.5: a control frame holds 125 bytes, two are the code


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
        close: the close code to end it with.
    """

    def __init__(self, close: Close, message: str) -> None:
        super().__init__(message)
        self.close = close

    @property
    def reason(self) -> str:
        """The message, cut to what a close frame holds."""
        return str(self).encode()[:_MAX_REASON_BYTES].decode(errors="ignore")


@dataclass(frozen=True, slots=True)
class FrameMessage:
    """One picture from the client.

    Attributes:
        id: the client's number for it.
        time_s: when the client took it, on the client's own clock.
        jpeg: the file, not yet looked at.
    """

    id: int
    time_s: float
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class SettingsMessage:
    """What the person chose.

    Attributes:
        read_emotions: whether emotions may be read.
        mirror: whether the avatar moves like a mirror image.
    """

    read_emotions: bool
    mirror: bool


@dataclass(frozen=True, slots=True)
class CalibrateMessage:
    """The face is at rest now."""


Message = FrameMessage | SettingsMessage | CalibrateMessage


def decode_message(data: bytes | str) -> Message:
    """Check one message from a client.

    Raises:
        HangupError: it breaks the protocol.
    """
    return _decode_text(data) if isinstance(data, str) else _decode_frame(data)


def _decode_frame(data: bytes) -> FrameMessage:
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
    if kind != FRAME_KIND:
        raise HangupError(
            Close.BAD_MESSAGE, f"binary message of kind {kind}; expected {FRAME_KIND} (a frame)"
        )
    if not (math.isfinite(time_s) and 0 <= time_s <= MAX_TIME_S):
        raise HangupError(
            Close.BAD_MESSAGE, f"frame time {time_s}; expected seconds from 0 to {MAX_TIME_S:.0e}"
        )
    return FrameMessage(frame_id, time_s, bytes(data[HEADER.size :]))


def _decode_text(text: str) -> SettingsMessage | CalibrateMessage:
    if len(text) > MAX_TEXT_BYTES:
        raise HangupError(
            Close.TOO_BIG, f"a text of {len(text)} characters; at most {MAX_TEXT_BYTES} are taken"
        )
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HangupError(Close.BAD_MESSAGE, f"a text message must be JSON: {error}") from error
    kind = message.get("type") if isinstance(message, dict) else None
    if kind == "calibrate" and message.keys() == {"type"}:
        return CalibrateMessage()
    if kind == "settings" and message.keys() == {"type", "read_emotions", "mirror"}:
        read_emotions, mirror = message["read_emotions"], message["mirror"]
        if isinstance(read_emotions, bool) and isinstance(mirror, bool):
            return SettingsMessage(read_emotions, mirror)
    raise HangupError(
        Close.BAD_MESSAGE,
        'expected {"type": "settings", "read_emotions": bool, "mirror": bool} or {"type": "calibrate"};'
        f" found {text[:60]!r}",
    )


def encode_frame(frame_id: int, time_s: float, jpeg: bytes) -> bytes:
    """The binary message that :func:`decode_message` reads as a :class:`FrameMessage`."""
    return HEADER.pack(MAGIC, PROTOCOL_VERSION, FRAME_KIND, frame_id, time_s) + jpeg


def encode_hello(reads_emotions: bool) -> str:
    """The server's first message: what it is, what it offers, what it takes.

    Args:
        reads_emotions: whether this server can read emotions at all.
    """
    return _encode(
        type="hello",
        protocol=PROTOCOL_VERSION,
        version=__version__,
        modes=MODES,
        reads_emotions=reads_emotions,
        expressions=EXPRESSIONS,
        action_units=ACTION_UNITS,
        max_message_bytes=MAX_MESSAGE_BYTES,
        max_image_pixels=MAX_IMAGE_PIXELS,
    )


def encode_settings(settings: SettingsMessage) -> str:
    """The settings as the server took them; they hold from the next frame on."""
    return _encode(type="settings", read_emotions=settings.read_emotions, mirror=settings.mirror)


def encode_error(code: str, message: str, frame_id: int | None = None) -> str:
    """One clear line about what went wrong.

    Args:
        code: a short name for programs.
        message: the line for people.
        frame_id: the frame that it is about, which counts as answered.
    """
    return _encode(type="error", code=code, message=message, id=frame_id)


def encode_moment(
    moment: Moment, frame_id: int, timings_ms: dict[str, float], dropped: int, calibrated: bool | None
) -> str:
    """What was found in one frame.

    Args:
        moment: the pipeline's result.
        frame_id: the client's number for the frame.
        timings_ms: milliseconds by stage, the pipeline's own and the server's.
        dropped: frames of this session that newer ones have replaced unprocessed.
        calibrated: whether a calibration succeeded at this frame; None when none was asked for.
    """
    return _encode(
        type="moment",
        id=frame_id,
        time_s=moment.frame.time_s,
        faces=[_face(face) for face in moment.faces],
        emotion=None if moment.emotion is None else _emotion(moment.emotion, moment.label),
        pose={name: round(value, 4) for name, value in moment.pose.as_dict().items()},
        timings_ms={name: round(value, 2) for name, value in timings_ms.items()},
        dropped=dropped,
        calibrated=calibrated,
    )


def _face(face: Face) -> dict[str, Any]:
    return {
        "id": face.track_id,
        "score": round(float(face.score), 3),
        "box": _rounded(face.box_xyxy, 1),
        "landmarks": _rounded(face.landmarks_xy.ravel(), 1),
    }


def _emotion(emotion: Emotion, label: str | None) -> dict[str, Any]:
    return {
        "label": label,
        "expressions": _rounded(emotion.expressions, 4),
        "valence": round(float(emotion.valence), 4),
        "arousal": round(float(emotion.arousal), 4),
        "action_units": _rounded(emotion.action_units, 4),
    }


def _rounded(values: NDArray[np.float32], digits: int) -> list[float]:
    rounded: list[float] = np.round(values.astype(np.float64), digits).tolist()
    return rounded


def _encode(**fields: Any) -> str:
    return json.dumps(fields, allow_nan=False, separators=(",", ":"))


def check_jpeg(data: bytes) -> None:
    """Look at a JPEG file before anything is decoded.

    Raises:
        InputError: not a JPEG, cut short, damaged, or of more than MAX_IMAGE_PIXELS pixels.
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
