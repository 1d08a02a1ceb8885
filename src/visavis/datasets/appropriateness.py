"""Reader of REACT's files that say which reactions are appropriate, such as ``neighbour_emotion_val.npy``.

``regnn/tool/matrix_split.py`` of reactmultimodalchallenge/baseline_react2024 makes them of the annotation of
the whole corpus; so does :func:`visavis.metrics.reaction.neighbour_matrix`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.base.files import PathText, as_path, whole_file
from visavis.datasets.npy import read_npy
from visavis.errors import InputError
from visavis.types import BoolArray


def read_neighbours(path: PathText, count: int) -> BoolArray:
    """(N, N): which conversations' listeners react appropriately to each speaker.

    Args:
        path: ``neighbour_emotion_val.npy`` and the like.
        count: N, the length of the split's :class:`~visavis.datasets.dyads.Dyads`.

    Raises:
        InputError: the file is missing or damaged, has another shape, or other values than 0 and 1.
    """
    path = as_path(path)
    array = read_npy(path)
    if array.shape != (count, count):
        raise InputError(
            f"{path}: the matrix is {array.shape}; expected ({count}, {count}), one row for each conversation"
        )
    if not np.isin(array, (0, 1)).all():
        raise InputError(f"{path}: the matrix holds other numbers than 0 and 1")
    return np.asarray(array, np.bool_)


def write_neighbours(path: PathText, matrix: NDArray[np.bool_] | NDArray[np.uint8]) -> None:
    """Write (N, N) in the official format: float64, 0 and 1.

    Raises:
        InputError: it cannot be written.
    """
    path = as_path(path)
    with whole_file(path) as partial, partial.open("wb") as file:
        np.save(file, np.asarray(matrix, np.float64))
