"""Reader of FER-2013 with its labels and FER+'s votes.

Two forms are read: a folder of contact sheets (``training.csv`` and ``publictest.csv`` with PNG sheets of 64
columns of 48x48 cells), and Kaggle's ``fer2013.csv`` or ``icml_face_data.csv`` (the file, or its folder),
with FER+'s ``fer2013new.csv`` if it is in the same folder.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from itertools import chain, repeat
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.base.files import PathText, as_path
from visavis.base.words import counted
from visavis.datasets.data_set import DataSet
from visavis.datasets.faces import LabeledFaces, LoadedImages
from visavis.datasets.tables import header, rows, whole_number
from visavis.errors import InputError
from visavis.expression.labels import FER2013_LABELS, FERPLUS_COLUMNS
from visavis.types import BoolArray, ImageArray

NAME = "FER-2013"
SIDE_PX = 48
SHEET_COLUMNS = 64
TRAINING, PUBLIC_TEST, PRIVATE_TEST = USAGES = ("Training", "PublicTest", "PrivateTest")
SHEET_TABLES = ("training.csv", "publictest.csv")
PIXEL_TABLES, VOTE_TABLE = ("fer2013.csv", "icml_face_data.csv"), "fer2013new.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Fer2013:
    """Faces with FER-2013's label and FER+'s votes.

    Attributes:
        images: (N, 48, 48) uint8, grey.
        labels: (N,) int64, index into FER2013_LABELS.
        votes: (N, 10) int64 in the order of FERPLUS_COLUMNS; zeros if FER+ has none.
        usage: (N,) str: Training, PublicTest or PrivateTest.
        places: (N,) str: ``file:line`` of each face; None if the faces are not from a file.
    """

    images: ImageArray
    labels: NDArray[np.int64]
    votes: NDArray[np.int64]
    usage: NDArray[np.str_]
    places: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        n = len(self.labels)
        shapes = (self.images.shape, self.votes.shape, self.usage.shape)
        if shapes != ((n, SIDE_PX, SIDE_PX), (n, len(FERPLUS_COLUMNS)), (n,)):
            raise InputError(
                f"FER-2013 needs images (N, 48, 48), votes (N, 10) and usage (N,); found {shapes}"
            )
        if self.places is not None and self.places.shape != (n,):
            raise InputError(f"FER-2013 needs places (N,); found {self.places.shape}")
        if n and not (self.labels.min() >= 0 and self.labels.max() < len(FER2013_LABELS)):
            raise InputError(f"FER-2013 labels must be 0..{len(FER2013_LABELS) - 1}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: BoolArray | slice) -> Self:
        """The chosen rows, by mask or slice."""
        places = None if self.places is None else self.places[chosen]
        images, labels, votes = self.images[chosen], self.labels[chosen], self.votes[chosen]
        return type(self)(images, labels, votes, self.usage[chosen], places)

    def split(self, usage: str) -> Self:
        """The rows of one split.

        Raises:
            InputError: the split has no rows.
        """
        chosen = self.usage == usage
        if not chosen.any():
            found = ", ".join(sorted(set(self.usage.tolist()))) or "nothing"
            raise InputError(f"FER-2013 has no {usage} rows here; it has {found}")
        return self[chosen]

    def faces(self, usage: str) -> LabeledFaces:
        """One split as the type that evaluation uses.

        Raises:
            InputError: the split has no rows.
        """
        part = self.split(usage)
        places = np.full(len(part), NAME) if part.places is None else part.places
        votes = part.votes if self.votes.any() else None
        return LabeledFaces(
            NAME, usage, FER2013_LABELS, part.labels, LoadedImages(part.images, places), votes
        )


def find_fer2013(path: Path) -> DataSet | None:
    """FER-2013 at a path: a table with pixels, or a folder with such tables; else None.

    Raises:
        InputError: a row is bad; the message names file and line.
    """
    sheets = path / SHEET_TABLES[0]
    has_sheets = sheets.is_file() and "sheet" in header(sheets)
    is_table = path.is_file() and "pixels" in header(path)
    if not (is_table or _pixel_table(path) or has_sheets):
        return None
    data = load(path)
    splits = tuple(usage for usage in USAGES if (data.usage == usage).any())
    return DataSet(NAME, path, splits, PUBLIC_TEST, TRAINING if TRAINING in splits else None, data.faces)


def _pixel_table(folder: Path) -> Path | None:
    return next((folder / name for name in PIXEL_TABLES if (folder / name).is_file()), None)


def load(path: PathText) -> Fer2013:
    """Read FER-2013 from a folder of sheets, a folder with one of Kaggle's tables, or such a table.

    Raises:
        InputError: nothing readable is there, or a row is bad; the message names file and line.
    """
    path = as_path(path)
    if path.is_file():
        return _load_kaggle(path, path.with_name(VOTE_TABLE))
    if (path / SHEET_TABLES[0]).is_file():
        return _load_sheets(path)
    if table := _pixel_table(path):
        return _load_kaggle(table, path / VOTE_TABLE)
    raise InputError(
        f"{path}: no FER-2013 here; expected {' or '.join(PIXEL_TABLES)}, or sheets with "
        f"{' and '.join(SHEET_TABLES)}"
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """One face as a table lists it."""

    image: ImageArray
    label: int
    usage: str
    votes: list[int]
    place: str

    @classmethod
    def read(cls, where: str, row: dict[str, str], image: ImageArray, usage_column: str) -> Self:
        """Check the other cells of a picture's row; its votes are zeros if the row has none."""
        usage = row[usage_column]
        if usage not in USAGES:
            raise InputError(f"{where}: {usage_column} is {usage!r}; expected one of {', '.join(USAGES)}")
        label = whole_number(where, row, "emotion", 0, len(FER2013_LABELS) - 1)
        return cls(image, label, usage, _votes(where, row), Path(where).name)


