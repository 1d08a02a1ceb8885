"""Reading a file of predicted reactions; large arrays are read item by item."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

from visavis.base.files import PathText, as_path
from visavis.base.npz import DAMAGED, said_plainly
from visavis.base.reading import regular
from visavis.errors import InputError

NEEDED = ("predictions", "listeners", "speakers", "neighbours")
OPTIONAL = ("real_features", "fake_features")
# Names of the arguments of the challenge's own functions.
_ALIASES = {"predictions": "pred", "listeners": "listener", "speakers": "speaker", "neighbours": "neighbour"}


class StoredArray:
    """An array in an ``.npz`` that is read item by item, so that memory does not grow with it.

    Attributes:
        shape: shape of the whole array.
    """

    def __init__(self, path: Path, member: str) -> None:
        """Read the header.

        Raises:
            InputError: the array is damaged, in Fortran's order, or not of numbers.
        """
        self._path, self._member = path, member
        with ZipFile(regular(path)) as archive, archive.open(f"{member}.npy") as file:
            self.shape, self._dtype = self._header(file)

    def __iter__(self) -> Iterator[np.ndarray[Any, Any]]:
        """Item by item.

        Raises:
            InputError: the file is damaged.
        """
        shape = self.shape[1:]
        size = math.prod(shape) * self._dtype.itemsize
        try:
            with ZipFile(regular(self._path)) as archive, archive.open(f"{self._member}.npy") as file:
                self._header(file)
                for index in range(self.shape[0]):
                    data = file.read(size)
                    if len(data) != size:
                        raise InputError(f"{self._member} ends within item {index}")
                    yield np.frombuffer(data, self._dtype).reshape(shape)
        except DAMAGED as error:
            raise InputError(f"{self._member}: {said_plainly(error)}") from error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """The whole array, if it is small."""
        return np.asarray(list(self), dtype or self._dtype).reshape(self.shape)

    def _header(self, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
        place = f"{self._path}: {self._member}"
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, columns_first, dtype = read(file)
        if dtype.kind not in "fiub":
            raise InputError(f"{place} holds {dtype}; expected numbers")
        if columns_first and len(shape) > 1:
            raise InputError(f"{place} is stored in Fortran's order; save np.ascontiguousarray of it")
        if not shape:
            raise InputError(f"{place} is a single number; expected an array")
        return shape, dtype


def read_reactions(path: PathText) -> dict[str, StoredArray]:
    """The arrays that :func:`~visavis.metrics.reaction_suite.score_reactions` takes, by name.

    Raises:
        InputError: the file is missing, damaged, not an ``.npz``, or lacks one of the arrays.
    """
    path = as_path(path)
    try:
        with ZipFile(regular(path)) as archive:
            members = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        found = {
            name: StoredArray(path, own)
            for name in (*NEEDED, *OPTIONAL)
            for own in (name, _ALIASES.get(name, name))[: 2 if name not in members else 1]
            if own in members
        }
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except DAMAGED as error:
        raise InputError(f"{path}: not a readable file of reactions (.npz): {said_plainly(error)}") from error
    if missing := [name for name in NEEDED if name not in found]:
        raise InputError(
            f"{path}: no array named {', '.join(missing)}; found {', '.join(members) or 'nothing'}. It needs "
            f"{', '.join(NEEDED)} (docs/reference/files.md); visavis lab predict writes such a file"
        )
    return found
