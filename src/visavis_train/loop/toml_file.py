"""Reader of TOML files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from visavis.base.reading import regular
from visavis.errors import InputError


def read_toml(path: Path) -> dict[str, Any]:
    """The values of a TOML file.

    Raises:
        InputError: unreadable, or not TOML.
    """
    try:
        return tomllib.loads(regular(path).read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; expected an experiment, a TOML file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file: {error}") from error
