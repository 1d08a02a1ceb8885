"""Files from outside: every reader refuses pipes, folders and sockets at once."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from visavis.avatar.profile import Profile
from visavis.base.npz import read_npz
from visavis.base.reading import (
    files_with_endings,
    json_type,
    parse_json,
    read_json_object,
    regular,
    require_finite,
)
from visavis.datasets.npy import read_npy
from visavis.datasets.react import read_expression
from visavis.datasets.tables import header
from visavis.errors import InputError
from visavis.evaluate.expressions import Model
from visavis.metrics.reaction_file import read_reactions
from visavis.motion.motion3 import read_motion3
from visavis.reaction.clip import Reaction
from visavis.reaction.predictor import Predictor
from visavis.reaction.tokenizer import FaceTokenizer
from visavis.track import Track

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
READERS: dict[str, Callable[[Path], object]] = {
    "npz": lambda path: read_npz(path, "track"),
    "npy": read_npy,
    "mapped npy": lambda path: read_npy(path, mapped=True),
    "track": Track.load,
    "reaction": Reaction.load,
    "reactions": read_reactions,
    "profile": Profile.load,
    "motion": read_motion3,
    "table": header,
    "expression": read_expression,
    "recogniser": Model.load,
    "listener": Predictor.load,
    "tokenizer": lambda path: FaceTokenizer.load(path, path),
}


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail instead of waiting for ever."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_named_pipe_is_refused_at_once(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with within(2), pytest.raises(InputError, match="pipe: is a named pipe, not a file; name a regular file"):
        reader(tmp_path / "pipe")


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_folder_is_called_one(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    with pytest.raises(InputError, match="is a folder, not a file"):
        reader(tmp_path)


def test_sockets_and_devices_are_refused_files_and_links_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # A socket's path is short.
    with socket.socket(socket.AF_UNIX) as heard:
        heard.bind("s")
        with pytest.raises(InputError, match="s: is a socket"):
            regular(Path("s"))
    with pytest.raises(InputError, match="/dev/zero: is a device"):
        regular(Path("/dev/zero"))
    Path("file").write_text("")
    Path("link").symlink_to("file")
    for there in ("file", "link", "none", "n" * 300, "\0"):
        assert regular(Path(there)) == Path(there)


def test_json_from_outside_has_errors_of_its_own() -> None:
    assert parse_json('{"a": [1, -2.5, true, null]}') == {"a": [1, -2.5, True, None]}
    assert parse_json("9" * 30) == 10**30 - 1
    assert (parse_json("9" * 31), parse_json("9" * 9000)) == (1e31, float("inf"))
    with pytest.raises(ValueError, match="too deep"):
        parse_json("[" * 100_000)
    found = [json_type(parse_json(text)) for text in ("{}", "[]", '"a"', "1", "2.5", "true", "null")]
    assert found == ["an object", "a list", "a text", "a number", "a number", "true or false", "null"]


@pytest.mark.parametrize("data", ['\ufeff{"a": 1}', b'\xef\xbb\xbf{"a": 1}', '{"a": 1}'])
def test_a_byte_order_mark_is_no_part_of_json(data: str | bytes) -> None:
    assert parse_json(data) == {"a": 1}


@pytest.mark.parametrize("data", [b"", b" \n"])
def test_an_empty_json_file_is_called_empty(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.json").write_bytes(data)
    for read in (lambda path: read_json_object(path, 100), read_motion3):
        with pytest.raises(InputError, match=r"a\.json: .*empty"):
            read(tmp_path / "a.json")


def test_numbers_that_are_not_finite_are_named() -> None:
    require_finite({"a": 1.5, "b": {"c": [1, 2.5, "inf"]}})
    with pytest.raises(InputError, match=r"^b.c, item 2, is inf; every number must be finite$"):
        require_finite({"a": 1.5, "b": {"c": [1, float("inf")]}})
    with pytest.raises(InputError, match=r"^a is nan"):
        require_finite({"a": float("nan")})


def test_a_folder_gives_its_regular_files_that_are_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "folder.mp4").mkdir()
    for name in ("b.MP4", "a.txt", "._b.mp4", "sub/a.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nothing")
    found = files_with_endings(tmp_path, (".mp4",))
    assert found == [tmp_path / "b.MP4", tmp_path / "sub" / "a.mp4"]
