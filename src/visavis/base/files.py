"""Paths and files: checked paths, files that appear complete or not at all, and JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from errno import EACCES
from math import isfinite
from pathlib import Path
from typing import Any

from visavis.base.words import reason
from visavis.errors import InputError

PathText = str | os.PathLike[str]
if sys.platform != "win32":
    from fcntl import LOCK_EX, LOCK_NB, flock

_JSON_WIDTH = 110
READ_ONLY = "the file is read-only"
_log = logging.getLogger(__name__)


def as_path(path: PathText) -> Path:
    """A path from text or from a path-like object.

    Raises:
        InputError: the value is neither, or is empty.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"expected the path of a file, as text or Path; found {type(path).__name__}")
    if not os.fspath(path):
        raise InputError("the path of a file is empty; name a file")
    return Path(path)


def require_writable(path: Path, *read: PathText) -> None:
    """Find errors before the work that would make :func:`whole_file` fail after it.

    Args:
        path: a file to write.
        read: files that are read, or written too.

    Raises:
        InputError: the path is a folder, a device or a read-only file, or one of the others; or its folder is
            missing or not writable.
    """
    try:
        if os.path.realpath(path) in map(os.path.realpath, read):
            raise InputError(f"{path}: would overwrite the source or another output; name another file")
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name a file in it")
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is not a regular file; name another file to write")
        if path.exists() and not os.access(path, os.W_OK):
            raise InputError(f"{path}: {READ_ONLY}; name another file, or make this one writable")
        if not path.parent.is_dir():
            raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
        if not os.access(path.parent, os.W_OK):
            raise InputError(f"{path}: the folder {path.parent} cannot be written; choose another")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def require_outputs(
    wanted: Iterable[tuple[Path | None, tuple[str, ...]]], sources: Iterable[str | Path]
) -> None:
    """Find before the work what would prevent files from being written after it.

    Args:
        wanted: each file or None, with the endings that its name may have.
        sources: files that are read.

    Raises:
        InputError: an ending is wrong, or see :func:`require_writable`.
    """
    taken = list(sources)
    for path, endings in wanted:
        if path is None:
            continue
        require_ending(path, *endings)
        require_writable(path, *taken)
        taken.append(path)


def require_ending(path: Path, *endings: str) -> None:
    """Find before the work that a file to write has a name of another kind.

    Raises:
        InputError: the name has none of these endings.
    """
    if not path.name.lower().endswith(endings):
        raise InputError(f"{str(path)!r}: expected a name that ends in {', '.join(endings)}")


def require_folder(path: Path) -> None:
    """Find errors before the work that would prevent creating a folder, or files in it, after the work.

    Raises:
        InputError: the path or its parent is not a folder or not writable.
    """
    try:
        there = next(place for place in (path, *path.parents) if place.exists())
        if not there.is_dir():
            raise InputError(f"{path}: {there} is no folder; choose another place")
        if not os.access(there, os.W_OK):
            raise InputError(f"{path}: the folder {there} cannot be written; choose another")
    except OSError as error:
        raise InputError(f"{path}: cannot be made: {error.strerror}") from error


