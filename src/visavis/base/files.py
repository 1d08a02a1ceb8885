"""Paths and files: checked paths, and files that appear complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from visavis.errors import InputError

PathText = str | os.PathLike[str]


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


def require_place(path: Path) -> None:
    """Find errors before the work that would make :func:`whole_file` fail after it.

    Raises:
        InputError: the path is a folder or a device, or its folder is missing or not writable.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name a file in it")
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is no regular file, and would be replaced; name another")
        if not path.parent.is_dir():
            raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
        if not os.access(path.parent, os.W_OK):
            raise InputError(f"{path}: the folder {path.parent} cannot be written; choose another")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


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
def whole_file(path: PathText) -> Iterator[Path]:
    """Gives a temporary path to write to; after a block without errors, it is renamed to ``path``.

    Raises:
        InputError: the system refused to write. Then, as after any other error, no partial file remains, and
            an older file of this name is unchanged.
    """
    target = Path(os.path.realpath(path))  # A link stays a link.
    partial = target.with_name(target.name + ".partial")
    try:
        yield partial
        partial.replace(target)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror or error}; choose another place"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
