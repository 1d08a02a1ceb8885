from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.base import files
from visavis.base.files import (
    json_text,
    put_in_place,
    require_folder,
    require_writable,
    whole_file,
    write_json,
)
from visavis.errors import InputError


def test_the_file_gets_its_name_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with whole_file(path) as partial:
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt()])
def test_an_error_leaves_the_older_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"a\.txt: cannot be written: .*choose another"),
        whole_file(tmp_path / "file" / "a.txt") as partial,
    ):
        partial.write_text("new")


def test_places_that_will_take_a_file_pass(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("old")
    for name in ("old.txt", "new.txt"):
        require_writable(tmp_path / name)
    for name in ("", "new", "new/deep"):
        require_folder(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]


def test_places_that_cannot_take_a_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a folder; name a file in it"):
        require_writable(tmp_path)
    with pytest.raises(InputError, match="does not exist; make it first"):
        require_writable(tmp_path / "none" / "a.txt")
    for name in ("file", "file/deep"):
        with pytest.raises(InputError, match="file is no folder; choose another place"):
            require_folder(tmp_path / name)


def test_a_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path := tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != path)  # Root may write everything.
    with pytest.raises(
        InputError, match=r"a\.txt: the file is read-only; name another file, or make this one"
    ):
        require_writable(path)
    with (
        pytest.raises(InputError, match=r"a\.txt: cannot be written: the file is read-only"),
        whole_file(path),
    ):
        pytest.fail("it was opened")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    synced, replaced = os.fsync, Path.replace

    def sync(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        synced(handle)

    def replace(path: Path, target: Path) -> Path:
        done.append("replace")
        return replaced(path, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    with whole_file(tmp_path / "a.txt") as partial:
        partial.write_text("new")
    assert done == ["file", "replace", "folder"] if os.name == "posix" else ["file", "replace"]


def test_what_a_killed_run_left_is_removed_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.txt.partial").write_text("half of an older run")
    with whole_file(tmp_path / "a.txt") as partial:
        assert partial.read_text() == ""
        partial.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert "a.txt.partial: was left by a run that was killed; it is removed" in caplog.text


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.txt") as partial:
        partial.write_text("first")
        with pytest.raises(InputError, match=r"a\.txt") as refused, whole_file(tmp_path / "a.txt"):
            pass
    assert (tmp_path / "a.txt").read_text() == "first"
    if os.name == "posix":
        assert str(refused.value).endswith(
            "a.txt: another run writes this file now; name another file, or wait for that run"
        )


@pytest.mark.skipif(os.name != "posix", reason="only there are files locked")
def test_a_file_that_another_run_has_just_finished_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"

    def finished(*_: object) -> None:
        (tmp_path / "a.txt.partial").write_text("first")
        (tmp_path / "a.txt.partial").replace(path)

    monkeypatch.setattr(files, "flock", finished)
    with pytest.raises(InputError, match="another run writes this file now"), whole_file(path):
        pass
    assert path.read_text() == "first"


@pytest.mark.skipif(os.name != "posix", reason="only there do files have modes")
def test_a_private_file_is_private_from_the_first_byte(tmp_path: Path) -> None:
    (tmp_path / "a.txt.partial").write_text("half of an older run")
    with whole_file(tmp_path / "a.txt", 0o600) as partial:
        assert stat.S_IMODE(partial.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="only there is the folder written, too")
def test_a_folder_that_cannot_be_synced_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(22, "Invalid argument")

    (tmp_path / "a").write_text("new")
    monkeypatch.setattr(os, "fsync", sync)
    put_in_place(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "new"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(), inner, max_size=40),
)


@given(JSON)
def test_json_is_what_was_written(value: object) -> None:
    assert json.loads(json_text(value)) == value


def test_json_fills_its_lines(tmp_path: Path) -> None:
    value = {
        "short": {"a": [1, 2]},
        "long": list(range(60)),
        "rows": [{"name": "x" * 50, "of": "ä" * 50}] * 2,
    }
    write_json(tmp_path / "new" / "a.json", value)
    text = (tmp_path / "new" / "a.json").read_text("utf-8")
    assert json.loads(text) == value
    assert [len(line) > 55 for line in text.splitlines()[3:5]] == [True, True]
    assert len(text.splitlines()) == 18
    assert max(map(len, text.splitlines())) <= 110
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", [float("nan")])
    assert not (tmp_path / "a.json").exists()
