"""Reader of AffectNet; faces are cut out by the boxes in its tables.

Mollahosseini et al. 2019, arXiv:1708.03985: ``training.csv`` and ``validation.csv``, the manually annotated
part. The pictures are searched in the folder of the tables, and in the folders of the official archives.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from visavis.datasets.data_set import DataSet
from visavis.datasets.faces import FaceFile, ImageFiles, LabelledFaces
from visavis.datasets.tables import header, rows, whole_number
from visavis.errors import InputError

NAME = "AffectNet"
# The column ``expression``: 0..7 are expressions; 8..10 are not, and are left out.
LABELS = ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt")
LEFT_OUT = ("None", "Uncertain", "No-Face")
TABLES = ("training.csv", "validation.csv")
PATH_COLUMN = "subDirectory_filePath"
BOX_COLUMNS = ("face_x", "face_y", "face_width", "face_height")
_TABLE_FOLDERS = ("", "Manually_Annotated_file_lists")
_PICTURE_FOLDERS = (
    "",
    "Manually_Annotated_Images",
    "Manually_Annotated/Manually_Annotated_Images",
    "../Manually_Annotated_Images",
    "../Manually_Annotated/Manually_Annotated_Images",
)
_MAX_PX = 10**5


def find(path: Path) -> DataSet | None:
    """AffectNet at one of its tables, or in a folder that contains them; None if no table has its columns.

    Raises:
        InputError: a table cannot be read.
    """
    if path.is_file():
        tables = [path]
    else:
        tables = [path / folder / name for folder in _TABLE_FOLDERS for name in TABLES]
    known = {table.stem: table for table in tables if table.is_file() and PATH_COLUMN in header(table)}
    if not known:
        return None
    default = path.stem if path.is_file() else "validation"
    # Comparing every picture with the training pictures would mean decoding 300,000 photographs.
    return DataSet(NAME, path, tuple(known), default, None, partial(_read, known))


def _read(tables: dict[str, Path], split: str) -> LabelledFaces:
    table = tables[split]
    files: list[FaceFile] = []
    labels: list[int] = []
    left_out: Counter[str] = Counter()
    pictures: Path | None = None
    for where, row in rows(table, (PATH_COLUMN, *BOX_COLUMNS, "expression")):
        label = whole_number(where, row, "expression", 0, len(LABELS) + len(LEFT_OUT) - 1)
        if label >= len(LABELS):
            left_out[LEFT_OUT[label - len(LABELS)]] += 1
            continue
        name = row[PATH_COLUMN]
        pictures = pictures or _picture_folder(where, table.parent, name)
        if not (pictures / name).is_file():
            raise InputError(f"{where}: the picture {name} is missing in {pictures}")
        files.append(FaceFile(pictures / name, where, _box(where, row)))
        labels.append(label)
    if not files:
        raise InputError(f"{table}: no row shows an expression (0 to {len(LABELS) - 1})")
    images = ImageFiles(tuple(files))
    return LabelledFaces(NAME, split, LABELS, np.asarray(labels, np.int64), images, left_out=left_out)


def _picture_folder(where: str, base: Path, name: str) -> Path:
    """The folder to which the table's paths are relative; the first picture determines it."""
    for folder in (base / inside for inside in _PICTURE_FOLDERS):
        if (folder / name).is_file():
            return folder
    tried = ", ".join(inside or "." for inside in _PICTURE_FOLDERS)
    raise InputError(f"{where}: the picture {name} was not found from {base} in {tried}")


def _box(where: str, row: dict[str, str]) -> tuple[float, float, float, float]:
    x, y = (whole_number(where, row, column, -_MAX_PX, _MAX_PX) for column in BOX_COLUMNS[:2])
    width, height = (whole_number(where, row, column, 1, _MAX_PX) for column in BOX_COLUMNS[2:])
    return x, y, width, height
