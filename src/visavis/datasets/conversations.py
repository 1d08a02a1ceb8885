"""The function that recognises and opens a corpus of conversations."""

from __future__ import annotations

from visavis.base.files import PathText, as_path
from visavis.datasets import l2l, react, react2025, vico
from visavis.datasets.dyads import Corpus
from visavis.errors import InputError

_READERS = (react.find, react2025.find, vico.find, l2l.find)
EXPECTED = (
    "REACT2023 or REACT2024 (val.csv with speaker_path and listener_path, and val/3D_FV_files), REACT2025 "
    "(val/coefficients/speaker), ViCo (train.csv with uuid, and recons), Learning to Listen "
    "(conan/train/p0_list_faces_clean_deca.npy), or a folder that visavis corpus build made"
)


def find_corpus(path: PathText) -> Corpus:
    """Recognise the corpus at a path.

    Raises:
        InputError: the path does not exist, no known layout fits, or the tables are bad.
    """
    path = as_path(path)
    if not path.exists():
        raise InputError(f"{path}: no such folder; expected a corpus of conversations")
    for find in _READERS:
        if found := find(path):
            return found
    raise InputError(f"{path}: no corpus of conversations is recognised here; expected {EXPECTED}")
