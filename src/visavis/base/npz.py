"""Reading .npz files: arrays by name, with one clear error for each problem."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from visavis.base.files import PathText, as_path
from visavis.base.reading import regular
from visavis.errors import InputError

# Errors of numpy's header parser for a damaged file.
PARSER_ERRORS = (OSError, ValueError, EOFError, TypeError, RuntimeError, SyntaxError, TokenError, MemoryError)
# Errors of reading an archive of arrays.
DAMAGED = (*PARSER_ERRORS, BadZipFile, zlib.error)


def read_npz(
    path: PathText,
    kind: str,
    names: Sequence[str] | None = None,
    *,
    others: Sequence[str] = (),
    made_by: str | None = None,
) -> dict[str, NDArray[Any]]:
    """The arrays of a file; pickles are refused.

    Args:
        path: the file.
        kind: kind of file for messages: `track`, `pack of face tracks`.
        names: names of required arrays; None for all arrays.
        others: names of optional arrays.
        made_by: the command that makes this kind of file, for the message if the file is missing or
            is another kind of file.

    Raises:
        InputError: the file is missing, damaged, not an .npz file, or lacks one of the arrays.
    """
    path = as_path(path)
    advice = "" if made_by is None else f"; make it by  {made_by}"
    try:
        with regular(path).open("rb") as file:
            pack = np.load(file, allow_pickle=False)
            if not isinstance(pack, NpzFile):
                raise InputError(f"{path}: not a readable {kind} (.npz): it is one array alone (.npy)")
            held = pack.files
            if missing := [name for name in names or () if name not in held]:
                lacks = f"{', '.join(missing)} is missing; found {', '.join(held) or 'nothing'}"
                raise InputError(f"{path}: a {kind} holds the arrays {', '.join(names or ())}; {lacks}")
            wanted = held if names is None else [*names, *(name for name in others if name in held)]
            arrays = {name: pack[name] for name in wanted}
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file{advice}") from error
    except DAMAGED as error:
        raise InputError(f"{path}: not a readable {kind} (.npz): {said_plainly(error)}{advice}") from error
    if others_than_arrays := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise InputError(f"{path}: not a readable {kind} (.npz): {others_than_arrays[0]} is no array")
    return arrays


def said_plainly(error: BaseException) -> str:
    """A plain message for numpy's error about a file of arrays, without its advice to load pickles."""
    said = str(error)
    if "Object arrays" in said:
        return "it holds Python objects, which are never loaded"
    if "allow_pickle" in said:
        return "it is no file of arrays"
    if isinstance(error, EOFError):
        return "it is empty or cut off"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "it is damaged or cut off"
