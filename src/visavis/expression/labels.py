"""Labels and votes of data sets as distributions over the 8 expressions, and back to 7 labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.channels import EXPRESSIONS
from visavis.errors import InputError
from visavis.types import BoolArray, FloatArray

# FER-2013's label numbers 0..6 (Goodfellow et al. 2013, arXiv:1307.0414).
FER2013_LABELS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
# The vote columns of FER+'s fer2013new.csv (Barsoum et al. 2016, arXiv:1608.01041); NF: not a face.
FERPLUS_COLUMNS: tuple[str, ...] = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
# The data sets' words that differ from ours.
_SYNONYMS = {
    "angry": "anger",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "fearful": "fear",
    "disgusted": "disgust",
}


def expression_of(name: str) -> str | None:
    """Our word for a data set's word (upper or lower case); None if it names no expression (``NF``)."""
    word = name.casefold()
    word = _SYNONYMS.get(word, word)
    return word if word in EXPRESSIONS else None


# Column of EXPRESSIONS for each of FER-2013's labels: a permutation of all except contempt.
FER2013_TO_EXPRESSION: tuple[int, ...] = tuple(
    EXPRESSIONS.index(_SYNONYMS.get(name, name)) for name in FER2013_LABELS
)
# Column of FERPLUS_COLUMNS for each of EXPRESSIONS.
_FERPLUS_FOR_EXPRESSION: tuple[int, ...] = tuple(
    next(i for i, column in enumerate(FERPLUS_COLUMNS) if expression_of(column) == name)
    for name in EXPRESSIONS
)


def given(probabilities: FloatArray, names: Sequence[str]) -> FloatArray:
    """Probabilities (..., 8) of EXPRESSIONS -> (..., C) of a data set's own classes.

    If a data set lacks an expression, its labels assume that no face shows this expression, so the others
    keep their ratios. A row that is 0 in all of them becomes uniform.

    Args:
        probabilities: (..., 8) probabilities of all expressions.
        names: the data set's classes in its own words and order.

    Raises:
        InputError: a name is not an expression, or two names are the same.
    """
    columns = [EXPRESSIONS.index(word) for word in map(expression_of, names) if word]
    if len(set(columns)) < len(names):
        raise InputError(f"classes must be different expressions; found {', '.join(names)}")
    chosen = probabilities[..., columns].astype(np.float64)
    total = chosen.sum(axis=-1, keepdims=True)
    return np.where(total > 0, chosen / np.where(total > 0, total, 1.0), 1 / len(names)).astype(np.float32)


def to_seven(probabilities: FloatArray) -> FloatArray:
    """Probabilities (..., 8) of EXPRESSIONS -> (..., 7) of FER2013_LABELS, given no contempt."""
    return given(probabilities, FER2013_LABELS)


def trusted_votes(votes: NDArray[np.integer]) -> NDArray[np.int64]:
    """FER+ votes (N, 10) with single votes removed: its authors count them as slips.

    Raises:
        InputError: the array has another shape or negative votes.
    """
    if votes.ndim != 2 or votes.shape[1] != len(FERPLUS_COLUMNS) or (votes < 0).any():
        raise InputError(f"FER+ votes must be counts (N, {len(FERPLUS_COLUMNS)}); found {votes.shape}")
    return np.where(votes <= 1, 0, votes).astype(np.int64)


def ferplus_distribution(votes: NDArray[np.integer]) -> tuple[FloatArray, BoolArray]:
    """Soft targets from FER+ votes (N, 10): (N, 8) over EXPRESSIONS, and (N,) whether a row has a target.

    Votes for ``unknown`` and ``NF`` are left out; rows without any trusted vote are zero and False.
    """
    eight = trusted_votes(votes)[:, list(_FERPLUS_FOR_EXPRESSION)]
    total = eight.sum(axis=1, keepdims=True)
    return (eight / np.maximum(total, 1)).astype(np.float32), total[:, 0] > 0


def ferplus_majority(votes: NDArray[np.integer]) -> NDArray[np.int64]:
    """FER+'s majority label (N,) as an index into EXPRESSIONS, or -1 if there is no majority.

    The authors' "majority" mode: single votes are removed; then one column must have more than half of the
    votes, and be an expression (not ``unknown`` or ``NF``).
    """
    trusted = trusted_votes(votes)
    top = trusted.argmax(axis=1)
    clear = 2 * trusted.max(axis=1) > trusted.sum(axis=1)
    column_to_expression = np.full(len(FERPLUS_COLUMNS), -1)
    column_to_expression[list(_FERPLUS_FOR_EXPRESSION)] = np.arange(len(EXPRESSIONS))
    return np.where(clear, column_to_expression[top], -1).astype(np.int64)
