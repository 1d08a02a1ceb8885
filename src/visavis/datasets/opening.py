"""The function that recognises and opens a data set of labelled faces."""

from __future__ import annotations

from visavis.base.files import PathText, as_path
from visavis.datasets import affectnet, fer2013, fer2013_folders, image_folder, raf_db
from visavis.datasets.data_set import DataSet
from visavis.datasets.faces import LabelledFaces
from visavis.errors import InputError

# Tried in this order: AffectNet before FER-2013, which accepts any other file; ImageFolder last, because it
# accepts any folder of class folders.
_READERS = (affectnet.find, fer2013.find, raf_db.find, fer2013_folders.find, image_folder.find)
EXPECTED = (
    "a fer2013.csv or its folder, Kaggle's folders (train/angry/...), RAF-DB (list_patition_label.txt "
    "and aligned/), AffectNet's training.csv and validation.csv, or folders named by expressions"
)


def find_dataset(path: PathText) -> DataSet:
    """Recognise the data set at a path.

    Raises:
        InputError: the path does not exist, no known layout fits, or the tables are bad.
    """
    path = as_path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; expected a data set")
    for find in _READERS:
        if found := find(path):
            return found
    raise InputError(f"{path}: no data set is recognised here; expected {EXPECTED}")


def open_dataset(path: PathText, split: str | None = None) -> LabelledFaces:
    """Read one split of the data set at a path; None for its default one.

    Raises:
        InputError: see :func:`find_dataset`; or the split does not exist.
    """
    path = as_path(path)
    return find_dataset(path).read(split)
