"""The function that recognises and opens a data set of labelled faces."""

from __future__ import annotations

from collections.abc import Mapping

from visavis.base.files import PathText, as_path
from visavis.datasets import affectnet, fer2013, fer2013_folders, image_folder, picture_table, raf_db
from visavis.datasets.data_set import DataSet
from visavis.datasets.tables import header
from visavis.errors import InputError

EXPECTED = (
    "fer2013.csv, Kaggle's folders, RAF-DB, AffectNet, folders named by expressions, or a table with the "
    "columns picture and label"
)
# How many columns of an unknown table a message names.
MOST_COLUMNS = 6


def find_dataset(path: PathText, labels: Mapping[str, str] | None = None) -> DataSet:
    """Recognise the data set at a path.

    Args:
        path: the data set.
        labels: declared meanings of the words of a picture table or of class folders: an expression, or
            nothing for faces to leave out.

    Raises:
        InputError: the path does not exist, no known layout fits, or the tables are bad.
    """
    path = as_path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; expected a data set")
    labels = labels or {}
    # Class folders come last, because any folder with such folders is one.
    if found := (
        affectnet.find_affectnet(path)
        or picture_table.find_picture_table(path, labels)
        or fer2013.find_fer2013(path)
        or raf_db.find_raf_db(path)
        or (None if labels else fer2013_folders.find_fer2013_folders(path))
        or image_folder.find_image_folder(path, labels)
    ):
        return found
    names = header(path) if path.is_file() else ()
    listed = ", ".join(names[:MOST_COLUMNS]) + (", ..." if len(names) > MOST_COLUMNS else "")
    columns = f" with the columns {listed or 'none'}" if path.is_file() else ""
    raise InputError(f"{path}: no data set is recognised here{columns}; expected {EXPECTED}")
