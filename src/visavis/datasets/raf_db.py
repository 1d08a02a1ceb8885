"""Reader of RAF-DB's basic expressions, with its two splits.

Li et al. 2017, "Reliable crowdsourcing and deep locality-preserving learning for expression recognition in
the wild". ``list_patition_label.txt`` (with this spelling) lists ``train_00001.jpg 5``; the aligned picture
is ``aligned/train_00001_aligned.jpg``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from visavis.base.reading import regular
from visavis.base.words import reason
from visavis.datasets.data_set import DataSet
from visavis.datasets.faces import FaceFile, ImageFiles, LabeledFaces
from visavis.errors import InputError

NAME = "RAF-DB"
LIST = "list_patition_label.txt"
# The list's label numbers 1..7.
LABELS = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
SPLITS = TRAIN, TEST = ("train", "test")
# Places of the list and the pictures, relative to the user's folder.
_ROOTS = ("", "basic")
_LIST_FOLDERS = ("", "EmoLabel")
_PICTURE_FOLDERS = ("aligned", "Image/aligned")


def find_raf_db(path: Path) -> DataSet | None:
    """RAF-DB in a folder; None if the list is not there.

    Raises:
        InputError: the aligned pictures are missing, or a line of the list is bad.
    """
    for root in (path / name for name in _ROOTS):
        for table in (root / name / LIST for name in _LIST_FOLDERS):
            if table.is_file():
                return _open(path, root, table)
    return None


def _open(path: Path, root: Path, table: Path) -> DataSet:
    pictures = next((root / name for name in _PICTURE_FOLDERS if (root / name).is_dir()), None)
    if pictures is None:
        raise InputError(f"{table}: no folder of aligned pictures with it; expected {root / 'aligned'}")
    lines = _lines(table)
    splits = tuple(split for split in SPLITS if any(name.startswith(split) for _, name, _ in lines))
    training = TRAIN if TRAIN in splits else None
    return DataSet(NAME, path, splits, TEST, training, partial(_read, lines, pictures))


def _lines(table: Path) -> list[tuple[str, str, int]]:
    """(``file:line``, picture's name, label from 0) of each line that is not blank."""
    try:
        text = regular(table).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{table}: cannot be read: {reason(error)}") from error
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        match line.split():
            case []:
                continue
            case [name, label] if label in map(str, range(1, len(LABELS) + 1)):
                if not name.startswith(tuple(f"{split}_" for split in SPLITS)):
                    raise InputError(f"{table}:{number}: {name} begins with neither train_ nor test_")
                found.append((f"{table}:{number}", name, int(label) - 1))
            case _:
                raise InputError(
                    f"{table}:{number}: found {line.strip()!r}; expected a picture's name and a label from 1 "
                    f"to {len(LABELS)}, such as train_00001.jpg 5"
                )
    if not found:
        raise InputError(f"{table}: lists no picture")
    return found


def _read(lines: list[tuple[str, str, int]], pictures: Path, split: str) -> LabeledFaces:
    there = {file.name for file in pictures.iterdir()}
    files: list[FaceFile] = []
    labels: list[int] = []
    for where, name, label in lines:
        if not name.startswith(f"{split}_"):
            continue
        aligned = f"{Path(name).stem}_aligned{Path(name).suffix}"
        if aligned not in there:
            raise InputError(f"{where}: the picture {aligned} is missing in {pictures}")
        files.append(FaceFile(pictures / aligned, where))
        labels.append(label)
    return LabeledFaces(NAME, split, LABELS, np.asarray(labels, np.int64), ImageFiles(tuple(files)))
