"""Reader of a CSV table that lists pictures with labels.

Columns, in any order and in upper or lower case: ``picture`` (or ``path``, ``file``, ``image``), relative to
the table or absolute; ``label`` (or ``expression``, ``emotion``), a word. Optional: ``split``; ``person``;
and the face's box in pixels, ``face_x``, ``face_y``, ``face_width`` and ``face_height``. Others are ignored.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from visavis.base.files import whole_file
from visavis.channels import EXPRESSIONS
from visavis.datasets.affectnet import BOX_COLUMNS, face_box
from visavis.datasets.data_set import TRAINING_NAMES, DataSet, usual_split
from visavis.datasets.faces import FaceFile, ImageFiles, LabeledFaces
from visavis.datasets.image_folder import ALL
from visavis.datasets.tables import header, rows
from visavis.errors import InputError
from visavis.expression.labels import expression_of

NAME = "picture table"
# Names of the table in a folder, for a data set that is named by its folder.
TABLES = ("faces.csv", "labels.csv")
PICTURE_COLUMNS = ("picture", "path", "file", "image")
LABEL_COLUMNS = ("label", "expression", "emotion")
SPLIT, PERSON = "split", "person"

# File, our word and person of each row.
_Row = tuple[FaceFile, str, str]


def find_picture_table(path: Path, labels: Mapping[str, str]) -> DataSet | None:
    """The data set of a table, a CSV file or in a folder; None if there is no such table.

    Args:
        path: the table or its folder.
        labels: declared meanings of words: an expression, or nothing for rows to leave out.

    Raises:
        InputError: a row has no picture, no label or another word than an expression, or its picture is
            missing.
    """
    tables = [path] if path.is_file() else [path / name for name in TABLES]
    for table in tables:
        if table.is_file() and table.suffix.lower() == ".csv":
            names = tuple(name.casefold() for name in header(table))
            picture = next((name for name in PICTURE_COLUMNS if name in names), None)
            label = next((name for name in LABEL_COLUMNS if name in names), None)
            if picture and label:
                return _open(path, table, picture, label, labels)
    return None


def _open(path: Path, table: Path, picture: str, label: str, labels: Mapping[str, str]) -> DataSet:
    splits: dict[str, list[_Row]] = defaultdict(list)
    left_out: Counter[str] = Counter()
    unused, blank = set(labels), ""
    for where, cells in rows(table, ()):
        row = {name.casefold(): cell.strip() for name, cell in cells.items()}
        unused.discard(row[label])
        meant = labels.get(row[label], row[label])
        if row[label] in labels and not meant:
            left_out[f"{row[label] or 'no label'}, as declared"] += 1
            continue
        if not row[picture]:
            raise InputError(f"{where}: no {picture}: name one or delete the row")
        file = table.parent / row[picture]
        if (word := expression_of(meant)) is None:
            found = f"{label} is {row[label]!r}, which is no expression" if meant else f"no {label}"
            raise InputError(
                f"{where}: {found}; expected {', '.join(EXPRESSIONS)}: correct the row or delete it, or, in "
                f'an experiment, declare labels = {{ "{row[label]}" = "" }} to leave such rows out'
            )
        if not file.is_file():
            raise InputError(f"{where}: the picture {row[picture]!r} is missing in {table.parent}")
        box = face_box(where, row) if row.get(BOX_COLUMNS[0]) else None
        blank = blank or ("" if row.get(SPLIT) else where)
        splits[row.get(SPLIT) or ALL].append((FaceFile(file, where, box), word, row.get(PERSON, "")))
    if unused:
        raise InputError(f"{table}: no row has the label {min(unused)!r} that labels declare")
    if not splits:
        raise InputError(f"{table}: lists no picture with a label")
    if blank and len(splits) > 1:
        raise InputError(
            f"{blank}: no {SPLIT}, but other rows have one: name one, such as train, or delete the row"
        )
    training = usual_split(TRAINING_NAMES, splits)
    default = usual_split(("test",), splits) or next(reversed(splits))
    return DataSet(NAME, path, tuple(splits), default, training, partial(_read, splits, left_out))


def _read(splits: Mapping[str, list[_Row]], left_out: Mapping[str, int], split: str) -> LabeledFaces:
    words = {word for listed in splits.values() for _, word, _ in listed}
    names = tuple(word for word in EXPRESSIONS if word in words)
    files, labels, persons = zip(*splits[split], strict=True)
    numbers = np.asarray([names.index(word) for word in labels], np.int64)
    known = np.asarray(persons) if any(persons) else None
    return LabeledFaces(NAME, split, names, numbers, ImageFiles(files), left_out=left_out, persons=known)


def write_picture_table(path: Path, parts: Iterable[tuple[str, LabeledFaces]]) -> None:
    """Write a table of splits; faces that are not files are left out.

    Args:
        path: the table.
        parts: name of a split, and its faces.
    """
    with (
        whole_file(path) as partial_file,
        partial_file.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        out = csv.writer(file)
        out.writerow([PICTURE_COLUMNS[0], LABEL_COLUMNS[0], SPLIT, PERSON, *BOX_COLUMNS])
        for split, faces in parts:
            if not isinstance(faces.images, ImageFiles):
                continue
            for row, face in enumerate(faces.images.files):
                person = "" if faces.persons is None else faces.persons[row]
                word = expression_of(faces.names[faces.labels[row]])
                out.writerow([face.path.resolve(), word, split, person, *(face.box_xywh or [""] * 4)])
