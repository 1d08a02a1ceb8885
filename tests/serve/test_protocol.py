"""Every message either means one thing or is refused with a clear line and the right code."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.errors import InputError
from visavis.serve import protocol
from visavis.serve.protocol import (
    HEADER,
    MAX_MESSAGE_BYTES,
    MAX_TEXT_BYTES,
    PROTOCOL_VERSION,
    CalibrateMessage,
    Close,
    FrameMessage,
    HangupError,
    Message,
    RefusedError,
    SettingsMessage,
    WordsMessage,
    check_jpeg,
    decode_message,
    encode_frame,
)

ids = st.integers(0, 2**32 - 1)
times = st.floats(0, protocol.MAX_TIME_S)
anything_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def outcome(data: bytes | str) -> Message | HangupError:
    try:
        return decode_message(data)
    except HangupError as error:
        return error


def test_header_is_16_bytes() -> None:
    assert HEADER.size == 16


@given(frame_id=ids, time_s=times, data=st.binary(max_size=200))
def test_frames_come_back_as_they_were_sent(frame_id: int, time_s: float, data: bytes) -> None:
    assert decode_message(encode_frame(frame_id, time_s, data)) == FrameMessage(frame_id, time_s, data)


@given(data=st.binary(max_size=64) | st.binary(max_size=48).map(lambda b: b"VV\x01\x01" + b))
def test_any_bytes_are_a_frame_or_a_hangup(data: bytes) -> None:
    result = outcome(data)
    if isinstance(result, HangupError):
        assert result.close in (Close.BAD_MESSAGE, Close.BAD_VERSION)
        assert "\n" not in str(result)
    else:
        assert isinstance(result, FrameMessage)
        assert math.isfinite(result.time_s)


@given(on=st.booleans())
def test_words(on: bool) -> None:
    assert decode_message(json.dumps({"type": "words", "on": on})) == WordsMessage(on)


@given(rest=st.dictionaries(st.sampled_from(["on", "off", "x"]), anything_json, max_size=3))
def test_any_wish_for_words_is_taken_or_refused_without_a_hangup(rest: dict[str, object]) -> None:
    text = json.dumps({"type": "words", **rest})
    if rest.keys() == {"on"} and isinstance(rest["on"], bool):
        assert decode_message(text) == WordsMessage(rest["on"])
        return
    with pytest.raises(RefusedError, match="expected") as caught:
        decode_message(text)
    assert caught.value.code == "bad_request"
    assert "\n" not in str(caught.value)


@given(text=st.text(max_size=200) | anything_json.map(json.dumps))
def test_any_text_is_a_command_or_a_hangup(text: str) -> None:
    result = outcome(text)
    if isinstance(result, HangupError):
        assert result.close is Close.BAD_MESSAGE
        assert len(result.reason.encode()) <= 123
    else:
        assert isinstance(result, SettingsMessage | CalibrateMessage)


@given(read_emotions=st.booleans(), mirror=st.booleans())
def test_settings(read_emotions: bool, mirror: bool) -> None:
    text = json.dumps({"type": "settings", "read_emotions": read_emotions, "mirror": mirror})
    assert decode_message(text) == SettingsMessage(read_emotions, mirror)


def test_calibrate() -> None:
    assert decode_message('{"type": "calibrate"}') == CalibrateMessage()


@pytest.mark.parametrize(
    ("message", "close", "says"),
    [
        (b"", Close.BAD_MESSAGE, "header alone"),
        (b"VV\x01\x01short", Close.BAD_MESSAGE, "header alone"),
        (HEADER.pack(b"XX", PROTOCOL_VERSION, 1, 0, 0.0), Close.BAD_MESSAGE, "must begin with"),
        (HEADER.pack(b"VV", PROTOCOL_VERSION + 1, 1, 0, 0.0), Close.BAD_VERSION, "reload the page"),
        (HEADER.pack(b"VV", PROTOCOL_VERSION, 9, 0, 0.0), Close.BAD_MESSAGE, "kind 9"),
        (HEADER.pack(b"VV", PROTOCOL_VERSION, 1, 0, math.nan), Close.BAD_MESSAGE, "frame time nan"),
        (HEADER.pack(b"VV", PROTOCOL_VERSION, 1, 0, math.inf), Close.BAD_MESSAGE, "frame time inf"),
        (HEADER.pack(b"VV", PROTOCOL_VERSION, 1, 0, -1.0), Close.BAD_MESSAGE, "frame time -1"),
        (bytes(MAX_MESSAGE_BYTES + 1), Close.TOO_BIG, "at most"),
        ("x" * (MAX_TEXT_BYTES + 1), Close.TOO_BIG, "at most"),
        ("", Close.BAD_MESSAGE, "must be JSON"),
        ("{", Close.BAD_MESSAGE, "must be JSON"),
        ("[" * MAX_TEXT_BYTES, Close.BAD_MESSAGE, "must be JSON"),
        ("9" * MAX_TEXT_BYTES, Close.BAD_MESSAGE, ""),
        ("[]", Close.BAD_MESSAGE, "expected"),
        ("null", Close.BAD_MESSAGE, "expected"),
        ('{"type": ["settings"]}', Close.BAD_MESSAGE, "expected"),
        ('{"type": "fly"}', Close.BAD_MESSAGE, "expected"),
        ('{"type": "calibrate", "extra": 1}', Close.BAD_MESSAGE, "expected"),
        ('{"type": "settings", "read_emotions": 1, "mirror": true}', Close.BAD_MESSAGE, "expected"),
        ('{"type": "settings", "read_emotions": true}', Close.BAD_MESSAGE, "expected"),
        ('{"type": "settings", "read_emotions": NaN, "mirror": true}', Close.BAD_MESSAGE, "expected"),
    ],
)
def test_breaches_are_named(message: bytes | str, close: Close, says: str) -> None:
    with pytest.raises(HangupError) as caught:
        decode_message(message)
    assert caught.value.close is close
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_jpeg_is_checked_before_it_is_decoded(jpeg: Callable[..., bytes]) -> None:
    good = jpeg(64, 48)
    check_jpeg(good)
    at = good.index(b"\xff\xc0")
    huge = good[: at + 5] + b"\xff\xff\xff\xff" + good[at + 9 :]
    empty = good[: at + 5] + b"\0\0\0\0" + good[at + 9 :]
    for bad, says in [
        (b"", "no JPEG"),
        (b"\x89PNG\r\n\x1a\n", "no JPEG"),
        (good[:-2], "cut short"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (huge, "65535"),
        (empty, "(0, 0)"),
    ]:
        with pytest.raises(InputError, match=re.escape(says)):
            check_jpeg(bad)


@given(cut=st.integers(2, 600), junk=st.binary(min_size=1, max_size=4))
def test_damaged_jpegs_pass_or_are_refused(jpeg: Callable[..., bytes], cut: int, junk: bytes) -> None:
    good = jpeg(16, 16)
    with suppress(InputError):  # and nothing else
        check_jpeg(good[:cut] + junk + good[cut + len(junk) :])
