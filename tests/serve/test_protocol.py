"""The protocol: every message has one meaning, or is refused with a clear line and the right code."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.reaction.style import CONTROLS, Style
from visavis.serve import protocol
from visavis.serve.messages import (
    CalibrateMessage,
    FaceTokensMessage,
    FrameMessage,
    GuideMessage,
    ListenMessage,
    Message,
    ProfileMessage,
    SettingsMessage,
    SoundMessage,
)
from visavis.serve.protocol import (
    HEADER,
    MAX_MESSAGE_BYTES,
    MAX_TEXT_BYTES,
    PROTOCOL_VERSION,
    Close,
    HangupError,
    RefusedError,
    decode_message,
    encode_frame,
    encode_sound,
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


@given(rate_hz=st.integers(8_000, 192_000), time_s=times, data=st.binary(min_size=1, max_size=100))
def test_sound_comes_back_as_it_was_sent(rate_hz: int, time_s: float, data: bytes) -> None:
    sound = encode_sound(rate_hz, time_s, data * 2)
    assert decode_message(sound) == SoundMessage(rate_hz, time_s, data * 2)


@pytest.mark.parametrize(
    ("rate_hz", "time_s", "length", "says"),
    [
        (7_999, 0.0, 2, "sound at 7999 Hz"),
        (192_001, 0.0, 2, "sound at 192001 Hz"),
        (0, 0.0, 2, "sound at 0 Hz"),
        (16_000, math.nan, 2, "time nan"),
        (16_000, -1.0, 2, "time -1"),
        (16_000, 2e9, 2, "time 2000000000"),
        (16_000, 0.0, 0, "0 bytes"),
        (16_000, 0.0, 3, "3 bytes"),
        (16_000, 0.0, 16_002, "16002 bytes of sound; expected 16-bit samples, at most 0.5 s"),
    ],
)
def test_bad_sound_is_refused_without_a_hangup(rate_hz: int, time_s: float, length: int, says: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(says)) as caught:
        decode_message(encode_sound(rate_hz, time_s, bytes(length)))
    assert caught.value.code == "bad_sound"


shares = st.floats(0, 1)


@given(on=st.booleans(), seed=st.integers(0, protocol.MAX_SEED), values=st.none() | st.tuples(*[shares] * 5))
def test_wishes_for_a_listener(on: bool, seed: int, values: tuple[float, ...] | None) -> None:
    style = None if values is None else dict(zip(CONTROLS, values, strict=True))
    message = {"type": "listen", "on": on, "seed": seed, "style": style}
    wanted = None if style is None else Style(**style)
    assert decode_message(json.dumps(message)) == ListenMessage(on, seed, wanted)


@given(
    rest=st.dictionaries(st.sampled_from(["on", "seed", "style", "x"]), anything_json, max_size=4)
    | st.fixed_dictionaries({"on": st.booleans(), "seed": anything_json, "style": anything_json})
)
@pytest.mark.slow
def test_any_wish_for_a_listener_is_taken_or_refused_without_a_hangup(rest: dict[str, object]) -> None:
    text = json.dumps({"type": "listen", **rest})
    if rest.keys() == {"on", "seed", "style"} and isinstance(rest["on"], bool):
        with suppress(RefusedError):  # and nothing else
            assert isinstance(decode_message(text), ListenMessage)
    else:
        with pytest.raises(RefusedError, match=r'expected {"type": "listen"') as caught:
            decode_message(text)
        assert caught.value.code == "bad_request"


@pytest.mark.parametrize(
    "style",
    [{}, {"nodding": 0.5}, {**dict.fromkeys(CONTROLS, 0.5), "gaze": 1.01}, {**dict.fromkeys(CONTROLS, True)}],
)
def test_half_a_style_is_refused(style: dict[str, object]) -> None:
    message = {"type": "listen", "on": True, "seed": 0, "style": style}
    with pytest.raises(RefusedError, match="expressiveness, nodding, smiling, mirroring, gaze: 0 to 1"):
        decode_message(json.dumps(message))


@given(on=st.booleans())
def test_face_tokens(on: bool) -> None:
    assert decode_message(json.dumps({"type": "face_tokens", "on": on})) == FaceTokensMessage(on)


@given(rest=st.dictionaries(st.sampled_from(["on", "off", "x"]), anything_json, max_size=3))
@pytest.mark.slow
def test_any_wish_for_tokens_is_taken_or_refused_without_a_hangup(rest: dict[str, object]) -> None:
    text = json.dumps({"type": "face_tokens", **rest})
    if rest.keys() == {"on"} and isinstance(rest["on"], bool):
        assert decode_message(text) == FaceTokensMessage(rest["on"])
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


@given(read_expressions=st.booleans(), mirror=st.booleans())
def test_settings(read_expressions: bool, mirror: bool) -> None:
    text = json.dumps({"type": "settings", "read_expressions": read_expressions, "mirror": mirror})
    assert decode_message(text) == SettingsMessage(read_expressions, mirror)


def test_calibrate() -> None:
    assert decode_message('{"type": "calibrate"}') == CalibrateMessage()
    assert decode_message('{"type": "guide", "on": true}') == GuideMessage(True)
    assert decode_message('{"type": "profile", "keep": false}') == ProfileMessage(False)


@pytest.mark.parametrize("kind", ["guide", "profile", "face_tokens"])
def test_a_switch_is_on_or_off(kind: str) -> None:
    for rest in ("", ', "on": 1', ', "keep": null', ', "on": true, "keep": true'):
        with pytest.raises(RefusedError, match="bool") as caught:
            decode_message(f'{{"type": "{kind}"{rest}}}')
        assert caught.value.code == "bad_request"


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
        ('{"type": "settings", "read_expressions": 1, "mirror": true}', Close.BAD_MESSAGE, "expected"),
        ('{"type": "settings", "read_expressions": true}', Close.BAD_MESSAGE, "expected"),
        ('{"type": "settings", "read_expressions": NaN, "mirror": true}', Close.BAD_MESSAGE, "expected"),
    ],
)
def test_breaches_are_named(message: bytes | str, close: Close, says: str) -> None:
    with pytest.raises(HangupError) as caught:
        decode_message(message)
    assert caught.value.close is close
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
