"""Reader of a folder with one subfolder for each expression.

Two layouts are read: ``split/class/picture`` and ``class/picture``. The name of a class folder may be any
word that ``expression_of`` knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from visavis.capture.image import IMAGE_SUFFIXES
from visavis.channels import EXPRESSIONS
from visavis.datasets.data_set import DataSet
from visavis.datasets.faces import FaceFile, ImageFiles, LabelledFaces
from visavis.emotion.labels import expression_of
from visavis.errors import InputError

NAME = "ImageFolder"
# Name of the only split of a folder without splits.
ALL = "all"
TRAINING_NAMES = ("train", "Training", "training")
# Files that file managers create; these and hidden files are skipped.
LITTER = frozenset({"thumbs.db", "desktop.ini"})


def find(path: Path) -> DataSet | None:
    """The data set in a folder; None if no class folder is found.

    Raises:
        InputError: next to class folders, a folder names no expression, or two folders name the same one.
    """
    splits = find_classes(path)
    if not splits:
        return None
    words = {word: name for classes in splits.values() for name, word in _words(classes)}
    names = tuple(words[word] for word in EXPRESSIONS if word in words)
    default = ALL if ALL in splits else "test"
    training = next((name for name in TRAINING_NAMES if name in splits), None)
    return DataSet(NAME, path, tuple(splits), default, training, partial(_read, splits, names))


def find_classes(path: Path) -> dict[str, dict[str, Path]]:
    """Folder of each class of each split, in the order of their names; empty if there is none.

    Raises:
        InputError: see :func:`find`.
    """
    if not path.is_dir():
        return {}
    if any(expression_of(folder.name) for folder in _folders(path)):
        return {ALL: _classes(path)}
    return {
        split.name: _classes(split)
        for split in _folders(path)
        if any(expression_of(folder.name) for folder in _folders(split))
    }


def list_pictures(folder: Path) -> list[Path]:
    """The pictures in a class folder, by name; hidden files and files of file managers are skipped.

    Raises:
        InputError: the folder contains something else.
    """
    pictures = []
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or file.name.lower() in LITTER:
            continue
        if file.suffix.lower() not in IMAGE_SUFFIXES or not file.is_file():
            raise InputError(f"{file}: not an image; a class folder holds pictures alone: move it elsewhere")
        pictures.append(file)
    return pictures


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _words(classes: Mapping[str, Path]) -> list[tuple[str, str]]:
    """(folder's name, our word) of each class."""
    return [(name, word) for name in classes if (word := expression_of(name))]


def _classes(split: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in _folders(split):
        word = expression_of(folder.name)
        if word is None:
            raise InputError(
                f"{folder}: a class folder that names no expression; expected {', '.join(EXPRESSIONS)}, "
                "or a common word for one of them"
            )
        if twin := next((name for name in found if expression_of(name) == word), None):
            raise InputError(f"{folder}: names the same expression as {twin} beside it; keep one")
        found[folder.name] = folder
    return found


def _read(splits: Mapping[str, Mapping[str, Path]], names: tuple[str, ...], split: str) -> LabelledFaces:
    by_word = {expression_of(name): index for index, name in enumerate(names)}
    files: list[FaceFile] = []
    labels: list[int] = []
    for name, folder in splits[split].items():
        pictures = list_pictures(folder)
        files += [FaceFile(path) for path in pictures]
        labels += [by_word[expression_of(name)]] * len(pictures)
    return LabelledFaces(NAME, split, names, np.asarray(labels, np.int64), ImageFiles(tuple(files)))
