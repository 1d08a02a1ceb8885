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
from visavis.datasets.data_set import TRAINING_NAMES, DataSet, usual_split
from visavis.datasets.faces import FaceFile, ImageFiles, LabeledFaces
from visavis.errors import InputError
from visavis.expression.labels import expression_of

NAME = "folders of faces"
# Name of the only split of a folder without splits.
ALL = "all"
# Files that file managers create; these and hidden files are skipped.
LITTER = frozenset({"thumbs.db", "desktop.ini"})


def find_image_folder(path: Path, labels: Mapping[str, str] | None = None) -> DataSet | None:
    """The data set in a folder; None if no class folder is found.

    Args:
        path: the folder.
        labels: declared meanings of class folders: an expression, or nothing for a folder to leave out.

    Raises:
        InputError: next to class folders, a folder names no expression, or two folders name the same one
            without a declaration; or no folder has a declared name.
    """
    labels = labels or {}
    splits = find_classes(path, labels)
    if not splits:
        return None
    there = {folder.name for split in splits for folder in _folders(path / split if split != ALL else path)}
    if unused := set(labels) - there:
        raise InputError(f"{path}: no class folder has the name {min(unused)!r} that labels declare")
    words = {word: name for classes in splits.values() for name in classes if (word := _word(name, labels))}
    # The class folders' own names, except where one expression has several folders.
    names = tuple(word if labels else words[word] for word in EXPRESSIONS if word in words)
    default = ALL if ALL in splits else usual_split(("test",), splits) or "test"
    training = usual_split(TRAINING_NAMES, splits)
    return DataSet(NAME, path, tuple(splits), default, training, partial(_read, splits, names, labels))


def find_classes(path: Path, labels: Mapping[str, str] | None = None) -> dict[str, dict[str, Path]]:
    """Folder of each class of each split, in the order of their names; empty if there is none.

    Raises:
        InputError: see :func:`find_image_folder`.
    """
    labels = labels or {}
    if not path.is_dir():
        return {}
    if any(_word(folder.name, labels) for folder in _folders(path)):
        return {ALL: _classes(path, labels)}
    return {
        split.name: _classes(split, labels)
        for split in _folders(path)
        if any(_word(folder.name, labels) for folder in _folders(split))
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


def _word(name: str, labels: Mapping[str, str]) -> str | None:
    """Our word for a class folder's name."""
    return expression_of(labels.get(name, name))


def _classes(split: Path, labels: Mapping[str, str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in _folders(split):
        if labels.get(folder.name) == "":
            continue
        word = _word(folder.name, labels)
        if word is None:
            raise InputError(
                f"{folder}: a class folder that names no expression; expected {', '.join(EXPRESSIONS)}, "
                "or a common word for one of them"
            )
        twin = next((name for name in found if _word(name, labels) == word), None)
        if twin is not None and not {twin, folder.name} & set(labels):
            raise InputError(f"{folder}: names the same expression as {twin} beside it; keep one")
        found[folder.name] = folder
    return found


def _read(
    splits: Mapping[str, Mapping[str, Path]], names: tuple[str, ...], meant: Mapping[str, str], split: str
) -> LabeledFaces:
    by_word = {expression_of(name): index for index, name in enumerate(names)}
    files: list[FaceFile] = []
    labels: list[int] = []
    for name, folder in splits[split].items():
        pictures = list_pictures(folder)
        files += [FaceFile(path) for path in pictures]
        labels += [by_word[_word(name, meant)]] * len(pictures)
    if not files:
        folders = ", ".join(str(folder) for folder in splits[split].values())
        raise InputError(f"{folders}: no pictures; put pictures of faces there, such as .jpg or .png")
    return LabeledFaces(NAME, split, names, np.asarray(labels, np.int64), ImageFiles(tuple(files)))
