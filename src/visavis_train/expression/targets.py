"""Targets of both heads from FER-2013's labels and votes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from visavis.channels import EXPRESSIONS
from visavis.datasets.faces import LabeledFaces
from visavis.expression.labels import (
    FER2013_LABELS,
    FER2013_TO_EXPRESSION,
    expression_of,
    ferplus_distribution,
    ferplus_majority,
    to_seven,
)
from visavis.types import FloatArray
from visavis_train.expression.config import Training


def soft_targets(data: LabeledFaces, how: Training) -> tuple[Tensor, Tensor]:
    """Targets (N, 8) of the expressions and (N, 7) of the labels.

    Each row is a distribution, except that contempt, which is none of the 7, gives zeros there.
    """
    given = words(data)
    expressions = _expressions(data, given, how)
    one_hot = given[:, list(FER2013_TO_EXPRESSION)]
    labels = (1 - how.votes_in_labels) * one_hot + how.votes_in_labels * to_seven(expressions)
    smooth = how.label_smoothing
    labels = (labels * (1 - smooth) + smooth / len(FER2013_LABELS)) * one_hot.sum(axis=1, keepdims=True)
    return (
        torch.from_numpy(expressions * (1 - smooth) + smooth / len(EXPRESSIONS)).float(),
        torch.from_numpy(labels).float(),
    )


def words(data: LabeledFaces) -> FloatArray:
    """The labels as rows (N, 8) of zeros and a one, in the order of EXPRESSIONS."""
    columns = [EXPRESSIONS.index(word) for word in map(expression_of, data.names) if word]
    rows: FloatArray = np.eye(len(EXPRESSIONS), dtype=np.float32)[np.asarray(columns)[data.labels]]
    return rows


def _expressions(data: LabeledFaces, answer: FloatArray, how: Training) -> FloatArray:
    """FER+'s answer (N, 8) in the chosen form, or the label if there is none or none is wanted."""
    every = np.eye(len(EXPRESSIONS), dtype=np.float32)
    if how.ferplus_targets == "none" or data.votes is None:
        return answer
    if how.ferplus_targets == "soft":
        votes, voted = ferplus_distribution(data.votes)
    else:
        majority = ferplus_majority(data.votes)
        votes, voted = every[majority], majority >= 0
    return np.where(voted[:, None], votes, answer)
