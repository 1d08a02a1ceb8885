"""A path in, a place to write out: the file appears under its name whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from visavis.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write to the path that this gives; when the block ends well, it takes the name ``path``.

    Raises:
        InputError: the system refused to write. Then, as after any other error, no partial file stays behind,
            and an older file of that name is as it was.
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
