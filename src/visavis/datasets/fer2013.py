"""FER-2013 in either of its forms in, one checked set of faces, labels and FER+ votes out.

Two forms are read: a folder of contact sheets (``training.csv`` and ``publictest.csv`` beside PNG sheets of
64 columns of 48x48 cells), and Kaggle's ``fer2013.csv`` (the file, or a folder that holds it) with FER+'s
``fer2013new.csv`` beside it if there is one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.emotion.labels import FER2013_LABELS, FERPLUS_COLUMNS
from visavis.errors import InputError
from visavis.types import BoolArray, ImageArray

SIDE_PX = 48
SHEET_COLUMNS = 64
TRAINING, PUBLIC_TEST, PRIVATE_TEST = USAGES = ("Training", "PublicTest", "PrivateTest")
SHEET_TABLES = ("training.csv", "publictest.csv")
PIXEL_TABLE, VOTE_TABLE = "fer2013.csv", "fer2013new.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Fer2013:
    """Faces with FER-2013's label and FER+'s votes.

    Attributes:
        images: (N, 48, 48) uint8, grey.
        labels: (N,) int64, index into FER2013_LABELS.
        votes: (N, 10) int64 in the order of FERPLUS_COLUMNS; zeros where FER+ has none.
        usage: (N,) str: Training, PublicTest or PrivateTest.
    """

    images: ImageArray
    labels: NDArray[np.int64]
    votes: NDArray[np.int64]
    usage: NDArray[np.str_]

    def __post_init__(self) -> None:
        n = len(self.labels)
        shapes = (self.images.shape, self.votes.shape, self.usage.shape)
        if shapes != ((n, SIDE_PX, SIDE_PX), (n, len(FERPLUS_COLUMNS)), (n,)):
            raise InputError(
                f"FER-2013 needs images (N, 48, 48), votes (N, 10) and usage (N,); found {shapes}"
            )
        if n and not (self.labels.min() >= 0 and self.labels.max() < len(FER2013_LABELS)):
            raise InputError(f"FER-2013 labels must be 0..{len(FER2013_LABELS) - 1}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: BoolArray | slice) -> Self:
        """The chosen rows, by mask or slice."""
        return type(self)(self.images[rows], self.labels[rows], self.votes[rows], self.usage[rows])

    def split(self, usage: str) -> Self:
        """The rows of one split.

        Raises:
            InputError: the data hold no such row.
        """
        rows = self.usage == usage
        if not rows.any():
            found = ", ".join(sorted(set(self.usage.tolist()))) or "nothing"
            raise InputError(f"FER-2013 has no {usage} rows here; it has {found}")
        return self[rows]

    def seen_in(self, other: Fer2013) -> BoolArray:
        """(N,) whether the very same pixels occur in ``other``: the data set repeats images."""
        known = {image.tobytes() for image in other.images}
        return np.asarray([image.tobytes() in known for image in self.images], np.bool_)


def load(path: Path) -> Fer2013:
    """Read FER-2013 from a folder of sheets, a folder with ``fer2013.csv``, or that file.

    Raises:
        InputError: nothing readable there, or a bad row (named by file and line).
    """
    if path.is_file():
        return _load_kaggle(path, path.with_name(VOTE_TABLE))
    if (path / SHEET_TABLES[0]).is_file():
        return _load_sheets(path)
    if (path / PIXEL_TABLE).is_file():
        return _load_kaggle(path / PIXEL_TABLE, path / VOTE_TABLE)
    raise InputError(
        f"{path}: no FER-2013 here; expected {PIXEL_TABLE}, or sheets with {' and '.join(SHEET_TABLES)}"
    )


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (``file:line``, row) of a CSV file that must have the given columns."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if missing := set(columns) - set(reader.fieldnames or ()):
            raise InputError(f"{path}: the header lacks {', '.join(sorted(missing))}")
        for row in reader:
            yield f"{path}:{reader.line_num}", row


def _number(where: str, row: dict[str, str], column: str, low: int, high: int) -> int:
    text = row[column]
    try:
        value = int(text)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {column} is {text!r}; expected a whole number") from error
    if not low <= value <= high:
        raise InputError(f"{where}: {column} is {value}; expected {low} to {high}")
    return value


def _label_and_usage(where: str, row: dict[str, str], usage_column: str) -> tuple[int, str]:
    usage = row[usage_column]
    if usage not in USAGES:
        raise InputError(f"{where}: {usage_column} is {usage!r}; expected one of {', '.join(USAGES)}")
    return _number(where, row, "emotion", 0, len(FER2013_LABELS) - 1), usage


def _votes(where: str, row: dict[str, str]) -> list[int]:
    """Ten counts; zeros where FER+ left the row empty."""
    return [_number(where, row, c, 0, 10) if row[c] else 0 for c in FERPLUS_COLUMNS]


def _join(
    images: list[ImageArray], labels: list[int], votes: list[list[int]], usages: list[str], path: Path
) -> Fer2013:
    if not images:
        raise InputError(f"{path}: no rows")
    counts = np.asarray(votes, np.int64).reshape(-1, len(FERPLUS_COLUMNS))
    return Fer2013(np.stack(images), np.asarray(labels, np.int64), counts, np.asarray(usages))


def _load_sheets(folder: Path) -> Fer2013:
    images: list[ImageArray] = []
    labels: list[int] = []
    votes: list[list[int]] = []
    usages: list[str] = []
    sheets: dict[str, ImageArray] = {}
    columns = ("sheet", "cell", "usage", "emotion", *FERPLUS_COLUMNS)
    for table in (folder / name for name in SHEET_TABLES if (folder / name).is_file()):
        for where, row in _rows(table, columns):
            name = row["sheet"]
            if name not in sheets:
                sheet = cv2.imread(str(folder / Path(name).name), cv2.IMREAD_GRAYSCALE)
                if sheet is None:
                    raise InputError(f"{where}: the sheet {name} is missing or no image")
                sheets = {name: sheet.astype(np.uint8, copy=False)}  # Rows come sheet by sheet: keep one.
            y, x = (SIDE_PX * v for v in divmod(_number(where, row, "cell", 0, 10**6), SHEET_COLUMNS))
            image = sheets[name][y : y + SIDE_PX, x : x + SIDE_PX]
            if image.shape != (SIDE_PX, SIDE_PX):
                raise InputError(f"{where}: cell {row['cell']} lies outside the sheet {name}")
            label, usage = _label_and_usage(where, row, "usage")
            images.append(image)
            labels.append(label)
            votes.append(_votes(where, row))
            usages.append(usage)
    return _join(images, labels, votes, usages, folder)


def _load_kaggle(pixels: Path, votes_path: Path) -> Fer2013:
    images: list[ImageArray] = []
    labels: list[int] = []
    usages: list[str] = []
    for where, row in _rows(pixels, ("emotion", "pixels", "Usage")):
        try:
            values = np.asarray(row["pixels"].split(), np.int64)
        except (AttributeError, ValueError) as error:
            raise InputError(f"{where}: pixels must be whole numbers apart by blanks") from error
        if values.size != SIDE_PX**2 or values.min() < 0 or values.max() > 255:
            raise InputError(
                f"{where}: {values.size} pixels; expected {SIDE_PX**2} numbers between 0 and 255"
            )
        label, usage = _label_and_usage(where, row, "Usage")
        images.append(values.astype(np.uint8).reshape(SIDE_PX, SIDE_PX))
        labels.append(label)
        usages.append(usage)
    votes = [[0] * len(FERPLUS_COLUMNS) for _ in labels]
    if votes_path.is_file():
        votes = [_votes(where, row) for where, row in _rows(votes_path, FERPLUS_COLUMNS)]
        if len(votes) != len(labels):
            raise InputError(
                f"{votes_path}: {len(votes)} rows of votes for the {len(labels)} faces of {pixels.name}; "
                "both files list the same faces in the same order"
            )
    return _join(images, labels, votes, usages, pixels)
