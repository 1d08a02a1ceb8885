"""Targets of both heads from FER-2013's labels and votes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from visavis.channels import EXPRESSIONS
from visavis.datasets.fer2013 import Fer2013
from visavis.emotion.labels import (
    FER2013_LABELS,
    FER2013_TO_EXPRESSION,
    ferplus_distribution,
    ferplus_majority,
    to_seven,
)
from visavis.types import FloatArray
from visavis_train.expression.config import Training


def targets(data: Fer2013, how: Training) -> tuple[Tensor, Tensor]:
    """Targets (N, 8) of the expressions and (N, 7) of the labels, each row a distribution."""
    expressions = _expressions(data, how)
    one_hot = np.eye(len(FER2013_LABELS), dtype=np.float32)[data.labels]
    labels = (1 - how.votes_in_labels) * one_hot + how.votes_in_labels * to_seven(expressions)
    smooth = how.label_smoothing
    return (
        torch.from_numpy(expressions * (1 - smooth) + smooth / len(EXPRESSIONS)).float(),
        torch.from_numpy(labels * (1 - smooth) + smooth / len(FER2013_LABELS)).float(),
    )


def _expressions(data: Fer2013, how: Training) -> FloatArray:
    """FER+'s answer (N, 8) in the chosen form, or FER-2013's label if there is none or none is wanted."""
    every = np.eye(len(EXPRESSIONS), dtype=np.float32)
    answer: FloatArray = every[np.asarray(FER2013_TO_EXPRESSION)[data.labels]]
    if how.votes == "none":
        return answer
    if how.votes == "soft":
        votes, voted = ferplus_distribution(data.votes)
    else:
        majority = ferplus_majority(data.votes)
        votes, voted = every[majority], majority >= 0
    return np.where(voted[:, None], votes, answer)