@contextmanager
def partial_of(target: Path, mode: int = 0o666) -> Iterator[Path]:
    """Gives an empty temporary file for writing a file, which no other run writes until the block ends.

    What a killed run left there is removed, and logged.

    Raises:
        InputError: another run writes the file now.
        OSError: the system refused the temporary file, or the file is there and read-only.
    """
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(EACCES, READ_ONLY, str(target))
    partial = target.with_name(target.name + ".partial")
    left = partial.is_file()
    if sys.platform == "win32" and left:
        partial.unlink()  # Windows refuses it while another run writes there.
    with open(partial, "ab", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        if sys.platform == "win32":
            file.close()  # Else it could not be renamed.
        else:
            try:
                flock(file, LOCK_EX | LOCK_NB)
                if not os.path.samestat(os.fstat(file.fileno()), os.stat(partial)):
                    raise BlockingIOError  # The other run has just renamed it: it is the finished file.
            except (BlockingIOError, FileNotFoundError) as error:
                raise InputError(
                    f"{target}: another run writes this file now; name another file, or wait for that run"
                ) from error
            except OSError:  # Some file systems know no locks.
                pass
            file.truncate(0)
            if not mode & 0o077:
                os.fchmod(file.fileno(), mode)  # What was left may be open to others.
        if left:
            _log.warning("%s: was left by a run that was killed; it is removed", partial)
        try:
            yield partial
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise


def put_in_place(partial: Path, target: Path) -> None:
    """Give a complete file its final name, so that even after a power cut the old or the new file is there.

    Raises:
        OSError: the system refused.
    """
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(target)
    if os.name == "posix":
        with suppress(OSError):  # Some file systems cannot do this with a folder.
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


@contextmanager
def whole_file(path: PathText, mode: int = 0o666) -> Iterator[Path]:
    """Gives a temporary path to write to; after a block without errors, it is renamed to ``path``.

    Raises:
        InputError: the system refused to write, or another run writes this file now. Then, as after any other
            error, no partial file of ours remains, and an older file of this name is unchanged.
    """
    target = Path(os.path.realpath(as_path(path)))  # A link stays a link.
    try:
        with partial_of(target, mode) as partial:
            yield partial
            put_in_place(partial, target)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {reason(error)}; choose another place") from error


def json_text(value: Any, *, allow_nan: bool = False, ascii_only: bool = True) -> str:
    """JSON for people: what fits on a line stands on one; numbers and words fill lines; else one item a line.

    Raises:
        ValueError: a number is not finite, and ``allow_nan`` is off.
    """

    encode = json.JSONEncoder(allow_nan=allow_nan, ensure_ascii=ascii_only).encode

    def text_of(inner: Any, depth: int) -> str:
        if type(inner) is float and isfinite(inner):
            return repr(inner)  # As json writes it, much faster.
        if not isinstance(inner, Mapping | list | tuple):
            return encode(inner)
        if isinstance(inner, Mapping):
            (first, last), values, names = (
                "{}",
                list(inner.values()),
                [f"{encode(str(key))}: " for key in inner],
            )
        else:
            (first, last), values, names = "[]", list(inner), [""] * len(inner)
        items = [name + text_of(item, depth + 1) for name, item in zip(names, values, strict=True)]
        if not any("\n" in item for item in items):
            text = f"{first}{', '.join(items)}{last}"
            if depth + len(text) <= _JSON_WIDTH:
                return text
        if not any(isinstance(item, Mapping | list | tuple) for item in values):
            items = _filled(items, _JSON_WIDTH - depth - 2)
        line = "\n" + " " * depth
        return first + ",".join(f"{line} {item}" for item in items) + line + last

    return text_of(value, 0)


def _filled(items: Iterable[str], width: int) -> list[str]:
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) + 2 <= width:
            lines[-1] += f", {item}"
        else:
            lines.append(item)
    return lines


def write_json(path: PathText, value: Any, *, private: bool = False, allow_nan: bool = False) -> None:
    """Write :func:`json_text` as a whole file, and make its folder if needed.

    Args:
        path: the file.
        value: what ``json`` can write.
        private: nobody else may read the file, and the folder if it is made.
        allow_nan: also write NaN and infinite numbers.

    Raises:
        InputError: the system refused.
        ValueError: a number is not finite, and ``allow_nan`` is off.
    """
    path = as_path(path)
    text = json_text(value, allow_nan=allow_nan, ascii_only=False)
    try:
        path.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be made a folder: {error.strerror}") from error
    with whole_file(path, 0o600 if private else 0o666) as partial:
        # A file's name may have bytes that are no UTF-8; their escapes are valid JSON and come back.
        partial.write_text(text + "\n", "utf-8", "backslashreplace")
