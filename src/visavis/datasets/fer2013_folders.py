"""Reader of FER-2013 as Kaggle's folders of 48 px pictures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from visavis.capture.image import read_image
from visavis.datasets.data_set import TRAINING_NAMES, DataSet, usual_split
from visavis.datasets.faces import FaceFile, ImageFiles, LabeledFaces
from visavis.datasets.fer2013 import NAME, PRIVATE_TEST, PUBLIC_TEST, SIDE_PX, USAGES
from visavis.datasets.image_folder import ALL, find_classes, list_pictures
from visavis.expression.labels import FER2013_LABELS


def find_fer2013_folders(path: Path) -> DataSet | None:
    """FER-2013 in a folder; None without splits, with other classes or picture sizes, or without its names.

    Splits are the top folders, ``train`` and ``test`` or ``Training``, ``PublicTest`` and ``PrivateTest``.
    Kaggle's ``test`` has two of the official splits; its file names start with the official split's name, so
    this name is a split too. Pictures of 48 px without these names are someone's own.

    Raises:
        InputError: a class folder contains something other than pictures, or its first picture is bad.
    """
    folders = find_classes(path)
    if ALL in folders or not folders or any(set(names) - set(FER2013_LABELS) for names in folders.values()):
        return None
    listed = {split: _list(classes) for split, classes in folders.items()}
    first = next((files[0][0] for files in listed.values() if files), None)
    if first is None or read_image(first).shape[:2] != (SIDE_PX, SIDE_PX):
        return None
    named = {split.casefold() for split in listed} & {PUBLIC_TEST.casefold(), PRIVATE_TEST.casefold()}
    for usage in USAGES:
        files = [file for files in listed.values() for file in files if file[0].name.startswith(f"{usage}_")]
        if files:
            named.add(usage)
            listed.setdefault(usage, files)
    if not named:
        return None
    default = usual_split((PUBLIC_TEST.casefold(), "test"), listed) or "test"
    training = usual_split(TRAINING_NAMES, listed)
    return DataSet(NAME, path, tuple(listed), default, training, partial(_read, listed))


def _list(classes: Mapping[str, Path]) -> list[tuple[Path, int]]:
    """Each picture with its label."""
    return [
        (file, FER2013_LABELS.index(name))
        for name, folder in classes.items()
        for file in list_pictures(folder)
    ]


def _read(listed: Mapping[str, list[tuple[Path, int]]], split: str) -> LabeledFaces:
    labels = np.asarray([label for _, label in listed[split]], np.int64)
    files = ImageFiles(tuple(FaceFile(path) for path, _ in listed[split]))
    return LabeledFaces(NAME, split, FER2013_LABELS, labels, files)
