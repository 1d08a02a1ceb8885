from __future__ import annotations

from pathlib import Path

import pytest

from visavis.base.files import require_folder, require_place, whole_file
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
        require_place(tmp_path / name)
    for name in ("", "new", "new/deep"):
        require_folder(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]


def test_places_that_cannot_take_a_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a folder; name a file in it"):
        require_place(tmp_path)
    with pytest.raises(InputError, match="does not exist; make it first"):
        require_place(tmp_path / "none" / "a.txt")
    for name in ("file", "file/deep"):
        with pytest.raises(InputError, match="file is no folder; choose another place"):
            require_folder(tmp_path / name)
