"""Reading .npz files: the arrays by name; whatever is wrong with the file is one clear error."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError

# What numpy's parser of headers raises over a damaged file.
PARSER_ERRORS = (OSError, ValueError, EOFError, TypeError, RuntimeError, SyntaxError, TokenError, MemoryError)
# What reading an archive of arrays raises; an AttributeError if it is a single array.
DAMAGED = (*PARSER_ERRORS, AttributeError, BadZipFile, zlib.error)


def read_npz(
    path: Path,
    kind: str,
    names: Sequence[str] | None = None,
    *,
    others: Sequence[str] = (),
    made_by: str | None = None,
) -> dict[str, NDArray[Any]]:
    """The arrays of a file; pickles are refused.

    Args:
        path: the file.
        kind: what it should be, for messages: `track`, `pack of face tracks`.
        names: of the arrays that it must hold; None for all that there are.
        others: names of arrays that are read where the file holds them.
        made_by: the command that makes such a file, told where there is none.

    Raises:
        InputError: missing, damaged, no .npz file, or without one of the arrays.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as pack:
            wanted = (
                pack.files if names is None else [*names, *(name for name in others if name in pack.files)]
            )
            return {name: pack[name] for name in wanted}
    except FileNotFoundError as error:
        advice = "" if made_by is None else f"; make it by  {made_by}"
        raise InputError(f"{path}: no such file{advice}") from error
    except KeyError as error:
        expected = ", ".join(names or ())
        raise InputError(f"{path}: a {kind} holds the arrays {expected}; {error}") from error
    except DAMAGED as error:
        raise InputError(f"{path}: not a readable {kind} (.npz): {said_safely(error)}") from error


def said_safely(error: BaseException) -> str:
    """What numpy says of a file, without its advice to load as a pickle what holds no arrays."""
    if "allow_pickle" in str(error):
        return "it holds no arrays, or Python objects, which are never loaded"
    return str(error)
