"""Reader of REACT's files that say which reactions are appropriate.

The file ``Approprirate_facial_reaction.npy`` (with this spelling) with ``data_indices.csv`` says for the
whole corpus whose reactions fit a speaker; ``neighbour_emotion_val.npy`` is the part of one split:
``regnn/tool/matrix_split.py`` of reactmultimodalchallenge/baseline_react2024, and for UDIVA's names
``tool/val_matrix.py`` of baseline_react2023.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.base.files import PathText, as_path, whole_file
from visavis.base.words import counted
from visavis.datasets import tables
from visavis.datasets.npy import read_npy
from visavis.datasets.react import COLUMNS, SPEAKER
from visavis.errors import InputError
from visavis.types import BoolArray

ANNOTATED, APPROPRIATE = "data_indices.csv", "Approprirate_facial_reaction.npy"


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


def annotation_rows(path: PathText, split: str) -> NDArray[np.int64]:
    """For each of the L rows of a split's index, its row in the whole annotation.

    Args:
        path: the folder of the index and of ``data_indices.csv``.
        split: split of the index.

    Raises:
        InputError: a table is bad, or a clip is not annotated.
    """
    path = as_path(path)
    known = {name: number for number, name in enumerate(_annotated(path))}
    rows = []
    for place, row in tables.rows(path / f"{split}.csv", COLUMNS):
        parts = row[SPEAKER].split("/")
        if len(parts) not in (4, 5):
            raise InputError(
                f"{place}: {row[SPEAKER]!r} is no path of a clip; expected site/chat/person/clip"
            )
        # UDIVA names the task before the chat; the annotation joins them in the opposite order.
        chat = parts[1] if len(parts) == 4 else f"{parts[2]}_{parts[1]}"
        name = f"{parts[0].upper()}/{chat}/{parts[-1]}"
        if name not in known:
            raise InputError(f"{place}: {name} is not in {path / ANNOTATED}")
        rows.append(known[name])
    return np.asarray(rows, np.int64)


def _annotated(path: Path) -> list[str]:
    """``SITE/chat/clip`` of each row of the annotation."""
    columns = ("site", "chat_index", "clip_index")
    table = tables.rows(path / ANNOTATED, columns)
    return [f"{row['site'].upper()}/{row['chat_index']}/{row['clip_index']}" for _, row in table]


def read_annotation(path: PathText) -> NDArray[np.float64]:
    """The whole annotation of appropriateness in a folder, before it is split.

    :func:`visavis.metrics.reaction.neighbour_matrix` makes a split's matrix of it and of
    :func:`annotation_rows`.

    Returns:
        (2M, 2M) for the M rows of ``data_indices.csv``: first one direction, then the other.

    Raises:
        InputError: a file is missing or damaged, or they do not fit each other.
    """
    path = as_path(path)
    count, matrix = len(_annotated(path)), path / APPROPRIATE
    array = np.asarray(read_npy(matrix), np.float64)
    if array.shape != (2 * count, 2 * count):
        raise InputError(
            f"{matrix}: the matrix is {array.shape}; {path / ANNOTATED} has {counted(count, 'clip')} and "
            "needs twice as many"
        )
    return array
