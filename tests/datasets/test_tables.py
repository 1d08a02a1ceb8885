from pathlib import Path

import pytest

from visavis.datasets.tables import header, rows, whole_number
from visavis.errors import InputError


def table(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_rows_have_names_and_places(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "\ufeffa, b\r\n1, x\r\n\r\n2,y\r\n")
    assert header(path) == ("a", "b")
    assert list(rows(path, ("a", "b"))) == [
        (f"{path}:2", {"a": "1", "b": "x"}),
        (f"{path}:4", {"a": "2", "b": "y"}),
    ]


@pytest.mark.parametrize("separator", ";\t")
def test_semicolons_and_tabs_separate_cells_too(separator: str, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", f'\ufeffa{separator} b\n"1, {separator}2"{separator}x\n')
    assert header(path) == ("a", "b")
    assert list(rows(path, ("a", "b"))) == [(f"{path}:2", {"a": f"1, {separator}2", "b": "x"})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the header lacks a, c"),
        ("a,b\n1,2\n", "the header lacks c"),
        ("a,c,b,a\n1,2,3,4\n", "the header names the column 'a' twice; rename or remove one"),
        ("a,c\n1\n", r"t\.csv:2: 1 cell; the header has 2 columns"),
        ("a,c\n1,2\n1,2,3\n", r"t\.csv:3: 3 cells; the header has 2 columns"),
        (b"\xff\xfe\x00a,c\n", "not a CSV table"),
        ("a,c\n" + "9" * 200_000 + ",1\n", "not a CSV table: field larger"),
    ],
)
def test_bad_tables_are_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(rows(table(tmp_path / "t.csv", text), ("a", "c")))


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, not a file"):
        header(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"), [("", "is ''"), ("1.5", "whole number"), ("7", "expected 0 to 6")]
)
def test_numbers_are_whole_and_in_range(text: str, message: str) -> None:
    assert whole_number("t:1", {"n": "6"}, "n", 0, 6) == 6
    with pytest.raises(InputError, match=f"t:1: n is .*{message}|t:1: n {message}"):
        whole_number("t:1", {"n": text}, "n", 0, 6)
