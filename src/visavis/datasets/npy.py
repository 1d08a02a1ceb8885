"""Checked arrays of numbers from .npy files, mapped from disk where that saves memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.base.npz import PARSER_ERRORS, said_plainly
from visavis.base.reading import regular
from visavis.errors import InputError


def read_npy(path: Path, *, mapped: bool = False, text: bool = False) -> NDArray[Any]:
    """An array of numbers from a file; pickles are refused.

    Args:
        path: the file.
        mapped: leave the numbers on disk until they are used.
        text: numbers may be written as text.

    Raises:
        InputError: the file is missing, not a .npy file, cut off, or without numbers.
    """
    try:
        array = np.load(regular(path), mmap_mode="r" if mapped else None, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except PARSER_ERRORS as error:
        raise InputError(f"{path}: not a readable array (.npy): {said_plainly(error)}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in ("biufU" if text else "biuf"):
        found = array.dtype if isinstance(array, np.ndarray) else "several arrays"
        raise InputError(f"{path}: expected one array of numbers; found {found}")
    return array
