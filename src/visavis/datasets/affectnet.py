"""Reader of AffectNet: faces that people labelled, in the data set's two layouts.

Mollahosseini et al. 2019, arXiv:1708.03985. At first, ``training.csv`` and ``validation.csv`` list
photographs, from which faces are cut out; the pictures are searched in the folder of the tables, and in the
folders of the official archives. The form of today is ``train_set`` and ``val_set``: faces in ``images``,
such as ``0.jpg``, and a file with the label of each in ``annotations``, such as ``0_exp.npy``.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from visavis.datasets.data_set import DataSet
from visavis.datasets.faces import FaceFile, ImageFiles, LabeledFaces
from visavis.datasets.npy import read_npy
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
SETS = ("train_set", "val_set")
_LABEL = "_exp.npy"


def find_affectnet(path: Path) -> DataSet | None:
    """AffectNet at one of its tables or sets, or in a folder that contains them; None if there is neither.

    Raises:
        InputError: a table cannot be read.
    """
    places = {path.name: path} if path.name in SETS else {name: path / name for name in SETS}
    sets = {name: place for name, place in places.items() if (place / "annotations").is_dir()}
    if sets:
        return DataSet(NAME, path, tuple(sets), list(sets)[-1], None, partial(_read_set, sets))
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


def _read(tables: dict[str, Path], split: str) -> LabeledFaces:
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
        files.append(FaceFile(pictures / name, where, face_box(where, row)))
        labels.append(label)
    if not files:
        raise InputError(f"{table}: no row shows an expression (0 to {len(LABELS) - 1})")
    return _labeled(split, files, labels, left_out)


def _read_set(sets: dict[str, Path], split: str) -> LabeledFaces:
    folder = sets[split]
    files: list[FaceFile] = []
    labels: list[int] = []
    left_out: Counter[str] = Counter()
    there = {file.stem: file for file in (folder / "images").glob("[!.]*")}
    for table in sorted((folder / "annotations").glob(f"[!.]*{_LABEL}")):
        row = {"expression": str(read_npy(table, text=True).squeeze())}
        label = whole_number(str(table), row, "expression", 0, len(LABELS) + len(LEFT_OUT) - 1)
        if label >= len(LABELS):
            left_out[LEFT_OUT[label - len(LABELS)]] += 1
            continue
        picture = there.get(table.name.removesuffix(_LABEL))
        if picture is None:
            raise InputError(f"{table}: its picture is missing in {folder / 'images'}")
        files.append(FaceFile(picture))
        labels.append(label)
    if not files:
        raise InputError(f"{folder / 'annotations'}: no label of an expression, such as 0{_LABEL}")
    return _labeled(split, files, labels, left_out)


def _labeled(split: str, files: list[FaceFile], labels: list[int], left_out: Counter[str]) -> LabeledFaces:
    images = ImageFiles(tuple(files))
    return LabeledFaces(NAME, split, LABELS, np.asarray(labels, np.int64), images, left_out=left_out)


def _picture_folder(where: str, base: Path, name: str) -> Path:
    """The folder to which the table's paths are relative; the first picture determines it."""
    for folder in (base / inside for inside in _PICTURE_FOLDERS):
        if (folder / name).is_file():
            return folder
    tried = ", ".join(inside or "." for inside in _PICTURE_FOLDERS)
    raise InputError(f"{where}: the picture {name} was not found from {base} in {tried}")


def face_box(where: str, row: dict[str, str]) -> tuple[float, float, float, float]:
    """A row's box: x, y, width and height in pixels.

    Raises:
        InputError: a number is missing or out of range.
    """
    x, y = (whole_number(where, row, column, -_MAX_PX, _MAX_PX) for column in BOX_COLUMNS[:2])
    width, height = (whole_number(where, row, column, 1, _MAX_PX) for column in BOX_COLUMNS[2:])
    return x, y, width, height