def _votes(where: str, row: dict[str, str]) -> list[int]:
    """Ten counts; zeros if FER+ left the row empty."""
    return [whole_number(where, row, c, 0, 10) if row.get(c) else 0 for c in FERPLUS_COLUMNS]


def _votes_for(usage: str, pixels: Path, where: str, row: dict[str, str]) -> list[int]:
    """The votes of a row of FER+'s own table, if it belongs to a face of this usage."""
    found = row.get("Usage", "")
    if usage and found and found != usage:
        raise InputError(
            f"{where}: Usage is {found}, but the face in this row of {pixels.name} is of {usage}; both files "
            "must list the same faces in the same order"
        )
    return _votes(where, row)


def _join(path: Path, faces: list[_Row]) -> Fer2013:
    if not faces:
        raise InputError(f"{path}: no rows")
    return Fer2013(
        np.stack([face.image for face in faces]),
        np.asarray([face.label for face in faces], np.int64),
        np.asarray([face.votes for face in faces], np.int64),
        np.asarray([face.usage for face in faces]),
        np.asarray([face.place for face in faces]),
    )


def _load_sheets(folder: Path) -> Fer2013:
    faces: list[_Row] = []
    sheets: dict[str, ImageArray] = {}
    columns = ("sheet", "cell", "usage", "emotion", *FERPLUS_COLUMNS)
    for table in (folder / name for name in SHEET_TABLES if (folder / name).is_file()):
        for where, row in rows(table, columns):
            name = row["sheet"]
            if name not in sheets:
                path = folder / Path(name).name  # Read here, since OpenCV cannot open each.
                data = path.read_bytes() if path.is_file() else b""
                sheet = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
                if sheet is None:
                    raise InputError(f"{where}: the sheet {name} is missing or no image")
                sheets = {name: sheet.astype(np.uint8, copy=False)}  # Rows come sheet by sheet.
            y, x = (SIDE_PX * v for v in divmod(whole_number(where, row, "cell", 0, 10**6), SHEET_COLUMNS))
            image = sheets[name][y : y + SIDE_PX, x : x + SIDE_PX]
            if image.shape != (SIDE_PX, SIDE_PX):
                raise InputError(f"{where}: cell {row['cell']} lies outside the sheet {name}")
            faces.append(_Row.read(where, row, image, "usage"))
    return _join(folder, faces)


def _load_kaggle(pixels: Path, votes_path: Path) -> Fer2013:
    table = rows(pixels, ("emotion", "pixels", "Usage"))
    faces = [_Row.read(where, row, _pixels(where, row["pixels"]), "Usage") for where, row in table]
    if votes_path.is_file():
        usages = [face.usage for face in faces]
        votes = [
            _votes_for(usage, pixels, where, row)
            for usage, (where, row) in zip(
                chain(usages, repeat("")), rows(votes_path, FERPLUS_COLUMNS), strict=False
            )
        ]
        if len(votes) != len(faces):
            raise InputError(
                f"{votes_path}: {counted(len(votes), 'row')} of votes for {counted(len(faces), 'face')} of "
                f"{pixels.name}; both files list the same faces in the same order"
            )
        faces = [replace(face, votes=counts) for face, counts in zip(faces, votes, strict=True)]
    return _join(pixels, faces)


def _pixels(where: str, text: str) -> ImageArray:
    """One face from its numbers, as Kaggle's file writes it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy before 2.3 only warns about text that is not a number.
            values = np.fromstring(text, np.int64, sep=" ")  # Three times as fast as splitting.
    except (DeprecationWarning, ValueError) as error:
        raise InputError(f"{where}: pixels must be whole numbers separated by blanks") from error
    if values.size != SIDE_PX**2:
        raise InputError(f"{where}: {values.size} pixels; expected {SIDE_PX**2} numbers between 0 and 255")
    if values.min() < 0 or values.max() > 255:
        raise InputError(f"{where}: pixels of {values.min()} to {values.max()}; expected 0 to 255")
    return values.astype(np.uint8).reshape(SIDE_PX, SIDE_PX)
