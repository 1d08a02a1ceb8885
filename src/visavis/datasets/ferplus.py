"""FER+'s majority labels for faces with FER+'s votes.

The soft labels, FER+'s distributions, are :func:`visavis.expression.labels.ferplus_distribution` of the
votes.
"""

from __future__ import annotations

from dataclasses import replace

from visavis.channels import EXPRESSIONS
from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError
from visavis.expression.labels import ferplus_majority

NAME = "FER+"
NO_MAJORITY = "no majority"


def majority(faces: LabeledFaces) -> LabeledFaces:
    """The faces on which most of FER+'s annotators agree, with one of the 8 expressions as the label.

    Raises:
        InputError: the faces have no votes, or none has a majority.
    """
    if faces.votes is None:
        raise InputError(
            f"{faces.name} has no FER+ votes here; put FER+'s fer2013new.csv next to Kaggle's fer2013.csv"
        )
    labels = ferplus_majority(faces.votes)
    voted = labels >= 0
    if not voted.any():
        raise InputError(f"{faces.name}, {faces.split}: no face has a FER+ majority")
    kept = faces[voted]
    left_out = {NO_MAJORITY: int((~voted).sum())}
    return replace(kept, name=NAME, names=EXPRESSIONS, labels=labels[voted], left_out=left_out)
