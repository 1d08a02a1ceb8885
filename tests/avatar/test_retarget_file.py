"""Reading retarget files: what is taken, and one clear line for what is not."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from visavis.avatar.retarget_file import MAX_BYTES, Rule, parse, read_text
from visavis.errors import InputError


def test_a_table_without_keys_has_the_defaults() -> None:
    assert parse("[P]", "f").by_parameter == {"P": Rule()}


def test_all_keys_are_read() -> None:
    text = """
    mirror = true
    [Turn]
    sum = { yaw = 2, jawOpen = -0.5 }
    dead_zone = 1
    gain = 1.5
    offset = 3
    in = [-30, 30]
    out = [1, -1]
    curve = 2
    """
    rules = parse(text, "f")
    rule = Rule({"yaw": 2.0, "jawOpen": -0.5}, 1.0, 1.5, 3.0, (-30.0, 30.0), (1.0, -1.0), 2.0)
    assert rules.mirror
    assert rules.by_parameter == {"Turn": rule}


def test_out_is_the_same_as_in_where_it_is_left_out() -> None:
    assert parse("[P]\nin = [-5, 5]", "f").by_parameter["P"].outputs == (-5.0, 5.0)


def test_one_table_makes_both_sides() -> None:
    text = '["Eye*Open"]\nsides = ["L", "R"]\nsum = { "eyeBlink*" = -1, jawOpen = 0.1 }'
    rules = parse(text, "f").by_parameter
    assert rules == {
        "EyeLOpen": Rule({"eyeBlinkLeft": -1.0, "jawOpen": 0.1}),
        "EyeROpen": Rule({"eyeBlinkRight": -1.0, "jawOpen": 0.1}),
    }
    assert list(parse('["Eye*"]', "f").by_parameter) == ["EyeLeft", "EyeRight"]


REFUSED = {
    "": "has 0 parameters; expected 1",
    "a": "is no TOML: Expected '=' after a key",
    "x = 1": "'x' stands in no table",
    "mirror = 1\n[P]": "mirror: found a number; expected true or false",
    "[P]\n[P]": "is no TOML: Cannot declare ('P',) twice",
    "[P]\ngain = 1\ngain = 2": "is no TOML: Cannot overwrite a value",
    "[PLeft]\n['P*']": "[P*]: two tables make PLeft",
    "['']": "['']: a name has 1 to 100 characters",
    '["a\\u0007b"]': "can be printed",
    f"[{'p' * 101}]": "a name has 1 to 100 characters",
    "[P]\ngian = 1": "[P] 'gian': no such key; did you mean 'gain'?",
    "[P]\nsum = { jawOpn = 1 }": "[P] sum: no channel is called 'jawOpn'; did you mean 'jawOpen'?",
    "[P]\nsum = { P = 1 }": "[P] sum: no channel is called 'P'; there are browDownLeft,",
    "[P]\nsum = { 'eyeBlink*' = 1 }": "[P] sum.eyeBlink*: * needs a * in the name",
    "['P*']\nsum = { 'eyeBlink*' = 1, eyeBlinkLeft = 2 }": "[P*] sum: eyeBlinkLeft is named twice",
    "['P*']\nsum = { 'jawOpen*' = 1 }": "no channel is called 'jawOpenLeft'",
    "[P]\nsum = 3": "[P] sum: found a number; expected a table",
    "[P]\nsum = { jawOpen = nan }": "[P] sum.jawOpen: found nan; expected",
    "[P]\nsum = { jawOpen = 1e7 }": "[P] sum.jawOpen: found more; expected at most 1e+06",
    "[P]\nsum = { jawOpen = true }": "[P] sum.jawOpen: found true or false; expected a number",
    "[P]\nsum.jawOpen.x = 1": "[P] sum.jawOpen: found a table; expected a number",
    "[P]\ngain = inf": "[P] gain: found more",
    f"[P]\ngain = {'9' * 400}": "[P] gain: found more",
    f"[P]\ngain = {'9' * 5000}": "is no TOML: Exceeds the limit",
    "[P]\ngain = 1979-05-27": "[P] gain: found a date; expected a number",
    "[P]\ndead_zone = -1": "[P] dead_zone: found -1; expected 0 or more",
    "[P]\nin = [1, 1]": "[P] in: found [1, 1]; expected two different numbers",
    "[P]\nin = [1, -1]": "[P] in: found [1.0, -1.0]; expected the lower end first",
    "[P]\nout = [1]": "[P] out: found a list; expected two numbers",
    "[P]\nout = ['a', 1]": "[P] out: found a text; expected a number",
    "[P]\ncurve = 0": "[P] curve: found 0; expected a gamma from 0.05 to 20",
    "[P]\ncurve = [[0, 0]]": "[P] curve: found other lists; expected 2 to 8 points",
    "[P]\ncurve = [[0, 0], [1]]": "[P] curve: found other lists",
    "[P]\ncurve = [[0, 1], [1, 0]]": "[P] curve: found [[0.0, 1.0], [1.0, 0.0]]; expected x rising",
    "[P]\ncurve = [[0, 0], [0.5, 2], [1, 2]]": "[P] curve:",
    "[P]\ncurve = [[0, 0], [0.5, 1]]": "[P] curve:",
    "[P]\nsides = ['L', 'R']": "[P] sides: the name of the table holds no *",
    "['P*']\nsides = ['L', 'L']": "[P*] sides: expected two different texts",
    "['P*']\nsides = 'LR'": "[P*] sides: expected two different texts",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items())
def test_what_is_wrong_is_told_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "my.toml")
    line = str(caught.value)
    assert line.startswith("my.toml: ")
    assert message in line
    assert "\n" not in line
    assert len(line) < 600


@pytest.mark.parametrize(
    "text", [f"a{'.a' * 30_000} = 1", f"[a{'.a' * 30_000}]", "x = " + "[" * 60_000, "x = " + "{a=" * 20_000]
)
def test_hostile_files_are_refused_at_once(text: str) -> None:
    began_s = time.perf_counter()
    with pytest.raises(InputError):
        parse(text, "f")
    assert time.perf_counter() - began_s < 1


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    for name, data, message in (
        ("large.toml", b"#" * (MAX_BYTES + 1), "has more than 65536 bytes"),
        ("binary.toml", b"\xff\xfe\x00", "is no text in UTF-8"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=message):
            read_text(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        read_text(tmp_path / "none.toml")
    with pytest.raises(InputError, match="is a folder"):
        read_text(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_may_come_from_any_shell_or_editor(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes('["Ü"]\r\ngain = 2\r\n'.encode(encoding))
    assert parse(read_text(path), "mine").by_parameter == {"Ü": Rule(gain=2.0)}


WORDS = [*"[]{}=.,\n'\" *", *"P sum in out curve sides gain jawOpen nan -1 0.5".split()]


@example("[P]\nin = [[0], [1]]")
@example("[P]\ncurve = [[[0], 0], [1, 1]]")
@given(st.lists(st.sampled_from(WORDS), max_size=30).map("".join) | st.text(max_size=60))
@pytest.mark.slow
def test_any_text_is_taken_or_refused(text: str) -> None:
    with suppress(InputError):
        assert parse(text, "f").by_parameter
