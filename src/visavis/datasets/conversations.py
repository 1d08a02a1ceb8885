"""The function that recognises and opens a corpus of conversations.

Layouts whose faces cannot become face states are refused with the reason: DualTalk (Peng et al. 2025,
arXiv:2505.18096; ``dataset_train.py`` of its code) and Seamless Interaction (the README and
``src/seamless_interaction/constants.py`` of facebookresearch/seamless_interaction).
"""

from __future__ import annotations

from pathlib import Path

from visavis.base.files import PathText, as_path
from visavis.datasets import l2l, react, react2025, vico
from visavis.datasets.dyads import Corpus
from visavis.errors import InputError

_READERS = (react.find_react, react2025.find_react2025, vico.find_vico, l2l.find_l2l)
EXPECTED = (
    "REACT (val.csv or val/coefficients), ViCo (train.csv and recons), Learning to Listen (conan/train), or "
    "what visavis corpus build made"
)

# Patterns of files, and why the corpus is refused.
_REFUSED = {
    ("*_speaker1.npz", "*/*_speaker1.npz"): (
        "DualTalk holds FLAME's expressions and neck and jaw rotations, which have no public map to "
        "blendshape weights; track the videos of RealTalk, its source, by visavis corpus build"
    ),
    ("V*_S*_I*_P*.*", "*/*/V*_S*_I*_P*.*", "*/*/*/*/V*_S*_I*_P*.*", "*/*/*/V*_S*_I*_P*.*"): (
        "Seamless Interaction's movement features are codes of its own model, without a public map to "
        "blendshape weights; track the videos of both people: visavis corpus build A.mp4 B.mp4 --pairs"
    ),
}


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
    if reason := _reason(path):
        raise InputError(f"{path}: {reason}")
    raise InputError(f"{path}: no corpus of conversations is recognised here; expected {EXPECTED}")


def _reason(path: Path) -> str | None:
    """Why a known layout is refused; None for an unknown one."""
    for patterns, reason in _REFUSED.items():
        if any(next(path.glob(pattern), None) is not None for pattern in patterns):
            return reason
    return None
