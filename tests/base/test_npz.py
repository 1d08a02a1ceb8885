"""Files of arrays: every fault of a file is one clear error."""

from __future__ import annotations

import ast
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from visavis.base.npz import read_npz
from visavis.errors import InputError


def file_with(path: Path, member: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("face.npy", member)
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", face=np.arange(6), more=np.ones(2))
    assert sorted(read_npz(tmp_path / "a.npz", "track")) == ["face", "more"]
    only = read_npz(tmp_path / "a.npz", "track", ["face"])
    assert list(only) == ["face"]
    np.testing.assert_array_equal(only["face"], np.arange(6))


def test_a_missing_file_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.npz: no such file; make it by  visavis run$"):
        read_npz(tmp_path / "no.npz", "track", made_by="visavis run")


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", face=np.arange(6))
    with pytest.raises(InputError, match=r"a track holds the arrays face, fps; fps is missing; found face$"):
        read_npz(tmp_path / "a.npz", "track", ["face", "fps"])


DAMAGES = {
    "text": "it is no file of arrays",
    "empty": "it is empty or cut off",
    "huge": "it is damaged or cut off",
    "cut": "it is damaged or cut off",
    "truncated": "it is damaged or cut off",
    "pickled": "it holds Python objects, which are never loaded",
    "single": "it is one array alone (.npy)",
    "bytes": "face is no array",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.npz"
    written = io.BytesIO()
    np.save(written, np.asarray([{}]) if damage == "pickled" else np.arange(6.0))
    array = written.getvalue()
    if damage == "text":
        path.write_text("no arrays")
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "truncated":
        np.savez(path, face=np.arange(600.0))
        path.write_bytes(path.read_bytes()[:999])
    elif damage == "bytes":
        file_with(path, b"no array")
    elif damage == "huge":
        # The header claims more than any computer has.
        file_with(path, array.replace(b"(6,), }" + b" " * 15, b"(1000000000000000,), }"))
        assert b"(1000000000000000,)" in path.read_bytes()
    elif damage == "single":
        path.write_bytes(array)
    else:
        file_with(path, array[:-9] if damage == "cut" else array)
    with pytest.raises(InputError, match=r"a\.npz: not a readable track \(\.npz\): ") as told:
        read_npz(path, "track", ["face"])
    assert str(told.value).endswith(f": {DAMAGES[damage]}")


def test_no_file_of_arrays_is_left_open() -> None:
    """numpy closes an .npz file late, and pytest blames the test that runs at that moment."""
    root = Path(__file__).parents[2]
    left = []
    for path in sorted(
        file for room in ("src", "tests", "benchmarks") for file in (root / room).rglob("*.py")
    ):
        tree = ast.parse(path.read_text("utf-8"))
        closed = {
            id(item.context_expr)
            for node in ast.walk(tree)
            if isinstance(node, ast.With)
            for item in node.items
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load" and id(node) not in closed:
                said = ast.unparse(node)
                if (
                    said != "np.load(file, allow_pickle=False)"
                    and "mmap_mode" not in said
                    and ".npy" not in said
                ):
                    left.append(f"{path.relative_to(root)}:{node.lineno}: {said}")
    assert left == []
