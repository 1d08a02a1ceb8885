"""The file of tokens."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from visavis.errors import InputError
from visavis.outputs.vtube_studio.tokens import TokenStore


def test_tokens_are_kept_by_host_in_a_file_that_only_the_person_may_read(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "tokens.json"
    tokens = TokenStore(path)
    assert tokens.get("a") is None
    tokens.keep("a", "A" * 64)
    tokens.keep("b", "B")
    tokens.keep("a", None)
    again = TokenStore(path)
    assert (again.get("a"), again.get("b")) == (None, "B")
    assert [file.name for file in path.parent.iterdir()] == ["tokens.json"]
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600


def test_two_programs_keep_each_other_s_tokens(tmp_path: Path) -> None:
    one, other = TokenStore(tmp_path / "tokens.json"), TokenStore(tmp_path / "tokens.json")
    one.keep("a", "A")
    other.keep("b", "B")
    one.keep("c", None)
    again = TokenStore(tmp_path / "tokens.json")
    assert (again.get("a"), again.get("b")) == ("A", "B")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"a": 7}', '{"a": ""}', '{"a": "' + "x" * 65 + '"}', '{"a": "\u00e9"}', "\xff"]
)
def test_a_damaged_file_counts_as_empty(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(text, encoding="latin-1")
    assert TokenStore(path).get("a") is None


def test_a_token_that_cannot_be_written_is_still_known(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    tokens = TokenStore(tmp_path / "file" / "tokens.json")
    with pytest.raises(InputError, match="folder"):
        tokens.keep("a", "A")
    assert tokens.get("a") == "A"
